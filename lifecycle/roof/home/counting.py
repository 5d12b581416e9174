"""Requests of the site, counted for Prometheus as they pass."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.multiprocess import MultiProcessCollector

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # set by deploy/gunicorn.conf.py where several processes answer
METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKET_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10)

requests = Counter(
    "lifecycle_web_requests", "Requests of the site by room, method and status.", ["room", "method", "code"]
)
durations = Histogram(
    "lifecycle_web_request_duration_seconds",
    "Duration of requests.",
    ["room", "method"],
    buckets=BUCKET_SECONDS,
)


class CountingMiddleware:
    """Counts each answer and its time. It comes first, so that everything that the site does for a request is
    in it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer, as it is."""
        began = time.perf_counter()
        response = self.get_response(request)
        room, method = room_of(request), request.method if request.method in METHODS else "other"
        requests.labels(room, method, str(response.status_code)).inc()
        durations.labels(room, method).observe(time.perf_counter() - began)
        return response


def room_of(request: HttpRequest) -> str:
    """The room of the view, never a part of an arbitrary address: "api", "static", "none", or a room's
    name.
    """
    match = request.resolver_match
    if match is None:
        return "static" if request.path.startswith(settings.STATIC_URL) else "none"
    if match.namespaces:
        return str(match.namespaces[0])
    return "api" if match.route.startswith("api/") else "accounts"


def families() -> Iterable[Metric]:
    """The counts of this process, or of all processes of this host where they share a folder."""
    if SHARED in os.environ:
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return shared.collect()
    return [family for counted in (requests, durations) for family in counted.collect()] + list(process())


def process() -> Iterable[Metric]:
    """Memory, CPU time and open files of this process."""
    return [family for family in REGISTRY.collect() if family.name.startswith("process_")]
