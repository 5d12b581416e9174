"""Datasets, uploads and items over REST."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.response import Response

from datasets_app.datasets import actions, queries
from datasets_app.datasets.importing import label_config
from datasets_app.datasets.importing.readers import DELIMITERS, ENCODINGS, PARSERS
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import SPLITS, Provenance, UploadState
from lifecycle.jobs.api import JobOut
from lifecycle.task_types.by_key import types
from lifecycle.task_types.columns import Role
from lifecycle.ui.addresses import key_in
from registry.access import policy
from registry.access.decorators import Needs
from registry.access.models import Project
from registry.access.rest import IS_SLUG, IS_UUID, Request, View, chosen

CHUNK = 1 << 20


class RawParser(BaseParser):
    """The body as it is: a file that is streamed, never held in memory."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The stream itself."""
        return stream


class DatasetIn(serializers.Serializer[object]):
    """A new dataset."""

    project = serializers.UUIDField()
    name = serializers.CharField(max_length=80)
    task = serializers.ChoiceField(choices=types.choices(), required=False, default=types.DEFAULT)
    description = serializers.CharField(required=False, default="", allow_blank=True)
    language = serializers.CharField(required=False, default="", allow_blank=True, max_length=20)
    licence = serializers.CharField(required=False, default="", allow_blank=True, max_length=80)
    config = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=label_config.LIMIT,
        help_text="Label Studio labeling configuration as XML: overrides the task; its labels are published",
    )  # fmt: skip


class DatasetOut(serializers.Serializer[Dataset]):
    """A dataset."""

    uuid = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    task = serializers.ChoiceField(choices=types.choices())
    language = serializers.CharField()
    licence = serializers.CharField()
    items = serializers.IntegerField(source="items_total")
    created_at = serializers.DateTimeField()


class DatasetPageOut(serializers.Serializer[object]):
    """Up to 30 datasets, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = DatasetOut(many=True)
    before = serializers.IntegerField(allow_null=True)


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
        required=False, default="", allow_blank=True, max_length=200, help_text="program or model that made synthetic texts"
    )


class UploadOut(serializers.Serializer[Upload]):
    """An upload, how it is read, and what the dry run or the import found."""

    uuid = serializers.UUIDField()
    dataset = serializers.UUIDField(source="dataset.uuid")
    file_name = serializers.CharField()
    size = serializers.IntegerField()
    provenance = ProvenanceOut()
    sha256 = serializers.CharField(source="blob.digest")
    state = serializers.ChoiceField(choices=UploadState.choices)
    encoding = serializers.CharField()
    parser = serializers.CharField()
    delimiter = serializers.CharField()
    has_header = serializers.BooleanField()
    mapping = serializers.DictField(child=serializers.CharField())
    label_values = serializers.DictField(child=serializers.CharField(), help_text="what values of the label column become")
    contradicting = serializers.CharField(help_text="what happens to texts with conflicting labels; empty: they block the import")
    default_split = serializers.CharField()
    labels_as = serializers.CharField()
    report = serializers.DictField()
    looking = serializers.SerializerMethodField(help_text="whether a job is checking the file")
    seen = serializers.SerializerMethodField(help_text="token to send with the acceptance")
    rows_read = serializers.IntegerField()
    rows_new = serializers.IntegerField()
    rows_duplicate = serializers.IntegerField()
    rows_failed = serializers.IntegerField()

    def get_looking(self, upload: Upload) -> bool:
        """Whether a dry run is under way."""
        return queries.is_looked_at(upload)

    def get_seen(self, upload: Upload) -> str:
        """The digest of what is accepted."""
        return queries.seen_digest(upload)


class ReadingIn(serializers.Serializer[object]):
    """How to read the file. Without a mapping, the columns are proposed again."""

    encoding = serializers.ChoiceField(choices=list(ENCODINGS), required=False, default="")
    parser = serializers.ChoiceField(choices=list(PARSERS), required=False, default="")
    delimiter = serializers.ChoiceField(choices=list(DELIMITERS), required=False, default="")
    has_header = serializers.BooleanField(required=False, allow_null=True, default=None)
    default_split = serializers.ChoiceField(choices=list(SPLITS), required=False, allow_blank=True, default="")
    contradicting = serializers.ChoiceField(
        choices=Upload.Contradicting.choices, required=False, allow_blank=True, allow_null=True, default=None,
        help_text="for texts with conflicting labels, where no annotator column is mapped",
    )  # fmt: skip
    mapping = serializers.DictField(child=serializers.ChoiceField(choices=[(role.value, role.words) for role in Role]), required=False)
    label_values = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=120), required=False,
        help_text="value of the label column → name of a label, existing or new; empty: no label",
    )  # fmt: skip


class AcceptIn(serializers.Serializer[object]):
    """What becomes of the labels. seen: the digest of the dry run that was looked at."""

    labels_as = serializers.ChoiceField(choices=Upload.Labels.choices, default=Upload.Labels.DECISIONS)
    default_split = serializers.ChoiceField(choices=list(SPLITS), required=False, allow_blank=True, allow_null=True, default=None)
    origin = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    seen = serializers.CharField(required=False, allow_blank=True, default="")


class ItemOut(serializers.Serializer[Item]):
    """An item. text and metadata are null for roles that may not read samples."""

    uuid = serializers.UUIDField()
    dataset = serializers.UUIDField(source="dataset.uuid")
    upload = serializers.UUIDField(source="upload.uuid")
    line = serializers.IntegerField()
    digest = serializers.CharField()
    external_id = serializers.CharField()
    group = serializers.CharField()
    event_time = serializers.DateTimeField(allow_null=True)
    split = serializers.CharField()
    text = serializers.SerializerMethodField()
    metadata = serializers.SerializerMethodField()

    def get_text(self, item: Item) -> str | None:
        """The text, where the reader may."""
        return item.text if self.context["may_read"] else None

    def get_metadata(self, item: Item) -> dict[str, Any] | None:
        """Other columns of the file."""
        return item.metadata if self.context["may_read"] else None


PAGED = [OpenApiParameter("before", int), OpenApiParameter("project", UUID), OpenApiParameter("slug", str)]


class Datasets(View):
    """The datasets of your projects."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("datasets.create")}

    @extend_schema(operation_id="datasets_list", responses=DatasetPageOut, parameters=PAGED)
    def get(self, request: Request) -> Response:
        """List datasets by keyset, or those of a project or with a slug."""
        rows = queries.datasets(request.user).filter(**chosen(request, project=("project__uuid", IS_UUID), slug=("slug", IS_SLUG)))
        before = key_in(request.query_params)
        found = list((rows.filter(pk__lt=before) if before else rows)[: queries.PAGE + 1])
        older = found[queries.PAGE - 1].pk if len(found) > queries.PAGE else None
        return Response({"results": DatasetOut(found[: queries.PAGE], many=True).data, "before": older})

    @extend_schema(operation_id="datasets_create", request=DatasetIn, responses={201: DatasetOut})
    def post(self, request: Request) -> Response:
        """Make a dataset."""
        form = DatasetIn(data=request.data)
        form.is_valid(raise_exception=True)
        found = dict(form.validated_data)
        project = policy.get_visible(request.user, Project, "access.view_project", uuid=found.pop("project"))
        return Response(DatasetOut(actions.create_dataset(project=project, actor=request.user, **found)).data, status=201)


class OneDataset(View):
    """One dataset."""

    needs = {"GET": Needs("datasets.view", Dataset)}

    @extend_schema(operation_id="datasets_read", responses=DatasetOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Its facts."""
        return Response(DatasetOut(queries.get_dataset(request.user, uuid)).data)


class OneItem(View):
    """One item."""

    needs = {"GET": Needs("datasets.view", Item)}

    @extend_schema(operation_id="datasets_item_read", responses=ItemOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Its content and where it came from."""
        item = queries.get_item(request.user, uuid)
        return Response(ItemOut(item, context={"may_read": queries.may_read(request.user, item.dataset)}).data)


class Uploads(View):
    """Bringing a file."""

    needs = {"POST": Needs("datasets.upload", Dataset, see="datasets.view")}
    parser_classes = [RawParser]

    @extend_schema(
        operation_id="datasets_upload", request={"application/octet-stream": OpenApiTypes.BINARY}, responses={201: UploadOut},
        parameters=[OpenApiParameter("name", str, required=True), ProvenanceOut],
    )  # fmt: skip
    def post(self, request: Request, uuid: UUID) -> Response:
        """Send the file as the raw body, its name and provenance in the query.

        Answers with its dry run, or with state received while a job looks.
        """
        dataset = queries.get_dataset(request.user, uuid)
        stream = request.stream or request._request
        name = unquote(request.query_params.get("name", "")) or "file"
        chunks = iter(lambda: stream.read(CHUNK), b"")
        said = ProvenanceOut(data=request.query_params.dict())
        said.is_valid(raise_exception=True)
        provenance = Provenance(**said.validated_data)
        upload = actions.receive_stream(dataset=dataset, actor=request.user, chunks=chunks, file_name=name, provenance=provenance)
        return Response(UploadOut(actions.inspect(upload_id=upload.uuid, actor=request.user)).data, status=201)


class OneUpload(View):
    """One upload."""

    needs = {"GET": Needs("datasets.view", Upload)}

    @extend_schema(operation_id="datasets_upload_read", responses=UploadOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """How it is read, and what was found."""
        return Response(UploadOut(queries.get_upload(request.user, uuid)).data)


class InspectUpload(View):
    """Looking through a file again."""

    needs = {"POST": Needs("datasets.upload", Upload, see="datasets.view")}

    @extend_schema(operation_id="datasets_inspect", request=ReadingIn, responses=UploadOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Read it as chosen; large files are left to a job."""
        form = ReadingIn(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(UploadOut(actions.inspect(upload_id=uuid, actor=request.user, **form.validated_data)).data)


class AcceptUpload(View):
    """Accepting a file."""

    needs = {"POST": Needs("datasets.upload", Upload, see="datasets.view")}

    @extend_schema(operation_id="datasets_accept", request=AcceptIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have it imported; the answer is the job."""
        form = AcceptIn(data=request.data)
        form.is_valid(raise_exception=True)
        job = actions.accept_upload(upload_id=uuid, actor=request.user, **form.validated_data)
        return Response(JobOut(job).data, status=202)


class DiscardUpload(View):
    """Putting a file aside."""

    needs = {"POST": Needs("datasets.upload", Upload, see="datasets.view")}
    parser_classes = [JSONParser]

    @extend_schema(operation_id="datasets_discard", request=None, responses=UploadOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Its file stays in the store; nothing of it is imported."""
        return Response(UploadOut(actions.discard_upload(upload_id=uuid, actor=request.user)).data)


urlpatterns = [
    path("datasets/", Datasets.as_view()),
    path("datasets/<uuid:uuid>/", OneDataset.as_view()),
    path("datasets/<uuid:uuid>/uploads/", Uploads.as_view()),
    path("uploads/<uuid:uuid>/", OneUpload.as_view()),
    path("uploads/<uuid:uuid>/inspect/", InspectUpload.as_view()),
    path("uploads/<uuid:uuid>/accept/", AcceptUpload.as_view()),
    path("uploads/<uuid:uuid>/discard/", DiscardUpload.as_view()),
    path("items/<uuid:uuid>/", OneItem.as_view()),
]
