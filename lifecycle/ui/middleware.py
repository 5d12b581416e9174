from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lifecycle.refusals import Conflict, NotReady, Refusal

log = logging.getLogger("lifecycle.refused")
STATUS = {Conflict: 409, NotReady: 503}


class RefusalMiddleware:
    """Turns a Refusal that a view let through into an answer: a toast for a fragment request, a page otherwise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The answer to a refusal; None for any other exception."""
        if not isinstance(error, Refusal):
            return None
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
        log.info("event=refused code=%s path=%s", error.code, request.path)
        context = {"refusal": error, "status": status}
        if getattr(request, "htmx", False):
            response = render(request, "components/refusal_toast.html", context, status=status)
            response["HX-Reswap"] = "none"
            return response
        return render(request, "refused.html", context, status=status)
