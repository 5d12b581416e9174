"""Snapshots over REST."""

from __future__ import annotations

from uuid import UUID

from django.http import FileResponse
from django.urls import path, reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import actions, queries
from datasets_app.snapshots.actions.exports import MEDIA
from datasets_app.snapshots.actions.freezing import SEED, SHARES
from datasets_app.snapshots.models import Export, Snapshot
from lifecycle.jobs.api import JobOut
from lifecycle.ui.addresses import key_in
from registry.access.decorators import Needs
from registry.access.rest import IS_NUMBER, IS_UUID, Request, View, chosen
from registry.artifacts import actions as artifacts

PAGE = 30


class SharesIn(serializers.Serializer[object]):
    """Percent by split, 100 in all."""

    train = serializers.IntegerField(min_value=0, max_value=100)
    validation = serializers.IntegerField(min_value=0, max_value=100)
    test = serializers.IntegerField(min_value=0, max_value=100)


class FreezeIn(serializers.Serializer[object]):
    """How new items are divided. after: the number of the newest snapshot that you know, to be refused when there is a newer one."""

    seed = serializers.IntegerField(required=False, default=SEED)
    shares = SharesIn(required=False, default=SHARES)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=300)
    after = serializers.IntegerField(required=False, allow_null=True, default=None)
    slice = serializers.UUIDField(
        required=False,
        allow_null=True,
        default=None,
        source="slice_id",
        help_text="slice to limit the version to; null for all labelled items",
    )


class SnapshotOut(serializers.Serializer[Snapshot]):
    """A snapshot."""

    uuid = serializers.UUIDField()
    dataset = serializers.UUIDField(source="dataset.uuid")
    number = serializers.IntegerField()
    digest = serializers.CharField()
    test_digest = serializers.CharField()
    schema = serializers.UUIDField(source="schema.uuid")
    seed = serializers.IntegerField()
    shares = serializers.DictField(child=serializers.IntegerField())
    counts = serializers.DictField(
        help_text=(
            "rows, splits, labels; label_protocol: rows by label source, and agreement of annotators on their items, with "
            "coefficient, interval, items, and annotators; absent from versions created before this was recorded"
        )
    )
    leakage = serializers.DictField()
    filters_digest = serializers.CharField(help_text="slice it is limited to; empty for all labelled items")
    note = serializers.CharField()
    created_at = serializers.DateTimeField()


class SnapshotPageOut(serializers.Serializer[object]):
    """Up to 30 snapshots, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = SnapshotOut(many=True)
    before = serializers.IntegerField(allow_null=True)


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
    losses = serializers.ListField(child=serializers.DictField(), help_text="the same by reason: code and count")
    left_out = serializers.ListField(child=serializers.CharField(), help_text="the same as sentences")
    file_name = serializers.CharField()
    sha256 = serializers.CharField(source="blob.digest")
    size = serializers.IntegerField(source="blob.size")
    created_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField()

    def get_url(self, row: Export) -> str:
        """Where its bytes are."""
        return reverse("api-snapshot-file", args=[row.uuid])


class Snapshots(View):
    """The snapshots of your projects."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(
        operation_id="snapshots_list", responses=SnapshotPageOut,
        parameters=[OpenApiParameter("before", int), OpenApiParameter("dataset", UUID), OpenApiParameter("number", int)],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """List snapshots by keyset, or those of a dataset or with a number."""
        before = key_in(request.query_params)
        rows = queries.snapshots(request.user).filter(**chosen(request, dataset=("dataset__uuid", IS_UUID), number=("number", IS_NUMBER)))
        found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
        older = found[PAGE - 1].pk if len(found) > PAGE else None
        return Response({"results": SnapshotOut(found[:PAGE], many=True).data, "before": older})


class Freeze(View):
    """Freezing."""

    needs = {"POST": Needs("snapshots.freeze", Dataset, see="snapshots.view")}

    @extend_schema(operation_id="snapshots_freeze", request=FreezeIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have the decided items frozen; the answer is the job, whose subject is the dataset."""
        form = FreezeIn(data=request.data)
        form.is_valid(raise_exception=True)
        job = actions.freeze(dataset=datasets.get_dataset(request.user, uuid), actor=request.user, **form.validated_data)
        return Response(JobOut(job).data, status=202)


class OneSnapshot(View):
    """One snapshot."""

    needs = {"GET": Needs("snapshots.view", Snapshot)}

    @extend_schema(operation_id="snapshots_read", responses=SnapshotOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Its digests, counts and leakage report."""
        return Response(SnapshotOut(queries.get_snapshot(request.user, uuid)).data)


class Exports(View):
    """Files of a snapshot."""

    needs = {"GET": Needs("snapshots.view", Snapshot), "POST": Needs("snapshots.export", Snapshot, see="snapshots.view")}

    @extend_schema(operation_id="snapshots_exports", responses=ExportOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest 30 files."""
        rows = queries.get_snapshot(request.user, uuid).exports.select_related("blob").order_by("-id")[:PAGE]
        return Response(ExportOut(rows, many=True).data)

    @extend_schema(operation_id="snapshots_export", request=ExportIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have a file made; the answer is the job."""
        form = ExportIn(data=request.data)
        form.is_valid(raise_exception=True)
        job = actions.export(snapshot_id=uuid, actor=request.user, format=form.validated_data["format"])
        return Response(JobOut(job).data, status=202)


class ExportFile(View):
    """The bytes of a file."""

    needs = {"GET": Needs("snapshots.export", Export, see="snapshots.view")}

    @extend_schema(operation_id="snapshots_export_file", responses={(200, "*/*"): bytes})
    def get(self, request: Request, uuid: UUID) -> FileResponse:
        """As an attachment."""
        row = Export.objects.select_related("snapshot__dataset", "blob").get(uuid=uuid)
        return FileResponse(
            artifacts.open_blob(row.blob.digest), as_attachment=True, filename=row.file_name, content_type=MEDIA[row.format]
        )


urlpatterns = [
    path("snapshots/", Snapshots.as_view()),
    path("snapshots/<uuid:uuid>/", OneSnapshot.as_view()),
    path("snapshots/<uuid:uuid>/exports/", Exports.as_view()),
    path("snapshot-files/<uuid:uuid>/", ExportFile.as_view(), name="api-snapshot-file"),
    path("datasets/<uuid:uuid>/freeze/", Freeze.as_view()),
]
