"""The API's one form of a refusal: `{code, message, fields}`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import exception_handler

from lifecycle.runtime.refusals import Refusal


class ErrorOut(serializers.Serializer[Any]):
    """Why nothing was done. code: a word for programs. message: sentences for people. fields: messages by
    field that needs a change.
    """

    code = serializers.CharField()
    message = serializers.CharField()
    fields = serializers.DictField()  # type: ignore[assignment]


class TooLarge(exceptions.APIException):
    """A body that is larger than is held in memory (HTTP 413)."""

    status_code = 413
    default_code = "too_large"
    default_detail = (
        f"The request body is limited to {settings.DATA_UPLOAD_MAX_MEMORY_SIZE >> 20} MB. Send smaller"
        " requests."
    )


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn whatever a view raised into the one form; None (a 500) for what no one foresaw."""
    if isinstance(error, Refusal):
        message = " ".join(part for part in (error.message, error.next_step) if part)
        return Response(
            {"code": error.code, "message": message, "fields": error.fields},
            status=error.status,
            headers=error.headers,
        )
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    response = exception_handler(error, context)
    if response is not None:
        response.data = {"code": code_of(error), "message": message_of(error), "fields": fields_of(error)}
    return response


def code_of(error: Exception) -> str:
    """A word for programs."""
    if isinstance(error, exceptions.ValidationError):
        return "invalid"
    if isinstance(error, Http404):
        return "not_found"
    if isinstance(error, PermissionDenied):
        return "permission_denied"
    return str(getattr(error, "default_code", "error"))


def message_of(error: Exception) -> str:
    """A sentence for people."""
    if isinstance(error, exceptions.ValidationError):
        return "Some fields are invalid."
    if isinstance(error, Http404 | exceptions.NotFound):
        return "Not found, or you don't have access."
    return str(getattr(error, "detail", "") or error) or "This is not allowed."


def fields_of(error: Exception) -> dict[str, Any]:
    """Messages by field, for input that does not fit."""
    if not isinstance(error, exceptions.ValidationError):
        return {}
    detail = error.detail
    return detail if isinstance(detail, dict) else {"non_field_errors": detail}
