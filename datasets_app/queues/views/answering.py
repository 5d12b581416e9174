"""One address, two answers: JSON for the bench's script, a redirect for a plain form."""

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
    """Whether the bench's script asks."""
    return request.headers.get("Accept", "").startswith("application/json")


def speaks_json(view: View) -> View:
    """Refusals become {code, message, fields} for the script; for a plain form they fly on to the middleware."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not wants_json(request):
            return view(request, *args, **kwargs)
        try:
            return view(request, *args, **kwargs)
        except Refusal as error:
            status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
            message = " ".join(part for part in (error.message, error.next_step) if part)
            return JsonResponse({"code": error.code, "message": message, "fields": error.fields}, status=status)
        except PermissionDenied as error:
            return JsonResponse({"code": "permission_denied", "message": str(error), "fields": {}}, status=403)

    return answer


def to_bench(uuid: UUID) -> HttpResponseRedirect:
    """Back to the bench, where the next item waits."""
    return HttpResponseRedirect(reverse("queues:bench", args=[uuid]))
