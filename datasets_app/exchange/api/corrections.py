"""Corrected labels over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes
from rest_framework import serializers

from datasets_app.datasets.api import RawParser, sent_file
from datasets_app.datasets.models import Dataset
from datasets_app.exchange.actions.corrections.reviewing import (
    accept_corrections,
    discard_corrections,
    upload_corrections,
)
from datasets_app.exchange.models.corrections import Correction
from datasets_app.exchange.queries import corrections as reading
from datasets_app.schemas.queries.schemas import get_dataset
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, methods, operation


class CorrectionOut(RowOut[Correction]):
    """A file of corrected labels. report: look, the planned changes; written, the result; error, the
    failure.
    """

    sha256 = serializers.CharField(source="blob.digest")
    state = serializers.ChoiceField(choices=Correction.State.choices)
    report = serializers.DictField()

    class Meta:
        model = Correction
        fields = [
            "uuid",
            "dataset",
            "file_name",
            "sha256",
            "state",
            "report",
            "take_moved",
            "created_at",
            "accepted_at",
            "ended_at",
        ]


class AcceptCorrectionsIn(serializers.Serializer[Any]):
    """take_moved: also rows whose label changed since the export."""

    take_moved = serializers.BooleanField(required=False, default=False)


@operation(
    "GET",
    "labeling_corrections",
    Needs("labeling.read_corrections", Dataset, see="labeling.view"),
    gives=CorrectionOut(many=True),
)
def corrections(request: Request, uuid: UUID) -> object:
    """List a dataset's newest 30 files of corrected labels."""
    rows = reading.corrections(get_dataset(request.user, uuid)).select_related("blob", "dataset")
    return rows[: reading.PAGE]


@operation(
    "POST",
    "labeling_bring_corrections",
    Needs("labeling.adjudicate", Dataset, see="labeling.view"),
    body={"application/octet-stream": OpenApiTypes.BINARY},
    gives=CorrectionOut,
    status=201,
    parsers=[RawParser],
    parameters=[OpenApiParameter("name", str, required=True)],
)
def upload(request: Request, uuid: UUID) -> object:
    """Upload a file of corrected labels as the raw body, its name in the query. A job checks it; no label is
    changed until you accept.
    """
    name, content = sent_file(request)
    dataset = get_dataset(request.user, uuid)
    return upload_corrections(dataset=dataset, actor=request.user, content=content, file_name=name)


@operation(
    "GET",
    "labeling_correction",
    Needs("labeling.read_corrections", Correction, see="labeling.view"),
    gives=CorrectionOut,
)
def correction(request: Request, uuid: UUID) -> object:
    """Get a file of corrected labels with its planned changes or its result."""
    return reading.get_correction(request.user, uuid)


@operation(
    "POST",
    "labeling_accept_corrections",
    Needs("labeling.adjudicate", Correction, see="labeling.view"),
    takes=AcceptCorrectionsIn,
    gives=JobOut,
    status=202,
)
def accept(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Start a job that saves its changes as labels resolved by you."""
    return accept_corrections(correction_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "labeling_discard_corrections",
    Needs("labeling.read_corrections", Correction, see="labeling.view"),
    gives=CorrectionOut,
)
def discard(request: Request, uuid: UUID) -> object:
    """Discard a file that you uploaded, or as an ML lead any file, while it needs review."""
    discard_corrections(correction_id=uuid, actor=request.user)
    return reading.get_correction(request.user, uuid)


urlpatterns = [
    path("labeling/datasets/<uuid:uuid>/corrections/", methods(corrections, upload)),
    path("labeling/corrections/<uuid:uuid>/", correction),
    path("labeling/corrections/<uuid:uuid>/accept/", accept),
    path("labeling/corrections/<uuid:uuid>/discard/", discard),
]
