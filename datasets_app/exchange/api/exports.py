"""Annotation exports in the formats of other labeling tools, over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse
from django.urls import path, reverse
from rest_framework import serializers

from datasets_app.datasets.models import Dataset
from datasets_app.exchange.actions.exports import export_annotations
from datasets_app.exchange.models.exports import Export
from datasets_app.exchange.queries import exports as reading
from datasets_app.queues.queries.pages import queues
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs.api import JobOut
from lifecycle.runtime.refusals import Refused
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, methods, operation
from registry.ground.artifacts import actions as artifacts


class AnnotationExportIn(serializers.Serializer[object]):
    """What to export. queue: whose items; null for all of the dataset."""

    format = serializers.ChoiceField(choices=Export.Format.choices)
    queue = serializers.UUIDField(required=False, allow_null=True)


class AnnotationExportOut(serializers.Serializer[Export]):
    """An annotation export. dropped: what the format can't represent, each sentence with its count."""

    uuid = serializers.UUIDField()
    format = serializers.CharField()
    queue = serializers.UUIDField(source="queue.uuid", allow_null=True, default=None)
    items = serializers.IntegerField()
    annotations = serializers.IntegerField()
    dropped = serializers.DictField(child=serializers.IntegerField())
    file_name = serializers.CharField()
    sha256 = serializers.CharField(source="blob.digest")
    size = serializers.IntegerField(source="blob.size")
    created_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField()

    def get_url(self, row: Export) -> str:
        """The URL of the file."""
        return reverse("api-annotation-file", args=[row.uuid])


@operation(
    "GET",
    "labeling_annotation_exports",
    Needs("labeling.view", Dataset),
    gives=AnnotationExportOut(many=True),
)
def exports(request: Request, uuid: UUID) -> object:
    """List a dataset's newest 20 annotation exports."""
    return reading.exports(get_dataset(request.user, uuid), None)


@operation(
    "POST",
    "labeling_export_annotations",
    Needs("labeling.export", Dataset, see="labeling.view"),
    takes=AnnotationExportIn,
    gives=JobOut,
    status=202,
)
def export(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Export annotations; the response is the job."""
    queue = given.get("queue")
    if queue and not queues(request.user).filter(uuid=queue, dataset__uuid=uuid).exists():
        message = "This queue doesn't belong to the dataset."
        raise Refused(message, fields={"queue": [message]})
    return export_annotations(dataset_id=uuid, actor=request.user, format=given["format"], queue_id=queue)


@operation(
    "GET",
    "labeling_annotation_export_file",
    Needs("labeling.export", Export, see="labeling.view"),
    gives={(200, "*/*"): bytes},
)
def export_file(request: Request, uuid: UUID) -> FileResponse:
    """Download an annotation export."""
    row = Export.objects.select_related("dataset", "blob").get(uuid=uuid)
    return FileResponse(
        artifacts.open_blob(row.blob.digest),
        as_attachment=True,
        filename=row.file_name,
        content_type=Export.Format(row.format).media,
    )


urlpatterns = [
    path("datasets/<uuid:uuid>/annotation-exports/", methods(exports, export)),
    path("annotation-files/<uuid:uuid>/", export_file, name="api-annotation-file"),
]
