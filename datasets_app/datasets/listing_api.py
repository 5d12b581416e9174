"""Filtered items and slices over REST: the same filters, actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse
from django.urls import path, reverse
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets import actions, ports, queries
from datasets_app.datasets.api import ItemOut
from datasets_app.datasets.models import Dataset, Export, Slice
from datasets_app.datasets.selection import Selection
from lifecycle.ground.jobs.api import JobOut
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import BEFORE, Request, RowOut, methods, operation, page_out, read
from registry.ground.artifacts import actions as artifacts

NOT_FILTERS = ("before", "format", "slice")
FILTERS = [
    OpenApiParameter(name, str, description=f"{each.group}: {each.title}")
    for each in ports.item_filters()
    for name in each.names
]


class ItemPageOut(serializers.Serializer[object]):
    """Up to 30 items, newest first. before: give it as ?before= to get the next page; null on the last.

    stopped: the page ended early, after two seconds; the next one continues from there.
    """

    results = ItemOut(many=True)
    before = serializers.IntegerField(allow_null=True)
    stopped = serializers.BooleanField()


class SliceIn(serializers.Serializer[object]):
    """A new slice. filters: value by name, as the list of items takes them."""

    name = serializers.CharField(max_length=80)
    description = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    shared = serializers.BooleanField(required=False, default=False)
    filters = serializers.DictField(child=serializers.CharField(max_length=200))


class SliceChangeIn(serializers.Serializer[object]):
    """What can be changed of a slice; its filters stay."""

    name = serializers.CharField(max_length=80)
    description = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    shared = serializers.BooleanField(required=False, default=False)


class SliceOut(RowOut[Slice]):
    """A slice. filters: empty if you may not read texts. size: items at the last count; null: never
    counted.
    """

    filters = serializers.SerializerMethodField()
    size = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Slice
        fields = [
            "uuid",
            "dataset",
            "name",
            "description",
            "filters",
            "shared",
            "created_by",
            "created_at",
            "size",
            "counted_at",
        ]

    def get_filters(self, row: Slice) -> dict[str, str]:
        """Filters may contain words of texts."""
        return dict(row.filters) if self.context["may_read"] else {}


def slice_out(request: Request, row: Slice) -> dict[str, Any]:
    """A slice as the person may see it."""
    may_read = policy.can(request.user, "datasets.read_samples", row.dataset)
    return dict(SliceOut(row, context={"may_read": may_read}).data)


class CountOut(serializers.Serializer[object]):
    """The slice with its count; if that takes longer, the job that counts it."""

    slice = SliceOut()
    job = JobOut(allow_null=True)


class ItemExportIn(serializers.Serializer[object]):
    """What to export. filters: value by name, as in the list of items. slice: its filters are applied,
    too.
    """

    filters = serializers.DictField(child=serializers.CharField(max_length=200), required=False, default=dict)
    slice = serializers.UUIDField(required=False, allow_null=True, default=None)


class ItemExportOut(serializers.Serializer[Export]):
    """A CSV file of items that you requested. words: description of its filters at that time; both empty if
    you may not export texts.
    """

    uuid = serializers.UUIDField()
    filters = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField()
    items = serializers.IntegerField()
    neutralised = serializers.IntegerField()
    sha256 = serializers.CharField(source="blob.digest")
    size = serializers.IntegerField(source="blob.size")
    created_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField()

    def get_filters(self, row: Export) -> dict[str, str]:
        """Filters may contain words of texts."""
        return dict(row.filters) if self.context["may_export"] else {}

    def get_words(self, row: Export) -> str:
        """The description may contain words of texts."""
        return row.words if self.context["may_export"] else ""

    def get_url(self, row: Export) -> str:
        """Where its bytes are."""
        return reverse("api-item-file", args=[row.uuid])


def chosen(request: Request, dataset: Dataset) -> Selection:
    """The selection of the URL and its slice. Raises ValidationError naming every unknown or invalid
    filter.
    """
    given = {name: value for name, value in request.query_params.dict().items() if name not in NOT_FILTERS}
    if word := request.query_params.get("slice"):
        uuid = serializers.UUIDField().run_validation(word)
        given = queries.get_slice(request.user, uuid).filters | given
    selection = Selection(dataset, request.user, given, whole=True)
    if not selection.is_valid:
        raise serializers.ValidationError({name: [problem] for name, problem in selection.problems.items()})
    return selection


@operation(
    "GET",
    "datasets_items",
    Needs("datasets.view", Dataset),
    gives=ItemPageOut,
    parameters=[OpenApiParameter("before", int), OpenApiParameter("slice", UUID), *FILTERS],
)
def list_items(request: Request, uuid: UUID) -> Response:
    """List items by keyset, with any filters together."""
    selection = chosen(request, queries.get_dataset(request.user, uuid))
    page = selection.page(before=key_in(request.query_params))
    context = {"may_read": "q" in selection.form.fields}
    results = ItemOut(page.items, many=True, context=context).data
    return Response({"results": results, "before": page.before, "stopped": page.stopped})


@operation("GET", "datasets_exports", Needs("datasets.view", Dataset), gives=ItemExportOut(many=True))
def item_exports(request: Request, uuid: UUID) -> Response:
    """The newest 20 files."""
    dataset = queries.get_dataset(request.user, uuid)
    context = {"may_export": policy.can(request.user, "datasets.export", dataset)}
    return Response(ItemExportOut(queries.exports(request.user, dataset), many=True, context=context).data)


@operation(
    "POST",
    "datasets_export",
    Needs("datasets.export", Dataset, see="datasets.view"),
    takes=ItemExportIn,
    gives=JobOut,
    status=202,
)
def export_items(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Start a job that writes filtered items as CSV; returns the job."""
    kept = queries.get_slice(request.user, given["slice"]).filters if given["slice"] else {}
    return actions.export_items(dataset_id=uuid, actor=request.user, filters=kept | given["filters"])


@operation(
    "GET",
    "datasets_export_file",
    Needs("datasets.export", Export, see="datasets.view"),
    gives={(200, "*/*"): bytes},
)
def item_file(request: Request, uuid: UUID) -> FileResponse:
    """As an attachment."""
    row = queries.get_export(request.user, uuid)
    return FileResponse(
        artifacts.open_blob(row.blob.digest),
        as_attachment=True,
        filename=row.file_name,
        content_type=actions.EXPORT_MEDIA,
    )


@operation(
    "GET",
    "datasets_slices",
    Needs("datasets.view", Dataset),
    gives=page_out(SliceOut, queries.PAGE, "slices"),
    parameters=[BEFORE],
)
def slices(request: Request, uuid: UUID) -> Response:
    """List them by keyset."""
    rows = queries.slices(request.user).filter(dataset__uuid=uuid)
    may_read = policy.can(request.user, "datasets.read_samples", queries.get_dataset(request.user, uuid))
    found, older = paging.page(rows, key_in(request.query_params), queries.PAGE)
    return Response(
        {"results": SliceOut(found, many=True, context={"may_read": may_read}).data, "before": older}
    )


@operation(
    "POST",
    "datasets_save_slice",
    Needs("datasets.slice", Dataset, see="datasets.view"),
    takes=SliceIn,
    gives=SliceOut,
    status=201,
)
def save_slice(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Save filters under a name."""
    row = actions.save_slice(dataset_id=uuid, actor=request.user, **given)
    return Response(slice_out(request, row), status=201)


@operation("GET", "datasets_slice", Needs("datasets.view", Slice), gives=SliceOut)
def one_slice(request: Request, uuid: UUID) -> Response:
    """Its filters."""
    return Response(slice_out(request, queries.get_slice(request.user, uuid)))


@operation(
    "PUT",
    "datasets_change_slice",
    Needs("datasets.slice", Slice, see="datasets.view"),
    body=SliceChangeIn,
    gives=SliceOut,
)
def change_slice(request: Request, uuid: UUID) -> Response:
    """Rename, describe or share it."""
    queries.get_slice(request.user, uuid)
    row = actions.change_slice(slice_id=uuid, actor=request.user, **read(SliceChangeIn, request.data))
    return Response(slice_out(request, row))


@operation(
    "DELETE",
    "datasets_delete_slice",
    Needs("datasets.slice", Slice, see="datasets.view"),
    gives=None,
    status=204,
)
def delete_slice(request: Request, uuid: UUID) -> Response:
    """Delete a slice; its items stay."""
    queries.get_slice(request.user, uuid)
    actions.delete_slice(slice_id=uuid, actor=request.user)
    return Response(status=204)


@operation(
    "POST", "datasets_count_slice", Needs("datasets.slice", Slice, see="datasets.view"), gives=CountOut
)
def count_slice(request: Request, uuid: UUID) -> Response:
    """Count its items: directly, or in the job that is returned."""
    queries.get_slice(request.user, uuid)
    job = actions.count_slice(slice_id=uuid, actor=request.user)
    row = queries.get_slice(request.user, uuid)
    return Response({"slice": slice_out(request, row), "job": JobOut(job).data if job else None})


urlpatterns = [
    path("datasets/<uuid:uuid>/items/", list_items),
    path("datasets/<uuid:uuid>/item-exports/", methods(item_exports, export_items)),
    path("item-files/<uuid:uuid>/", item_file, name="api-item-file"),
    path("datasets/<uuid:uuid>/slices/", methods(slices, save_slice)),
    path("slices/<uuid:uuid>/", methods(one_slice, change_slice, delete_slice)),
    path("slices/<uuid:uuid>/count/", count_slice),
]
