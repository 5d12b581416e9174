"""Datasets, uploads and items over REST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.response import Response

from datasets_app.datasets import actions, queries
from datasets_app.datasets.importing import label_config
from datasets_app.datasets.importing.readers import DELIMITERS, ENCODINGS, PARSERS
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import SPLITS, Provenance, UploadState
from lifecycle.ground.jobs.api import JobOut
from lifecycle.runtime.task_types.by_key import types
from lifecycle.runtime.task_types.columns import Role
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.models import Project
from registry.ground.access.rest import (
    IS_SLUG,
    IS_UUID,
    Filters,
    Request,
    RowOut,
    methods,
    operation,
    page_out,
    read,
)

CHUNK = 1 << 20


class RawParser(BaseParser):
    """The body as it is: a file that is streamed, never held in memory."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The stream itself."""
        return stream


def sent_file(request: Request) -> tuple[str, Iterator[bytes]]:
    """The name in the query and the raw body in pieces, of an operation with `parsers=[RawParser]`."""
    stream = request.stream or request._request
    name = unquote(request.query_params.get("name", "")) or "file"
    return name, iter(lambda: stream.read(CHUNK), b"")


class DatasetIn(serializers.Serializer[object]):
    """A new dataset."""

    project = serializers.UUIDField()
    name = serializers.CharField(max_length=80)
    task = serializers.ChoiceField(choices=types.choices(), required=False, default=types.DEFAULT)
    description = serializers.CharField(required=False, default="", allow_blank=True)
    language = serializers.CharField(required=False, default="", allow_blank=True, max_length=20)
    licence = serializers.CharField(required=False, default="", allow_blank=True, max_length=80)
    config = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=label_config.LIMIT,
        help_text="Label Studio labeling configuration as XML: overrides the task; its labels are published",
    )


class DatasetOut(RowOut[Dataset]):
    """A dataset."""

    task = serializers.ChoiceField(choices=types.choices())
    items = serializers.IntegerField(source="items_total")

    class Meta:
        model = Dataset
        fields = [
            "uuid",
            "project",
            "slug",
            "name",
            "description",
            "task",
            "language",
            "licence",
            "items",
            "created_at",
        ]


class ProvenanceOut(serializers.Serializer[Provenance]):
    """Where the texts of a file come from, from the uploader."""

    origin = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    collected_from = serializers.DateField(required=False, default=None, allow_null=True)
    collected_until = serializers.DateField(required=False, default=None, allow_null=True)
    collected_how = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    licence = serializers.CharField(required=False, default="", allow_blank=True, max_length=80)
    consent = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    synthetic = serializers.BooleanField(required=False, default=False)
    generator = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=200,
        help_text="program or model that made synthetic texts",
    )


class UploadOut(RowOut[Upload]):
    """An upload, its parsing settings, and the results of its dry run or import."""

    size = serializers.IntegerField()
    provenance = ProvenanceOut()
    sha256 = serializers.CharField(source="blob.digest")
    state = serializers.ChoiceField(choices=UploadState.choices)
    mapping = serializers.DictField(child=serializers.CharField())
    label_values = serializers.DictField(
        child=serializers.CharField(), help_text="what values of the label column become"
    )
    contradicting = serializers.CharField(
        help_text="what happens to texts with conflicting labels; empty: they block the import"
    )
    report = serializers.DictField()
    looking = serializers.SerializerMethodField(help_text="whether a job is checking the file")
    seen = serializers.SerializerMethodField(help_text="token to send with the acceptance")
    rows_read = serializers.IntegerField()
    rows_new = serializers.IntegerField()
    rows_duplicate = serializers.IntegerField()
    rows_failed = serializers.IntegerField()

    class Meta:
        model = Upload
        fields = [
            "uuid", "dataset", "file_name", "size", "provenance", "sha256", "state", "encoding", "parser",
            "delimiter", "has_header", "mapping", "label_values", "contradicting", "default_split",
            "labels_as", "report", "looking", "seen", "rows_read", "rows_new", "rows_duplicate",
            "rows_failed",
        ]  # fmt: skip

    def get_looking(self, upload: Upload) -> bool:
        """Whether a dry run is queued or running."""
        return queries.is_being_checked(upload)

    def get_seen(self, upload: Upload) -> str:
        """The digest to accept."""
        return queries.seen_digest(upload)


class ReadingIn(serializers.Serializer[object]):
    """How to parse the file. Without a mapping, column roles are proposed again."""

    encoding = serializers.ChoiceField(choices=list(ENCODINGS), required=False, default="")
    parser = serializers.ChoiceField(choices=list(PARSERS), required=False, default="")
    delimiter = serializers.ChoiceField(choices=list(DELIMITERS), required=False, default="")
    has_header = serializers.BooleanField(required=False, allow_null=True, default=None)
    default_split = serializers.ChoiceField(
        choices=list(SPLITS), required=False, allow_blank=True, default=""
    )
    contradicting = serializers.ChoiceField(
        choices=Upload.Contradicting.choices,
        required=False,
        allow_blank=True,
        allow_null=True,
        default=None,
        help_text="for texts with conflicting labels, where no annotator column is mapped",
    )
    mapping = serializers.DictField(
        child=serializers.ChoiceField(choices=[(role.value, role.words) for role in Role]), required=False
    )
    label_values = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=120),
        required=False,
        help_text="value of the label column → name of a label, existing or new; empty: no label",
    )


class AcceptIn(serializers.Serializer[object]):
    """How labels are imported. seen: the digest of the reviewed dry run."""

    labels_as = serializers.ChoiceField(choices=Upload.Labels.choices, default=Upload.Labels.DECISIONS)
    default_split = serializers.ChoiceField(
        choices=list(SPLITS), required=False, allow_blank=True, allow_null=True, default=None
    )
    origin = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    seen = serializers.CharField(required=False, allow_blank=True, default="")


class ItemOut(RowOut[Item]):
    """An item. text and metadata are null for roles that may not read samples."""

    line = serializers.IntegerField()
    text = serializers.SerializerMethodField()
    metadata = serializers.SerializerMethodField()

    class Meta:
        model = Item
        fields = [
            "uuid",
            "dataset",
            "upload",
            "line",
            "digest",
            "external_id",
            "group",
            "event_time",
            "split",
            "text",
            "metadata",
        ]

    def get_text(self, item: Item) -> str | None:
        """The text, if the user may read it."""
        return item.text if self.context["may_read"] else None

    def get_metadata(self, item: Item) -> dict[str, Any] | None:
        """Other columns of the file."""
        return item.metadata if self.context["may_read"] else None


FILTERS: Filters = {"project": ("project__uuid", IS_UUID), "slug": ("slug", IS_SLUG)}


@operation(
    "GET",
    "datasets_list",
    Needs("signed_in"),
    gives=page_out(DatasetOut, queries.PAGE, "datasets"),
    filters=FILTERS,
)
def datasets(request: Request, given: dict[str, Any]) -> object:
    """List datasets by keyset, or those of a project or with a slug."""
    rows = queries.datasets(request.user).filter(**given)
    return paging.page(rows, key_in(request.query_params), queries.PAGE)


@operation("POST", "datasets_create", Needs("datasets.create"), takes=DatasetIn, gives=DatasetOut, status=201)
def create_dataset(request: Request, given: dict[str, Any]) -> object:
    """Create a dataset."""
    project = policy.get_visible(request.user, Project, "access.view_project", uuid=given.pop("project"))
    return actions.create_dataset(project=project, actor=request.user, **given)


@operation("GET", "datasets_read", Needs("datasets.view", Dataset), gives=DatasetOut)
def one_dataset(request: Request, uuid: UUID) -> object:
    """Read a dataset."""
    return queries.get_dataset(request.user, uuid)


@operation("GET", "datasets_item_read", Needs("datasets.view", Item), gives=ItemOut)
def one_item(request: Request, uuid: UUID) -> Response:
    """Read an item: its content and source."""
    item = queries.get_item(request.user, uuid)
    return Response(ItemOut(item, context={"may_read": queries.may_read(request.user, item.dataset)}).data)


@operation(
    "POST",
    "datasets_upload",
    Needs("datasets.upload", Dataset, see="datasets.view"),
    body={"application/octet-stream": OpenApiTypes.BINARY},
    gives=UploadOut,
    status=201,
    parsers=[RawParser],
    parameters=[OpenApiParameter("name", str, required=True), ProvenanceOut],
)
def upload(request: Request, uuid: UUID) -> object:
    """Upload a file as the raw body, its name and provenance in the query.

    Returns its dry run, or the state received while a job checks the file.
    """
    dataset = queries.get_dataset(request.user, uuid)
    name, chunks = sent_file(request)
    made = actions.receive_stream(
        dataset=dataset,
        actor=request.user,
        chunks=chunks,
        file_name=name,
        provenance=Provenance(**read(ProvenanceOut, request.query_params.dict())),
    )
    return actions.inspect(upload_id=made.uuid, actor=request.user)


@operation("GET", "datasets_upload_read", Needs("datasets.view", Upload), gives=UploadOut)
def one_upload(request: Request, uuid: UUID) -> object:
    """Read an upload: its settings and results."""
    return queries.get_upload(request.user, uuid)


@operation(
    "POST",
    "datasets_inspect",
    Needs("datasets.upload", Upload, see="datasets.view"),
    takes=ReadingIn,
    gives=UploadOut,
)
def inspect_upload(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Check it with these settings; large files are checked by a job."""
    return actions.inspect(upload_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "datasets_accept",
    Needs("datasets.upload", Upload, see="datasets.view"),
    takes=AcceptIn,
    gives=JobOut,
    status=202,
)
def accept_upload(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Import it; returns the job."""
    return actions.accept_upload(upload_id=uuid, actor=request.user, **given)


@operation("POST", "datasets_discard", Needs("datasets.upload", Upload, see="datasets.view"), gives=UploadOut)
def discard_upload(request: Request, uuid: UUID) -> object:
    """Discard it: its file stays in the store, and nothing is imported."""
    return actions.discard_upload(upload_id=uuid, actor=request.user)


urlpatterns = [
    path("datasets/", methods(datasets, create_dataset)),
    path("datasets/<uuid:uuid>/", one_dataset),
    path("datasets/<uuid:uuid>/uploads/", upload),
    path("uploads/<uuid:uuid>/", one_upload),
    path("uploads/<uuid:uuid>/inspect/", inspect_upload),
    path("uploads/<uuid:uuid>/accept/", accept_upload),
    path("uploads/<uuid:uuid>/discard/", discard_upload),
    path("items/<uuid:uuid>/", one_item),
]
