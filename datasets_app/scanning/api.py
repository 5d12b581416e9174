"""Scans and data issues over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.queues.api.queues import QueueOut
from datasets_app.scanning import actions, pages, queries
from datasets_app.scanning.actions.judging import REASON_LIMIT
from datasets_app.scanning.models import Finding, GroupMember, Scan
from datasets_app.scanning.rules import Kind, ScanKind, ScanState, Status
from lifecycle.ground.jobs.api import JobOut
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, methods, operation, read

PAGE = 30
MEMBERS = 100


class ScanIn(serializers.Serializer[Any]):
    """The kind of scan to run."""

    kind = serializers.ChoiceField(choices=ScanKind.choices)


class ScanOut(serializers.Serializer[Scan]):
    """A scan and, once it is done, its report."""

    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ScanKind.choices)
    state = serializers.ChoiceField(choices=ScanState.choices)
    report = serializers.DictField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class DataIssueCountsOut(serializers.Serializer[Any]):
    """Data issues of one kind by status."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    open = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    dismissed = serializers.IntegerField()
    gone = serializers.IntegerField()


class ScansOut(serializers.Serializer[Any]):
    """The newest ten scans of a dataset, and its data issues by kind and status."""

    scans = ScanOut(many=True)
    data_issues = DataIssueCountsOut(many=True)


class DataIssueOut(RowOut[Finding]):
    """A data issue of an item or a group. given_label, predicted_label: label names. labels: resolved
    labels of the group.

    The three are empty while one of its items is assigned to you in a queue.
    """

    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    group = serializers.CharField(source="group.digest", default=None, allow_null=True)
    size = serializers.IntegerField(source="group.size", default=1)
    given_label = serializers.CharField(source="given_label.name", default=None, allow_null=True)
    predicted_label = serializers.CharField(source="predicted_label.name", default=None, allow_null=True)
    labels = serializers.DictField(child=serializers.IntegerField())

    class Meta:
        model = Finding
        fields = [
            "uuid",
            "dataset",
            "kind",
            "status",
            "score",
            "item",
            "group",
            "size",
            "given_label",
            "predicted_label",
            "labels",
            "reason",
            "reviewed_by",
            "reviewed_at",
            "queue",
        ]

    def to_representation(self, instance: Finding) -> dict[str, Any]:
        """The fields, without labels that the reader must not see."""
        found = super().to_representation(instance)
        return (
            found | {"given_label": None, "predicted_label": None, "labels": {}}
            if instance.hides_labels
            else found
        )


class DuplicateGroupMemberOut(serializers.Serializer[GroupMember]):
    """An item of a group. nearest, first: Jaccard similarity to the text that links it to the group, and to
    the group's first text.
    """

    item = serializers.UUIDField(source="item.uuid")
    nearest = serializers.FloatField()
    first = serializers.FloatField()


class DataIssueDetailOut(DataIssueOut):
    """A data issue with the first 100 items of its group."""

    members = serializers.SerializerMethodField()

    @extend_schema_field(DuplicateGroupMemberOut(many=True))
    def get_members(self, row: Finding) -> list[dict[str, Any]]:
        """The members of the group; empty for a data issue of one item."""
        return (
            list(DuplicateGroupMemberOut(queries.members(row.group, MEMBERS), many=True).data)
            if row.group
            else []
        )


class DataIssuePageOut(serializers.Serializer[Any]):
    """Up to 30 data issues, most likely problems first. after: pass it as ?after= for the next page; null on
    the last.
    """

    results = DataIssueOut(many=True)
    after = serializers.CharField(allow_null=True)


class DataIssueFilterIn(serializers.Serializer[Any]):
    """The kind, status, and position of data issues."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices, required=False, default=Status.OPEN)
    after = serializers.CharField(required=False, allow_blank=True, default="", max_length=60)

    def validate_after(self, word: str) -> queries.Place | None:
        """Parse the position from an earlier page."""
        place = pages.place_of(word)
        if word and place is None:
            raise serializers.ValidationError("Use the value from the previous page's link.")
        return place


class DataIssueQueueIn(serializers.Serializer[Any]):
    """The queue to create. limit: items; times `overlap` at most 1,000 annotations."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    name = serializers.CharField(max_length=80)
    overlap = serializers.IntegerField(required=False, default=1, min_value=1, max_value=5)
    limit = serializers.IntegerField(required=False, default=200, min_value=1, max_value=1_000)


class DataIssueReviewIn(serializers.Serializer[Any]):
    """seen: the status as you read it; 409 if it changed since."""

    seen = serializers.ChoiceField(choices=Status.choices, required=False, allow_blank=True, default="")


class DataIssueDismissIn(DataIssueReviewIn):
    """Why the data issue is dismissed."""

    reason = serializers.CharField(max_length=REASON_LIMIT)


@operation("GET", "scans_list", Needs("scanning.view", Dataset), gives=ScansOut)
def list_scans(request: Request, uuid: UUID) -> object:
    """List the newest scans with their reports, and count data issues by kind and status."""
    dataset = datasets.get_dataset(request.user, uuid)
    return {"scans": queries.scans(dataset), "data_issues": list(queries.tallies(dataset).values())}


@operation(
    "POST",
    "scans_start",
    Needs("scanning.scan", Dataset, see="scanning.view"),
    takes=ScanIn,
    gives=JobOut,
    status=202,
)
def start_scan(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Scan a dataset; the response is the job, whose subject is the dataset."""
    return actions.scan(dataset=datasets.get_dataset(request.user, uuid), actor=request.user, **given)


@operation(
    "GET",
    "data_issues_list",
    Needs("scanning.view", Dataset),
    gives=DataIssuePageOut,
    parameters=[
        OpenApiParameter("kind", str, required=True, enum=Kind.values),
        OpenApiParameter("status", str, enum=Status.values),
        OpenApiParameter("after", str),
    ],
)
def list_findings(request: Request, uuid: UUID) -> Response:
    """List data issues of one kind and status, most likely problems first."""
    query, dataset = read(DataIssueFilterIn, request.query_params), datasets.get_dataset(request.user, uuid)
    rows = queries.ranked(dataset, query["kind"], query["status"], query["after"])
    found = list(rows.select_related(*queries.RELATED)[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    shown = queries.for_reader(request.user, dataset, found[:PAGE])
    return Response(
        {
            "results": DataIssueOut(shown, many=True).data,
            "after": f"{last.score!r}:{last.pk}" if last else None,
        }
    )


@operation(
    "POST",
    "data_issues_send",
    Needs("scanning.send", Dataset, see="scanning.view"),
    takes=DataIssueQueueIn,
    gives=QueueOut,
    status=201,
)
def send(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Create a labeling queue for the items of open and confirmed data issues that aren't in a queue yet."""
    return actions.send(dataset_id=uuid, actor=request.user, **given)


@operation("GET", "data_issues_read", Needs("scanning.view", Finding), gives=DataIssueDetailOut)
def one_finding(request: Request, uuid: UUID) -> object:
    """Get a data issue with the items of its group."""
    found = queries.get_finding(request.user, uuid)
    return queries.for_reader(request.user, found.dataset, [found])[0]


@operation(
    "POST",
    "data_issues_confirm",
    Needs("scanning.review", Finding, see="scanning.view"),
    takes=DataIssueReviewIn,
    gives=DataIssueOut,
)
def confirm(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Confirm an issue to fix; no label changes."""
    return actions.confirm(finding_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "data_issues_dismiss",
    Needs("scanning.review", Finding, see="scanning.view"),
    takes=DataIssueDismissIn,
    gives=DataIssueOut,
)
def dismiss(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Dismiss an issue; later scans keep it dismissed."""
    return actions.dismiss(finding_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "data_issues_reopen",
    Needs("scanning.review", Finding, see="scanning.view"),
    takes=DataIssueReviewIn,
    gives=DataIssueOut,
)
def reopen(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Reopen an issue after it was confirmed or dismissed."""
    return actions.reopen(finding_id=uuid, actor=request.user, **given)


urlpatterns = [
    path("datasets/<uuid:uuid>/scans/", methods(list_scans, start_scan)),
    path("datasets/<uuid:uuid>/data-issues/", list_findings),
    path("datasets/<uuid:uuid>/data-issues/send/", send),
    path("data-issues/<uuid:uuid>/", one_finding),
    path("data-issues/<uuid:uuid>/confirm/", confirm),
    path("data-issues/<uuid:uuid>/dismiss/", dismiss),
    path("data-issues/<uuid:uuid>/reopen/", reopen),
]
