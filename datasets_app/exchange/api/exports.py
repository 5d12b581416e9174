"""Annotation exports in the formats of other labeling tools, over REST."""

from __future__ import annotations

from uuid import UUID

from django.http import FileResponse
from django.urls import path, reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.models import Dataset
from datasets_app.exchange.actions.exports import export_answers
from datasets_app.exchange.models.exports import Export
from datasets_app.exchange.queries import exports as reading
from datasets_app.queues.queries.pages import queues
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs.api import JobOut
from lifecycle.runtime.refusals import Refused
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View
from registry.ground.artifacts import actions as artifacts


class AnswerExportIn(serializers.Serializer[object]):
    """The kind of file. queue: whose items; null for all of the dataset."""

    format = serializers.ChoiceField(choices=Export.Format.choices)
    queue = serializers.UUIDField(required=False, allow_null=True)


class AnswerExportOut(serializers.Serializer[Export]):
    """A file of answers. dropped: what the format cannot hold, each sentence with how often."""

    uuid = serializers.UUIDField()
    format = serializers.CharField()
    queue = serializers.UUIDField(source="queue.uuid", allow_null=True, default=None)
    items = serializers.IntegerField()
    answers = serializers.IntegerField()
    dropped = serializers.DictField(child=serializers.IntegerField())
    file_name = serializers.CharField()
    sha256 = serializers.CharField(source="blob.digest")
    size = serializers.IntegerField(source="blob.size")
    created_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField()

    def get_url(self, row: Export) -> str:
        """Where its bytes are."""
        return reverse("api-answer-file", args=[row.uuid])


class AnswerExports(View):
    """Files of the answers of a dataset."""

    needs = {
        "GET": Needs("labeling.view", Dataset),
        "POST": Needs("labeling.export", Dataset, see="labeling.view"),
    }

    @extend_schema(operation_id="labeling_exports", responses=AnswerExportOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest 20 files."""
        rows = reading.exports(get_dataset(request.user, uuid), None)
        return Response(AnswerExportOut(rows, many=True).data)

    @extend_schema(operation_id="labeling_export", request=AnswerExportIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have a file made; the answer is the job."""
        form = AnswerExportIn(data=request.data)
        form.is_valid(raise_exception=True)
        queue = form.validated_data.get("queue")
        if queue and not queues(request.user).filter(uuid=queue, dataset__uuid=uuid).exists():
            message = "This queue doesn't belong to the dataset."
            raise Refused(message, fields={"queue": [message]})
        job = export_answers(
            dataset_id=uuid, actor=request.user, format=form.validated_data["format"], queue_id=queue
        )
        return Response(JobOut(job).data, status=202)


class AnswerFile(View):
    """The bytes of a file."""

    needs = {"GET": Needs("labeling.export", Export, see="labeling.view")}

    @extend_schema(operation_id="labeling_export_file", responses={(200, "*/*"): bytes})
    def get(self, request: Request, uuid: UUID) -> FileResponse:
        """As an attachment."""
        row = Export.objects.select_related("dataset", "blob").get(uuid=uuid)
        media = Export.Format(row.format).media
        return FileResponse(
            artifacts.open_blob(row.blob.digest),
            as_attachment=True,
            filename=row.file_name,
            content_type=media,
        )


urlpatterns = [
    path("datasets/<uuid:uuid>/annotation-exports/", AnswerExports.as_view()),
    path("annotation-files/<uuid:uuid>/", AnswerFile.as_view(), name="api-answer-file"),
]
