"""Every address of the site: one prefix a room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

handler500 = "lifecycle.roof.home.views.failed"
urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", include("allauth.urls")),
    path("", include("lifecycle.roof.home.urls")),
    path("access/", include("registry.ground.access.urls")),
    path("jobs/", include("lifecycle.ground.jobs.urls")),
    path("notices/", include("lifecycle.ground.notices.urls")),
    path("datasets/", include("datasets_app.datasets.urls")),
    path("labeling/", include("datasets_app.schemas.urls")),
    path("labeling/", include("datasets_app.queues.urls")),
    path("labeling/", include("datasets_app.quality.urls")),
    path("labeling/", include("datasets_app.review.urls")),
    path("labeling/", include("datasets_app.exchange.urls")),
    path("labeling/", include("datasets_app.assist.urls")),
    path("data-issues/", include("datasets_app.scanning.urls")),
    path("dataset-versions/", include("datasets_app.snapshots.urls")),
    path("runs/", include("lifecycle.modeling.training.urls")),
    path("evaluations/", include("lifecycle.modeling.evaluation.urls")),
    path("policies/", include("registry.policies.urls")),
    path("models/", include("registry.catalog.urls")),
    path("promotions/", include("registry.promotions.urls")),
    path("endpoints/", include("registry.endpoints.urls")),
    path("traffic/", include("monitoring.traffic.urls")),
    path("drift/", include("monitoring.drift.urls")),
    path("alerts/", include("monitoring.alerts.urls")),
    path("rollouts/", include("monitoring.rollouts.urls")),
    path("retraining/", include("monitoring.retraining.urls")),
    path("dashboard/", include("monitoring.overview.urls")),
    path("trace/", include("lifecycle.roof.trace.urls")),
    path("audit/", include("registry.audit.urls")),
    path("demo/", include("lifecycle.roof.demo.urls")),
    path("api/", include("lifecycle.api")),
]
