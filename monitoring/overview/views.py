"""The dashboard."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from lifecycle.ui.csp import charts
from lifecycle.ui.respond import respond
from monitoring.overview import page
from registry.ground.access.decorators import signed_in
from registry.ground.access.requests import SignedInRequest


@require_safe
@charts
@signed_in
def dashboard(request: SignedInRequest) -> HttpResponse:
    """The models, the business figures, what needs a person: one page, printable."""
    return respond(
        request,
        "monitoring/overview/dashboard.html",
        "dashboard",
        page.dashboard(request.user, request.GET.dict(), timezone.now()),
    )
