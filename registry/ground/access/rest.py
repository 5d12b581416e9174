"""The base of all API views: the same permissions as the pages, plus the scope of a token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar
from uuid import UUID

from django.apps import apps
from django.db import models
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import request as rest_framework_request
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import BaseParser
from rest_framework.response import Response
from rest_framework.views import APIView

from registry.ground.access import scopes
from registry.ground.access.decorators import Needs
from registry.ground.access.models import ApiToken, User
from registry.ground.access.scopes import Scope


class Request(rest_framework_request.Request):
    """What an API view gets: the user is one of ours, since every view asks for authentication."""

    if TYPE_CHECKING:
        user: User  # type: ignore[assignment]


class View(APIView):
    """needs: what each method needs, as in pages; a method that it does not name is no one's. scope: the
    token scope for changing methods, where it is not that of the view's room (`scopes.needed`); None where
    tokens are not allowed at all.
    """

    # the description of the API says what `options` would
    http_method_names = ("get", "head", "post", "put", "patch", "delete")
    needs: ClassVar[dict[str, Needs]] = {}
    scope: ClassVar[str | None] = ""

    def initial(self, request: rest_framework_request.Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, throttle, check the token's scope, then what the method needs on the object named by
        the URL.
        """
        super().initial(request, *args, **kwargs)
        self.check_scope(request)
        # HEAD is answered by `get`, so it needs as much
        method = "GET" if request.method == "HEAD" else request.method or ""
        if need := self.needs.get(method):
            need.check(request.user, kwargs)
        elif method.lower() in self.http_method_names and hasattr(self, method.lower()):
            raise PermissionDenied("This method isn't available.")

    def finalize_response(
        self, request: rest_framework_request.Request, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
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
        room = apps.get_containing_app_config(cls.__module__)
        return cls.scope or scopes.needed(room.label if room else "", need.action if need else "signed_in")


M = TypeVar("M", bound=models.Model)
Answer = Callable[..., object]
Shape = type[serializers.Serializer[Any]]


class Operation(Protocol):
    """A view of one address."""

    cls: type[View]

    def __call__(self, request: HttpRequest, **named: Any) -> HttpResponseBase:
        """The answer to a request."""


def operation(
    method: str,
    name: str,
    need: Needs,
    *,
    takes: Shape | None = None,
    body: Shape | None = None,
    filters: Filters | None = None,
    gives: Any = None,
    status: int = 200,
    scope: str | None = "",
    parsers: Sequence[type[BaseParser]] = (),
    **described: Any,
) -> Callable[[Answer], Operation]:
    """Make a function the view of one method of an address: it gets the request, what the address names, and
    what was sent as `given`.

    Scope, permission, and what is sent are checked before, in this order. name: the operation's id. takes:
    the shape of what is sent, in the query of a GET, else in the body; body: that of a body which the
    function reads itself; filters: of a list, whose lookups are then `given`. gives: the shape that shows
    what the function returns, where that is no response yet. parsers: of the body, where it isn't JSON or a
    form. described: more for `extend_schema`.
    """

    def decorate(answer: Answer) -> Operation:
        def handle(self: View, request: rest_framework_request.Request, **named: Any) -> HttpResponseBase:
            if takes:
                named["given"] = read(takes, request.query_params if method == "GET" else request.data)
            elif filters:
                named["given"] = chosen(request, **filters)
            found = answer(request, **named)
            if isinstance(found, HttpResponseBase):
                return found
            many = isinstance(gives, serializers.ListSerializer)
            return Response((gives.child.__class__ if many else gives)(found, many=many).data, status=status)

        handle.__doc__ = answer.__doc__
        if method == "GET" and (takes or filters):
            described["parameters"] = [takes] if takes else parameters(filters or {})
        sent = body if method == "GET" else takes or body
        answers = gives if isinstance(gives, dict) else {status: gives}
        member = extend_schema(operation_id=name, request=sent, responses=answers, **described)(handle)
        members = {method.lower(): member, "needs": {method: need}, "scope": scope}
        return view(answer, (View,), members | ({"parser_classes": parsers} if parsers else {}))

    return decorate


def methods(*operations: Operation) -> Operation:
    """The view of an address that answers several methods, all with the same scope of tokens. Raises
    ValueError.
    """
    parts = [each.cls for each in operations]
    if len({part.scope for part in parts}) != 1:
        raise ValueError("These operations take tokens of different scopes.")
    return view(
        parts[0],
        tuple(parts),
        {"needs": {method: need for part in parts for method, need in part.needs.items()}},
    )


def view(named_as: Any, bases: tuple[type[View], ...], members: dict[str, Any]) -> Operation:
    """A view class as Django calls it. Its module is the room's, which names the scope that tokens need."""
    members |= {"__module__": named_as.__module__, "__doc__": named_as.__doc__}
    made: Any = type(named_as.__name__, bases, members)
    return made.as_view()


class RowOut(serializers.ModelSerializer[M]):
    """A row as its model has it, to be read: a column by its type, a foreign key by the uuid of what it
    names.
    """

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.SlugField: serializers.CharField
    }

    def get_field_names(self, declared_fields: Any, info: Any) -> list[str]:
        """Those of `Meta.fields`, then those that a class below adds."""
        return list(dict.fromkeys([*self.Meta.fields, *declared_fields]))  # type: ignore[attr-defined]

    def get_uniqueness_extra_kwargs(
        self, field_names: Any, declared_fields: Any, extra_kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """None: nothing is unique for those who read."""
        return extra_kwargs, {}

    def build_standard_field(
        self, field_name: str, model_field: Any
    ) -> tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]:
        """Its type, and whether it may be null; what only matters for input is left out."""
        return self.serializer_field_mapping[type(model_field)], (
            {"allow_null": True} if model_field.null else {}
        )

    def build_relational_field(
        self, field_name: str, relation_info: Any
    ) -> tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]:
        """The uuid of the row that it names."""
        absent = {"default": None, "allow_null": True} if relation_info.model_field.null else {}
        return serializers.UUIDField, {"source": f"{field_name}.uuid"} | absent


def read(shape: Shape, data: Any) -> dict[str, Any]:
    """What was sent, by shape. Raises ValidationError."""
    form = shape(data=data)
    form.is_valid(raise_exception=True)
    given: dict[str, Any] = form.validated_data
    return given


IS_NUMBER = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
IS_SLUG = serializers.CharField(max_length=80)
IS_UUID = serializers.UUIDField()
TYPES = {serializers.IntegerField: int, serializers.CharField: str, serializers.UUIDField: UUID}
BEFORE = OpenApiParameter("before", int)
# the lookup of a name in the address, and the field that reads its value
Filter = tuple[str, serializers.Field[Any, Any, Any, Any]]
Filters = dict[str, Filter]


def parameters(filters: Filters) -> list[OpenApiParameter]:
    """The description of a list's URL."""
    return [BEFORE, *(parameter(name, field) for name, (_, field) in filters.items())]


def parameter(name: str, field: serializers.Field[Any, Any, Any, Any]) -> OpenApiParameter:
    """The description of one filter."""
    if isinstance(field, serializers.ChoiceField):
        return OpenApiParameter(name, str, enum=list(field.choices))
    return OpenApiParameter(name, TYPES[type(field)])


def chosen(request: rest_framework_request.Request, **filters: Filter) -> dict[str, Any]:
    """The lookups of a list's filters that the address gives. Raises ValidationError naming every filter
    whose value cannot be read.
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


class PageOut(serializers.Serializer[Any]):
    """One page of a list, which is its rows and the key to go on before."""

    def to_representation(self, instance: tuple[Iterable[Any], object | None]) -> Any:
        """As the fields of its shape."""
        return super().to_representation(dict(zip(("results", "before"), instance, strict=True)))


def page_out(
    shape: Shape,
    size: int,
    rows: str,
    *,
    name: str = "",
    key: type[serializers.Field[Any, Any, Any, Any]] = serializers.IntegerField,
) -> Shape:
    """The shape of one page of a list. rows: what it lists. name: in the API's description, where not that of
    the row's shape.
    """
    text = (
        f"Up to {size} {rows}, newest first. before: pass it as ?before= for the next page; null on the last."
    )
    fields = {"results": shape(many=True), "before": key(allow_null=True)}
    return type(
        name or f"{shape.__name__.removesuffix('Out')}PageOut", (PageOut,), {"__doc__": text, **fields}
    )
