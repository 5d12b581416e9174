"""Responses of views that serve both a script (JSON) and a plain form (redirect)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse

from lifecycle.runtime.refusals import Conflict, NotReady, Refusal

STATUS = {Conflict: 409, NotReady: 503}
View = Callable[..., HttpResponse]


def wants_json(request: HttpRequest) -> bool:
    """Whether the request is from the page's script."""
    return request.headers.get("Accept", "").startswith("application/json")


def json_errors(view: View) -> View:
    """Turn refusals into {code, message, fields} for the script; for a plain form the middleware handles
    them.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not wants_json(request):
            return view(request, *args, **kwargs)
        try:
            return view(request, *args, **kwargs)
        except Refusal as error:
            status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
            message = " ".join(part for part in (error.message, error.next_step) if part)
            return JsonResponse(
                {"code": error.code, "message": message, "fields": error.fields}, status=status
            )
        except PermissionDenied as error:
            return JsonResponse(
                {"code": "permission_denied", "message": str(error), "fields": {}}, status=403
            )

    return wrapped


def to_bench(uuid: UUID) -> HttpResponseRedirect:
    """Redirect to the labeling page with the next item."""
    return HttpResponseRedirect(reverse("queues:bench", args=[uuid]))
