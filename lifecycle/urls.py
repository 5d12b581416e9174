"""Every address of the site: one prefix a room."""

from __future__ import annotations

from importlib.util import find_spec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path

from registry.access.decorators import public

ROOMS = {
    "": "lifecycle.home.urls",
    "access/": "registry.access.urls",
    "jobs/": "lifecycle.jobs.urls",
    "notices/": "lifecycle.notices.urls",
    "datasets/": "datasets_app.datasets.urls",
    "labeling/": "datasets_app.labeling.urls",
    "snapshots/": "datasets_app.snapshots.urls",
    "runs/": "lifecycle.training.urls",
    "evaluations/": "lifecycle.evaluation.urls",
    "policies/": "registry.policies.urls",
    "models/": "registry.catalog.urls",
    "promotions/": "registry.promotions.urls",
    "endpoints/": "registry.endpoints.urls",
    "traffic/": "monitoring.traffic.urls",
    "trace/": "lifecycle.trace.urls",
    "audit/": "registry.audit.urls",
    "demo/": "lifecycle.demo.urls",
    "api/": "lifecycle.api",
}


def exists(module: str) -> bool:
    """Whether the room has been built."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@public
def favicon(_request: HttpRequest) -> HttpResponse:
    """What browsers ask for unasked."""
    return redirect(static("img/favicon.svg"))


urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", include("allauth.urls")),
    path("favicon.ico", favicon),
    *[path(prefix, include(module)) for prefix, module in ROOMS.items() if exists(module)],
]
