"""Snapshots over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse
from django.urls import path, reverse
from rest_framework import serializers

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import actions, queries
from datasets_app.snapshots.actions.exports import MEDIA
from datasets_app.snapshots.actions.freezing import SEED, SHARES
from datasets_app.snapshots.models import Export, Snapshot
from lifecycle.ground.jobs.api import JobOut
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import (
    IS_NUMBER,
    IS_UUID,
    Filters,
    Request,
    RowOut,
    methods,
    operation,
    page_out,
)
from registry.ground.artifacts import actions as artifacts

PAGE = 30


FILTERS: Filters = {"dataset": ("dataset__uuid", IS_UUID), "number": ("number", IS_NUMBER)}


class SharesIn(serializers.Serializer[object]):
    """Percent by split, 100 in all."""

    train = serializers.IntegerField(min_value=0, max_value=100)
    validation = serializers.IntegerField(min_value=0, max_value=100)
    test = serializers.IntegerField(min_value=0, max_value=100)


class FreezeIn(serializers.Serializer[object]):
    """How new items are split. after: the number of the newest version you know; a newer one causes a
    conflict.
    """

    seed = serializers.IntegerField(required=False, default=SEED)
    shares = SharesIn(required=False, default=SHARES)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=300)
    after = serializers.IntegerField(required=False, allow_null=True, default=None)
    slice = serializers.UUIDField(
        required=False,
        allow_null=True,
        default=None,
        source="slice_id",
        help_text="slice to limit the version to; null for all labeled items",
    )


class SnapshotOut(RowOut[Snapshot]):
    """A snapshot."""

    seed = serializers.IntegerField()
    shares = serializers.DictField(child=serializers.IntegerField())
    counts = serializers.DictField(
        help_text=(
            "rows, splits, labels; label_protocol: rows by label source, and agreement of annotators on their"
            " items, with coefficient, interval, items, and annotators; absent from versions created before"
            " this was recorded"
        )
    )
    leakage = serializers.DictField()
    filters_digest = serializers.CharField(
        help_text="of the slice whose items it holds; empty where it holds every labeled item"
    )

    class Meta:
        model = Snapshot
        fields = [
            "uuid",
            "dataset",
            "number",
            "digest",
            "test_digest",
            "schema",
            "seed",
            "shares",
            "counts",
            "leakage",
            "filters_digest",
            "note",
            "created_at",
        ]


class ExportIn(serializers.Serializer[object]):
    """The kind of file."""

    format = serializers.ChoiceField(choices=Export.Format.choices)


class ExportOut(serializers.Serializer[Export]):
    """A file of a snapshot."""

    uuid = serializers.UUIDField()
    format = serializers.CharField()
    rows = serializers.IntegerField()
    neutralised = serializers.IntegerField()
    dropped = serializers.IntegerField(help_text="total of what the format can't represent")
    losses = serializers.ListField(
        child=serializers.DictField(), help_text="the same by reason: code and count"
    )
    left_out = serializers.ListField(child=serializers.CharField(), help_text="the same as sentences")
    file_name = serializers.CharField()
    sha256 = serializers.CharField(source="blob.digest")
    size = serializers.IntegerField(source="blob.size")
    created_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField()

    def get_url(self, row: Export) -> str:
        """The download URL."""
        return reverse("api-snapshot-file", args=[row.uuid])


@operation(
    "GET",
    "snapshots_list",
    Needs("signed_in"),
    gives=page_out(SnapshotOut, PAGE, "versions"),
    filters=FILTERS,
)
def snapshots(request: Request, given: dict[str, Any]) -> object:
    """List dataset versions by keyset, optionally of a dataset or with a number."""
    rows = queries.snapshots(request.user).filter(**given)
    return paging.page(rows, key_in(request.query_params), PAGE)


@operation(
    "POST",
    "snapshots_freeze",
    Needs("snapshots.create", Dataset, see="snapshots.view"),
    takes=FreezeIn,
    gives=JobOut,
    status=202,
)
def freeze(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Create a version of the labeled items; the response is the job, whose subject is the dataset."""
    return actions.freeze(dataset=datasets.get_dataset(request.user, uuid), actor=request.user, **given)


@operation("GET", "snapshots_read", Needs("snapshots.view", Snapshot), gives=SnapshotOut)
def one_snapshot(request: Request, uuid: UUID) -> object:
    """Its digests, counts, and leakage report."""
    return queries.get_snapshot(request.user, uuid)


@operation("GET", "snapshots_exports", Needs("snapshots.view", Snapshot), gives=ExportOut(many=True))
def exports(request: Request, uuid: UUID) -> object:
    """The newest 30 exports."""
    return queries.get_snapshot(request.user, uuid).exports.select_related("blob").order_by("-id")[:PAGE]


@operation(
    "POST",
    "snapshots_export",
    Needs("snapshots.export", Snapshot, see="snapshots.view"),
    takes=ExportIn,
    gives=JobOut,
    status=202,
)
def export(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Create an export; the response is the job."""
    return actions.export(snapshot_id=uuid, actor=request.user, format=given["format"])


@operation(
    "GET",
    "snapshots_export_file",
    Needs("snapshots.export", Export, see="snapshots.view"),
    gives={(200, "*/*"): bytes},
)
def export_file(request: Request, uuid: UUID) -> FileResponse:
    """As an attachment."""
    row = Export.objects.select_related("snapshot__dataset", "blob").get(uuid=uuid)
    return FileResponse(
        artifacts.open_blob(row.blob.digest),
        as_attachment=True,
        filename=row.file_name,
        content_type=MEDIA[row.format],
    )


urlpatterns = [
    path("dataset-versions/", snapshots),
    path("dataset-versions/<uuid:uuid>/", one_snapshot),
    path("dataset-versions/<uuid:uuid>/exports/", methods(exports, export)),
    path("dataset-version-files/<uuid:uuid>/", export_file, name="api-snapshot-file"),
    path("datasets/<uuid:uuid>/dataset-versions/", freeze),
]
