"""The REST API: each room's own addresses under /api/v1/, its schema and its documentation."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

ROOMS = [
    "registry.access.api",
    "lifecycle.jobs.api",
    "datasets_app.datasets.api",
    "datasets_app.labeling.api",
    "datasets_app.snapshots.api",
    "lifecycle.training.api",
    "lifecycle.evaluation.api",
    "registry.policies.api",
    "registry.catalog.api",
    "registry.promotions.api",
    "registry.endpoints.api",
    "monitoring.traffic.api",
    "lifecycle.trace.api",
    "registry.audit.api",
]


def exists(module: str) -> bool:
    """Whether the room has been built."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


urlpatterns: list[URLPattern | URLResolver] = [
    *[path("v1/", include(module)) for module in ROOMS if exists(module)],
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
