"""The REST API: each room's addresses under /api/v1/, its schema, and its documentation."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

ROOMS = [
    "registry.ground.access.api",
    "lifecycle.ground.jobs.api",
    "datasets_app.datasets.api",
    "datasets_app.datasets.listing_api",
    "datasets_app.schemas.api",
    "datasets_app.prelabels.api",
    "datasets_app.queues.api",
    "datasets_app.quality.api",
    "datasets_app.review.api",
    "datasets_app.exchange.api",
    "datasets_app.assist.api",
    "datasets_app.scanning.api",
    "datasets_app.snapshots.api",
    "lifecycle.modeling.training.api",
    "lifecycle.modeling.training.sweep_api",
    "lifecycle.modeling.training.advice_api",
    "lifecycle.modeling.training.estimate_api",
    "lifecycle.modeling.training.sample_api",
    "lifecycle.modeling.evaluation.api",
    "lifecycle.modeling.evaluation.side_by_side_api",
    "lifecycle.modeling.evaluation.slices_api",
    "lifecycle.modeling.evaluation.confidence_api",
    "registry.policies.api",
    "registry.catalog.api",
    "registry.promotions.api",
    "registry.endpoints.api",
    "monitoring.traffic.api",
    "monitoring.drift.api",
    "monitoring.alerts.api",
    "monitoring.rollouts.api",
    "monitoring.retraining.api",
    "monitoring.overview.api",
    "lifecycle.roof.trace.api",
    "registry.audit.api",
]

urlpatterns: list[URLPattern | URLResolver] = [
    *[path("v1/", include(module)) for module in ROOMS],
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
