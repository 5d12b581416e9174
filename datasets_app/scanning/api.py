"""Scans and findings over REST."""

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
    """The kind of scan."""

    kind = serializers.ChoiceField(choices=ScanKind.choices)


class ScanOut(serializers.Serializer[Scan]):
    """A scan and, once it is done, its report."""

    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ScanKind.choices)
    state = serializers.ChoiceField(choices=ScanState.choices)
    report = serializers.DictField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class TallyOut(serializers.Serializer[Any]):
    """Findings of one kind by status."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    open = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    dismissed = serializers.IntegerField()
    gone = serializers.IntegerField()


class ScansOut(serializers.Serializer[Any]):
    """The newest ten scans of a dataset, and the number of findings."""

    scans = ScanOut(many=True)
    findings = TallyOut(many=True)


class FindingOut(RowOut[Finding]):
    """A finding about an item or a group. given, suggested: label names. labels: resolved labels of the
    group.

    The three are empty while you are to label one of its items in a queue.
    """

    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    group = serializers.CharField(source="group.digest", default=None, allow_null=True)
    size = serializers.IntegerField(source="group.size", default=1)
    given = serializers.CharField(source="given.name", default=None, allow_null=True)
    suggested = serializers.CharField(source="suggested.name", default=None, allow_null=True)
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
            "given",
            "suggested",
            "labels",
            "reason",
            "decided_by",
            "decided_at",
            "queue",
        ]

    def to_representation(self, instance: Finding) -> dict[str, Any]:
        """The fields, without labels that the reader must not see."""
        found = super().to_representation(instance)
        return found | {"given": None, "suggested": None, "labels": {}} if instance.hides_labels else found


class ScanGroupMemberOut(serializers.Serializer[GroupMember]):
    """An item of a group. nearest, first: Jaccard similarity to the text that links it to the group, and to
    the group's first text.
    """

    item = serializers.UUIDField(source="item.uuid")
    nearest = serializers.FloatField()
    first = serializers.FloatField()


class OneFindingOut(FindingOut):
    """A finding with the first 100 items of its group."""

    members = serializers.SerializerMethodField()

    @extend_schema_field(ScanGroupMemberOut(many=True))
    def get_members(self, row: Finding) -> list[dict[str, Any]]:
        """The members of the group; empty for a finding about one item."""
        return (
            list(ScanGroupMemberOut(queries.members(row.group, MEMBERS), many=True).data) if row.group else []
        )


class FindingPageOut(serializers.Serializer[Any]):
    """Up to 30 findings, most likely problems first. after: pass it as ?after= for the next page; null on the
    last.
    """

    results = FindingOut(many=True)
    after = serializers.CharField(allow_null=True)


class FindingsIn(serializers.Serializer[Any]):
    """The kind, status, and position of findings."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices, required=False, default=Status.OPEN)
    after = serializers.CharField(required=False, allow_blank=True, default="", max_length=60)

    def validate_after(self, word: str) -> queries.Place | None:
        """Parse the position from an earlier page."""
        place = pages.place_of(word)
        if word and place is None:
            raise serializers.ValidationError("Use the value from the previous page's link.")
        return place


class SendIn(serializers.Serializer[Any]):
    """The queue to create. limit: items; times `overlap` at most 1,000 annotations."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    name = serializers.CharField(max_length=80)
    overlap = serializers.IntegerField(required=False, default=1, min_value=1, max_value=5)
    limit = serializers.IntegerField(required=False, default=200, min_value=1, max_value=1_000)


class JudgeIn(serializers.Serializer[Any]):
    """seen: the status you know; any other causes a conflict."""

    seen = serializers.ChoiceField(choices=Status.choices, required=False, allow_blank=True, default="")


class DismissIn(JudgeIn):
    """The reason of a dismissal."""

    reason = serializers.CharField(max_length=REASON_LIMIT)


@operation("GET", "scanning_scans", Needs("scanning.view", Dataset), gives=ScansOut)
def list_scans(request: Request, uuid: UUID) -> object:
    """The newest scans with their reports, and finding counts by kind and status."""
    dataset = datasets.get_dataset(request.user, uuid)
    return {"scans": queries.scans(dataset), "findings": list(queries.tallies(dataset).values())}


@operation(
    "POST",
    "scanning_scan",
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
    "scanning_findings",
    Needs("scanning.view", Dataset),
    gives=FindingPageOut,
    parameters=[
        OpenApiParameter("kind", str, required=True, enum=Kind.values),
        OpenApiParameter("status", str, enum=Status.values),
        OpenApiParameter("after", str),
    ],
)
def list_findings(request: Request, uuid: UUID) -> Response:
    """Findings of one kind and status, by keyset."""
    query, dataset = read(FindingsIn, request.query_params), datasets.get_dataset(request.user, uuid)
    rows = queries.ranked(dataset, query["kind"], query["status"], query["after"])
    found = list(rows.select_related(*queries.RELATED)[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    shown = queries.for_reader(request.user, dataset, found[:PAGE])
    return Response(
        {"results": FindingOut(shown, many=True).data, "after": f"{last.score!r}:{last.pk}" if last else None}
    )


@operation(
    "POST",
    "scanning_send",
    Needs("scanning.send", Dataset, see="scanning.view"),
    takes=SendIn,
    gives=QueueOut,
    status=201,
)
def send(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Create a labeling queue for the items of open and confirmed findings that aren't in a queue yet."""
    return actions.send(dataset_id=uuid, actor=request.user, **given)


@operation("GET", "scanning_finding", Needs("scanning.view", Finding), gives=OneFindingOut)
def one_finding(request: Request, uuid: UUID) -> object:
    """One finding, with the items of its group."""
    found = queries.get_finding(request.user, uuid)
    return queries.for_reader(request.user, found.dataset, [found])[0]


@operation(
    "POST",
    "scanning_confirm",
    Needs("scanning.review", Finding, see="scanning.view"),
    takes=JudgeIn,
    gives=FindingOut,
)
def confirm(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Confirm an issue to fix; no label changes."""
    return actions.confirm(finding_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "scanning_dismiss",
    Needs("scanning.review", Finding, see="scanning.view"),
    takes=DismissIn,
    gives=FindingOut,
)
def dismiss(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Dismiss an issue; later scans keep it dismissed."""
    return actions.dismiss(finding_id=uuid, actor=request.user, **given)


@operation(
    "POST",
    "scanning_reopen",
    Needs("scanning.review", Finding, see="scanning.view"),
    takes=JudgeIn,
    gives=FindingOut,
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
