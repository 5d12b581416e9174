"""Responses of a view: the whole page, or only the fragment that htmx requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from lifecycle.ui.toasts import toast


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx requests a fragment: not for a boosted link, and not to restore a page from history."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def respond(
    request: HttpRequest,
    template: str,
    fragment: str,
    context: Mapping[str, Any],
    status: int = 200,
    target: str | None = None,
) -> HttpResponse:
    """The page `template`, or for htmx its partial `template#fragment` followed by the waiting toasts.

    target: a CSS selector; sends the fragment there instead of where the page meant it to go (for example an
    error into a dialog). Both answers vary by HX-Request, so that no cache mixes them up.
    """
    if wants_fragment(request):
        html = render_to_string(f"{template}#{fragment}", dict(context), request)
        html += render_to_string("components/toasts_oob.html", {}, request)
    else:
        html = render_to_string(template, dict(context), request)
    response = HttpResponse(html, status=status)
    if target and wants_fragment(request):
        response["HX-Retarget"] = target
    patch_vary_headers(response, ["HX-Request"])
    return response


def redirect_or_refresh(request: HttpRequest, url: str = "") -> HttpResponse:
    """Redirect to `url` after a change, as a full load for htmx too. Without url: reload the requesting
    page.
    """
    if not wants_fragment(request):
        return HttpResponseRedirect(url or request.get_full_path())
    return HttpResponseClientRedirect(url) if url else HttpResponseClientRefresh()


def done_at(request: HttpRequest, url: str, text: str, *, kind: str = "ok") -> HttpResponse:
    """Redirect to `url` after a change, with a toast."""
    toast(request, text, kind=kind)
    return redirect_or_refresh(request, url)
