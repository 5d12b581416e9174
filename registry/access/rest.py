"""The base of all API views: the same permissions as the pages, plus the scope of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import request as rest_framework_request
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.views import APIView

from registry.access import scopes
from registry.access.decorators import Needs
from registry.access.models import ApiToken, User
from registry.access.scopes import Scope


class Request(rest_framework_request.Request):
    """What an API view gets: the user is one of ours, since every view asks for authentication."""

    if TYPE_CHECKING:
        user: User  # type: ignore[assignment]


class View(APIView):
    """needs: what each method needs, as in pages; a method that it does not name is no one's. scope: the token scope for changing
    methods, where it is not that of the view's room (`scopes.needed`); None where tokens are not allowed at all.
    """

    http_method_names = ("get", "head", "post", "put", "patch", "delete")  # the description of the API says what `options` would
    needs: ClassVar[dict[str, Needs]] = {}
    scope: ClassVar[str | None] = ""

    def initial(self, request: rest_framework_request.Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, throttle, check the token's scope, then what the method needs on the object named by the URL."""
        super().initial(request, *args, **kwargs)
        self.check_scope(request)
        method = "GET" if request.method == "HEAD" else request.method or ""  # HEAD is answered by `get`, so it needs as much
        if need := self.needs.get(method):
            need.check(request.user, kwargs)
        elif method.lower() in self.http_method_names and hasattr(self, method.lower()):
            raise PermissionDenied("This method isn't available.")

    def finalize_response(self, request: rest_framework_request.Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """No cache keeps an answer: it may hold texts."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "private, no-store")
        return answer

    def check_scope(self, request: rest_framework_request.Request) -> None:
        """Raises PermissionDenied for a token that does not carry the scope; sessions carry all."""
        if not isinstance(request.auth, ApiToken):
            return
        if (wanted := self.scope_for(request.method or "")) is None:
            raise PermissionDenied("API tokens can't do this. Sign in and confirm your password.")
        if wanted not in request.auth.scopes:
            raise PermissionDenied(f"This token lacks the scope {wanted}.")

    @classmethod
    def scope_for(cls, method: str) -> str | None:
        """The scope that a token needs for a method; None where tokens are not allowed at all."""
        if cls.scope is None:
            return None
        if method in ("GET", "HEAD", "OPTIONS"):
            return Scope.READ
        need = cls.needs.get(method)
        return cls.scope or scopes.needed(cls.__module__.split(".")[1], need.action if need else "signed_in")


def read(shape: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """What was sent, by shape. Raises ValidationError."""
    form = shape(data=data)
    form.is_valid(raise_exception=True)
    given: dict[str, Any] = form.validated_data
    return given


IS_NUMBER = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
IS_SLUG = serializers.CharField(max_length=80)
IS_UUID = serializers.UUIDField()


def chosen(request: rest_framework_request.Request, **filters: tuple[str, serializers.Field[Any, Any, Any, Any]]) -> dict[str, Any]:
    """The lookups of a list's filters that the address gives. filters: name in the address → (lookup, field that reads the value).

    Raises ValidationError naming every filter whose value cannot be read.
    """
    found, wrong = {}, {}
    for name, (lookup, field) in filters.items():
        if word := request.query_params.get(name, ""):
            try:
                found[lookup] = field.run_validation(word)
            except serializers.ValidationError as error:
                wrong[name] = error.detail
    if wrong:
        raise serializers.ValidationError(wrong)
    return found
