"""Choosing items, and slices, over REST: the same filters, actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse
from django.urls import path, reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets import actions, ports, queries
from datasets_app.datasets.api import ItemOut
from datasets_app.datasets.models import Dataset, Export, Slice
from datasets_app.datasets.selection import Selection
from lifecycle.jobs.api import JobOut
from lifecycle.ui.addresses import key_in
from registry.access import policy
from registry.access.decorators import Needs
from registry.access.rest import Request, View, read
from registry.artifacts import actions as artifacts

NOT_FILTERS = ("before", "format", "slice")
FILTERS = [
    OpenApiParameter(name, str, description=f"{each.group}: {each.title}") for each in ports.item_filters() for name in each.names
]  # fmt: skip


class ItemPageOut(serializers.Serializer[object]):
    """Up to 30 items, newest first. before: give it as ?before= to get the next page; null on the last.

    stopped: the page ended early, after two seconds of looking; the next one continues from there.
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


class SliceOut(serializers.Serializer[Slice]):
    """A slice. filters: empty for those who may not read texts. size: items when it was counted last; null where it never was."""

    uuid = serializers.UUIDField()
    dataset = serializers.UUIDField(source="dataset.uuid")
    name = serializers.CharField()
    description = serializers.CharField()
    filters = serializers.SerializerMethodField()
    shared = serializers.BooleanField()
    created_by = serializers.UUIDField(source="created_by.uuid")
    created_at = serializers.DateTimeField()
    size = serializers.IntegerField(allow_null=True)
    counted_at = serializers.DateTimeField(allow_null=True)

    def get_filters(self, row: Slice) -> dict[str, str]:
        """What it looks for may be words of texts."""
        return dict(row.filters) if self.context["may_read"] else {}


def slice_out(request: Request, row: Slice) -> dict[str, Any]:
    """A slice as the person may see it."""
    may_read = policy.can(request.user, "datasets.read_samples", row.dataset)
    return dict(SliceOut(row, context={"may_read": may_read}).data)


class SlicePageOut(serializers.Serializer[object]):
    """Up to 30 slices, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = SliceOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class CountOut(serializers.Serializer[object]):
    """The slice as it is counted; where that takes longer, the job that counts it."""

    slice = SliceOut()
    job = JobOut(allow_null=True)


class ItemExportIn(serializers.Serializer[object]):
    """What goes into a file. filters: value by name, as the list of items takes them. slice: whose filters they are added to."""

    filters = serializers.DictField(child=serializers.CharField(max_length=200), required=False, default=dict)
    slice = serializers.UUIDField(required=False, allow_null=True, default=None)


class ItemExportOut(serializers.Serializer[Export]):
    """A CSV file of items that you asked for. words: its filters, as they were called then; both empty where you may not export texts."""

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
        """What was looked for may be words of texts."""
        return dict(row.filters) if self.context["may_export"] else {}

    def get_words(self, row: Export) -> str:
        """So may these."""
        return row.words if self.context["may_export"] else ""

    def get_url(self, row: Export) -> str:
        """Where its bytes are."""
        return reverse("api-item-file", args=[row.uuid])


def chosen(request: Request, dataset: Dataset) -> Selection:
    """What the address or its slice chooses. Raises ValidationError naming every filter that is unknown or does not hold."""
    given = {name: value for name, value in request.query_params.dict().items() if name not in NOT_FILTERS}
    if word := request.query_params.get("slice"):
        uuid = serializers.UUIDField().run_validation(word)
        given = queries.get_slice(request.user, uuid).filters | given
    selection = Selection(dataset, request.user, given, whole=True)
    if not selection.holds:
        raise serializers.ValidationError({name: [problem] for name, problem in selection.problems.items()})
    return selection


class Items(View):
    """The visible items of a dataset."""

    needs = {"GET": Needs("datasets.view", Dataset)}

    @extend_schema(
        operation_id="datasets_items", responses=ItemPageOut,
        parameters=[OpenApiParameter("before", int), OpenApiParameter("slice", UUID), *FILTERS],
    )  # fmt: skip
    def get(self, request: Request, uuid: UUID) -> Response:
        """List items by keyset, with any filters together."""
        selection = chosen(request, queries.get_dataset(request.user, uuid))
        page = selection.page(before=key_in(request.query_params))
        context = {"may_read": "q" in selection.form.fields}
        results = ItemOut(page.items, many=True, context=context).data
        return Response({"results": results, "before": page.before, "stopped": page.stopped})


class ItemExports(View):
    """Files of the items of a dataset that you asked for."""

    needs = {"GET": Needs("datasets.view", Dataset), "POST": Needs("datasets.export", Dataset, see="datasets.view")}

    @extend_schema(operation_id="datasets_exports", responses=ItemExportOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest 20 files."""
        dataset = queries.get_dataset(request.user, uuid)
        context = {"may_export": policy.can(request.user, "datasets.export", dataset)}
        return Response(ItemExportOut(queries.exports(request.user, dataset), many=True, context=context).data)

    @extend_schema(operation_id="datasets_export", request=ItemExportIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have the items that filters choose written as CSV; the answer is the job."""
        asked = read(ItemExportIn, request.data)
        kept = queries.get_slice(request.user, asked["slice"]).filters if asked["slice"] else {}
        job = actions.export_items(dataset_id=uuid, actor=request.user, filters=kept | asked["filters"])
        return Response(JobOut(job).data, status=202)


class ItemFile(View):
    """The bytes of a file."""

    needs = {"GET": Needs("datasets.export", Export, see="datasets.view")}

    @extend_schema(operation_id="datasets_export_file", responses={(200, "*/*"): bytes})
    def get(self, request: Request, uuid: UUID) -> FileResponse:
        """As an attachment."""
        row = queries.get_export(request.user, uuid)
        return FileResponse(
            artifacts.open_blob(row.blob.digest), as_attachment=True, filename=row.file_name, content_type=actions.EXPORT_MEDIA
        )


class Slices(View):
    """The slices of a dataset: yours, and what others share."""

    needs = {"GET": Needs("datasets.view", Dataset), "POST": Needs("datasets.slice", Dataset, see="datasets.view")}

    @extend_schema(operation_id="datasets_slices", responses=SlicePageOut, parameters=[OpenApiParameter("before", int)])
    def get(self, request: Request, uuid: UUID) -> Response:
        """List them by keyset."""
        rows, before = queries.slices(request.user).filter(dataset__uuid=uuid), key_in(request.query_params)
        found = list((rows.filter(pk__lt=before) if before else rows)[: queries.PAGE + 1])
        older = found[queries.PAGE - 1].pk if len(found) > queries.PAGE else None
        may_read = policy.can(request.user, "datasets.read_samples", queries.get_dataset(request.user, uuid))
        results = SliceOut(found[: queries.PAGE], many=True, context={"may_read": may_read}).data
        return Response({"results": results, "before": older})

    @extend_schema(operation_id="datasets_save_slice", request=SliceIn, responses={201: SliceOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Keep filters under a name."""
        row = actions.save_slice(dataset_id=uuid, actor=request.user, **read(SliceIn, request.data))
        return Response(slice_out(request, row), status=201)


class OneSlice(View):
    """One slice."""

    needs = {
        "GET": Needs("datasets.view", Slice), "PUT": Needs("datasets.slice", Slice, see="datasets.view"),
        "DELETE": Needs("datasets.slice", Slice, see="datasets.view"),
    }  # fmt: skip

    @extend_schema(operation_id="datasets_slice", responses=SliceOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Its filters."""
        return Response(slice_out(request, queries.get_slice(request.user, uuid)))

    @extend_schema(operation_id="datasets_change_slice", request=SliceChangeIn, responses=SliceOut)
    def put(self, request: Request, uuid: UUID) -> Response:
        """Rename, describe or share it."""
        queries.get_slice(request.user, uuid)
        row: dict[str, Any] = read(SliceChangeIn, request.data)
        return Response(slice_out(request, actions.change_slice(slice_id=uuid, actor=request.user, **row)))

    @extend_schema(operation_id="datasets_delete_slice", responses={204: None})
    def delete(self, request: Request, uuid: UUID) -> Response:
        """Forget its filters; the items stay."""
        queries.get_slice(request.user, uuid)
        actions.delete_slice(slice_id=uuid, actor=request.user)
        return Response(status=204)


class CountSlice(View):
    """Counting a slice."""

    needs = {"POST": Needs("datasets.slice", Slice, see="datasets.view")}

    @extend_schema(operation_id="datasets_count_slice", request=None, responses=CountOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Count what it chooses now: at once, or by the job that is answered."""
        queries.get_slice(request.user, uuid)
        job = actions.count_slice(slice_id=uuid, actor=request.user)
        row = queries.get_slice(request.user, uuid)
        return Response({"slice": slice_out(request, row), "job": JobOut(job).data if job else None})


urlpatterns = [
    path("datasets/<uuid:uuid>/items/", Items.as_view()),
    path("datasets/<uuid:uuid>/item-exports/", ItemExports.as_view()),
    path("item-files/<uuid:uuid>/", ItemFile.as_view(), name="api-item-file"),
    path("datasets/<uuid:uuid>/slices/", Slices.as_view()),
    path("slices/<uuid:uuid>/", OneSlice.as_view()),
    path("slices/<uuid:uuid>/count/", CountSlice.as_view()),
]
