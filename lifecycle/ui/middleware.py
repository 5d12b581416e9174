"""Turns refusals into responses, and keeps whole pages out of fragments."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django_htmx.http import HttpResponseClientRedirect

from lifecycle.runtime.refusals import Refusal
from lifecycle.ui.respond import wants_fragment

log = logging.getLogger("lifecycle.refused")
NOT_ALLOWED = "Your role doesn't allow this."


class RefusalMiddleware:
    """Turns a Refusal raised by a view into a response: a toast for a fragment request, a page otherwise.

    A redirect of a fragment request becomes a full load of its target, since its body would be inserted in
    the page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The view's response, or a full load in place of a redirect."""
        response = self.get_response(request)
        if response.status_code in (301, 302, 303, 307, 308) and wants_fragment(request):
            return full_load(request, response)
        if response.status_code == 405 and request.method == "GET" and not response.content:
            return form_only(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The response to a refusal, or to a missing permission of a fragment request; None for any other
        exception.
        """
        if isinstance(error, PermissionDenied) and wants_fragment(request):
            return toast_answer(request, Refusal(str(error) or NOT_ALLOWED), 403)
        if not isinstance(error, Refusal):
            return None
        log.info("event=refused code=%s path=%s", error.code, request.path)
        if wants_fragment(request):
            return toast_answer(request, error, error.status)
        page = render(
            request, "refused.html", {"refusal": error, "status": error.status}, status=error.status
        )
        # as of the page that was asked for: a sentence may name what only its reader may see
        page["Cache-Control"] = "private, no-store"
        return page


def form_only(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """A page for the address of a form opened alone, instead of an empty response."""
    refusal = Refusal(
        "This URL only accepts form submissions.", next_step="Go back and use the button on the page."
    )
    page = render(request, "refused.html", {"refusal": refusal, "status": 405}, status=405)
    page["Allow"] = response["Allow"]
    return page


def toast_answer(request: HttpRequest, refusal: Refusal, status: int) -> HttpResponse:
    """A toast with the refusal; the page stays as it is."""
    response = render(
        request, "components/refusal_toast.html", {"refusal": refusal, "status": status}, status=status
    )
    response["HX-Reswap"] = "none"
    return response


def full_load(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The redirect as a full load; after sign-in the reader returns to the page they were on, not to its
    fragment.
    """
    target = urlsplit(response["Location"])
    if target.path == resolve_url(settings.LOGIN_URL) and "next" in parse_qs(target.query):
        page = request.htmx.current_url_abs_path  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(f"{target.path}?{urlencode({'next': page or '/'})}")
    answer = HttpResponseClientRedirect(response["Location"])
    answer.cookies = response.cookies
    return answer
