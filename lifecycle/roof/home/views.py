from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.defaults import server_error

from lifecycle.roof.home import health, queries
from lifecycle.roof.home import metrics as measured
from lifecycle.roof.home import statistics as worked_out
from lifecycle.runtime.scraping import exposition, is_here, may_scrape, sends
from lifecycle.ui import navigation, palette
from lifecycle.ui.addresses import typed_in
from lifecycle.ui.csp import charts
from lifecycle.ui.respond import wants_fragment
from registry.ground.access.decorators import public, signed_in
from registry.ground.access.policy import can_somewhere
from registry.ground.access.requests import SignedInRequest

BARE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Failed · Lifecycle</title></head>
<body>
<h1>The server failed to answer</h1>
<p>The error is in the server's log. Tell your administrator when it happened.</p>
</body>
</html>
"""


def failed(request: HttpRequest) -> HttpResponse:
    """The page for a server error; a bare one where that can't be rendered either, such as without the static
    files' manifest.
    """
    try:
        return server_error(request)
    except Exception:  # any error: there is no other page to fall back to
        return HttpResponseServerError(BARE)


@require_safe
@signed_in
def home(request: SignedInRequest) -> HttpResponse:
    """A person's tasks, running jobs, and recent activity."""
    return render(request, "home/home.html", queries.home(request.user))


@require_safe
@signed_in
@never_cache
def counts(request: SignedInRequest) -> HttpResponse:
    """The numbers beside the navigation, as one fragment."""
    return render(request, "components/navigation_counts.html", {"counts": navigation.counts(request.user)})


@require_safe
@signed_in
def find(request: SignedInRequest) -> HttpResponse:
    """The palette: pages and things that a person may see, by what they typed."""
    query = typed_in(request.GET, "q", 200)
    context = {"sections": palette.find(request.user, query), "query": query}
    return render(
        request,
        "components/palette_results.html" if wants_fragment(request) else "home/palette.html",
        context,
    )


@require_safe
@signed_in
def statistics(request: SignedInRequest) -> HttpResponse:
    """The numbers on pages: definitions, assumptions, and checks."""
    text = (settings.BASE_DIR / "docs" / "statistics.md").read_text(encoding="utf-8")
    return render(request, "home/statistics.html", {"sections": worked_out.sections(text)})


@require_safe
@charts
@signed_in
def styleguide(request: SignedInRequest) -> HttpResponse:
    """Every component in all its states."""
    return render(request, "home/styleguide.html")


@require_safe
@public
def favicon(_request: HttpRequest) -> HttpResponse:
    """The icon that browsers request by default."""
    return redirect(static("img/favicon.svg"))


@require_safe
@public
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """Liveness probe."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@public
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Readiness probe: 200 or 503. Details are only for people who can fix it."""
    token = settings.METRICS_TOKEN
    detailed = is_here(request.META.get("REMOTE_ADDR", ""), request.headers) or (
        bool(token) and sends(token, request.headers)
    )
    detailed = detailed or looks_after_it(request)
    checks = health.recent()
    ready = all(check.ok for check in checks if check.needed)
    lines = [
        {"name": c.name, "ok": c.ok, "needed": c.needed} | ({"detail": c.detail} if detailed else {})
        for c in checks
    ]
    body = {"ready": ready, "checks": lines}
    return JsonResponse(body, status=200 if ready else 503)


def looks_after_it(request: HttpRequest) -> bool:
    """Whether a signed-in person is an admin of the organisation or may take alerts, whose page leads here.
    False without a database.
    """
    try:
        user = request.user
        return user.is_authenticated and (
            user.is_organisation_admin or can_somewhere(user, "alerts.acknowledge")
        )
    except DatabaseError:
        return False


@require_safe
@public
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for clients that send METRICS_TOKEN; without that setting, for this machine
    only.
    """
    token = settings.METRICS_TOKEN
    if not may_scrape(token=token, peer=request.META.get("REMOTE_ADDR", ""), headers=request.headers):
        if not token:
            raise Http404
        return HttpResponse(
            "A valid token is required.\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    content, kind = exposition(measured.families(), request.headers.get("accept", ""))
    return HttpResponse(content, content_type=kind)
