"""Corrected labels over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets.api import RawParser
from datasets_app.datasets.models import Dataset
from datasets_app.exchange.actions.corrections import (
    accept_corrections,
    discard_corrections,
    upload_corrections,
)
from datasets_app.exchange.models.corrections import Correction
from datasets_app.exchange.queries import corrections as reading
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read

CHUNK = 1 << 20


class CorrectionOut(serializers.Serializer[Correction]):
    """A file of corrected labels. report: look, the planned changes; written, the result; error, the
    failure.
    """

    uuid = serializers.UUIDField()
    dataset = serializers.UUIDField(source="dataset.uuid")
    file_name = serializers.CharField()
    sha256 = serializers.CharField(source="blob.digest")
    state = serializers.ChoiceField(choices=Correction.State.choices)
    report = serializers.DictField()
    take_moved = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class AcceptCorrectionsIn(serializers.Serializer[Any]):
    """take_moved: also rows whose decision moved on since the export."""

    take_moved = serializers.BooleanField(required=False, default=False)


class Corrections(View):
    """List and upload files of corrected labels."""

    needs = {
        "GET": Needs("labeling.read_corrections", Dataset, see="labeling.view"),
        "POST": Needs("labeling.decide", Dataset, see="labeling.view"),
    }
    parser_classes = [RawParser]

    @extend_schema(operation_id="labeling_corrections", responses=CorrectionOut(many=True))
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest 30 files of a dataset."""
        rows = reading.corrections(get_dataset(request.user, uuid)).select_related("blob", "dataset")[
            : reading.PAGE
        ]
        return Response(CorrectionOut(rows, many=True).data)

    @extend_schema(
        operation_id="labeling_bring_corrections",
        parameters=[OpenApiParameter("name", str, required=True)],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={201: CorrectionOut},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Send the file as the raw body, its name in the query. A job looks through it; nothing is decided
        before you accept.
        """
        dataset = get_dataset(request.user, uuid)
        stream = request.stream or request._request
        name = unquote(request.query_params.get("name", "")) or "file"
        content = iter(lambda: stream.read(CHUNK), b"")
        made = upload_corrections(dataset=dataset, actor=request.user, content=content, file_name=name)
        return Response(CorrectionOut(made).data, status=201)


class OneCorrection(View):
    """One file of corrected labels."""

    needs = {"GET": Needs("labeling.read_corrections", Correction, see="labeling.view")}

    @extend_schema(operation_id="labeling_correction", responses=CorrectionOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The planned changes, or the result."""
        return Response(CorrectionOut(reading.get_correction(request.user, uuid)).data)


class AcceptCorrections(View):
    """Accept a file of corrected labels."""

    needs = {"POST": Needs("labeling.decide", Correction, see="labeling.view")}

    @extend_schema(
        operation_id="labeling_accept_corrections", request=AcceptCorrectionsIn, responses={202: JobOut}
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have a job write what it changes as decisions that you answer for."""
        data = read(AcceptCorrectionsIn, request.data)
        job = accept_corrections(correction_id=uuid, actor=request.user, take_moved=data["take_moved"])
        return Response(JobOut(job).data, status=202)


class DiscardCorrections(View):
    """Discard a file of corrected labels."""

    needs = {"POST": Needs("labeling.read_corrections", Correction, see="labeling.view")}

    @extend_schema(operation_id="labeling_discard_corrections", request=None, responses=CorrectionOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Discard a file that you uploaded, or as an ML lead any file, while it needs review."""
        discard_corrections(correction_id=uuid, actor=request.user)
        return Response(CorrectionOut(reading.get_correction(request.user, uuid)).data)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/corrections/", Corrections.as_view()),
    path("labeling/corrections/<uuid:uuid>/", OneCorrection.as_view()),
    path("labeling/corrections/<uuid:uuid>/accept/", AcceptCorrections.as_view()),
    path("labeling/corrections/<uuid:uuid>/discard/", DiscardCorrections.as_view()),
]
