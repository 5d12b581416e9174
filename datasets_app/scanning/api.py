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
    """What to look for."""

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
    """The newest ten scans of a dataset, and how many findings there are."""

    scans = ScanOut(many=True)
    findings = TallyOut(many=True)


class FindingOut(RowOut[Finding]):
    """A finding. item or group: what it is about. given, suggested: names of labels. labels: how a group is decided."""

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
            "uuid", "dataset", "kind", "status", "score", "item", "group", "size", "given", "suggested", "labels", "reason", "decided_by",
            "decided_at", "queue",
        ]  # fmt: skip


class ScanGroupMemberOut(serializers.Serializer[GroupMember]):
    """An item of a group. nearest, first: Jaccard similarity to the text that it belongs through, and to the group's first."""

    item = serializers.UUIDField(source="item.uuid")
    nearest = serializers.FloatField()
    first = serializers.FloatField()


class OneFindingOut(FindingOut):
    """A finding with the first 100 items of its group."""

    members = serializers.SerializerMethodField()

    @extend_schema_field(ScanGroupMemberOut(many=True))
    def get_members(self, row: Finding) -> list[dict[str, Any]]:
        """None for a finding about one item."""
        return list(ScanGroupMemberOut(queries.members(row.group, MEMBERS), many=True).data) if row.group else []


class FindingPageOut(serializers.Serializer[Any]):
    """Up to 30 findings, the most doubtful first. after: give it as ?after= to get the next page; null on the last."""

    results = FindingOut(many=True)
    after = serializers.CharField(allow_null=True)


class FindingsIn(serializers.Serializer[Any]):
    """Which findings, and from where on."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices, required=False, default=Status.OPEN)
    after = serializers.CharField(required=False, allow_blank=True, default="", max_length=60)

    def validate_after(self, word: str) -> queries.Place | None:
        """A place that an earlier page gave."""
        place = pages.place_of(word)
        if word and place is None:
            raise serializers.ValidationError("Use the value from the previous page's link.")
        return place


class SendIn(serializers.Serializer[Any]):
    """The queue to open. limit: items, with `overlap` answers each at most 1,000 answers."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    name = serializers.CharField(max_length=80)
    overlap = serializers.IntegerField(required=False, default=1, min_value=1, max_value=5)
    limit = serializers.IntegerField(required=False, default=200, min_value=1, max_value=1_000)


class JudgeIn(serializers.Serializer[Any]):
    """seen: the status that you know, to be refused when it is another."""

    seen = serializers.ChoiceField(choices=Status.choices, required=False, allow_blank=True, default="")


class DismissIn(JudgeIn):
    """Why nothing is wrong."""

    reason = serializers.CharField(max_length=REASON_LIMIT)


@operation("GET", "scanning_scans", Needs("scanning.view", Dataset), gives=ScansOut)
def list_scans(request: Request, uuid: UUID) -> object:
    """The newest scans with their reports, and the findings by kind and status."""
    dataset = datasets.get_dataset(request.user, uuid)
    return {"scans": queries.scans(dataset), "findings": list(queries.tallies(dataset).values())}


@operation("POST", "scanning_scan", Needs("scanning.scan", Dataset, see="scanning.view"), takes=ScanIn, gives=JobOut, status=202)
def start_scan(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Have a dataset scanned; the answer is the job, whose subject is the dataset."""
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
    """One kind and status, by keyset."""
    asked = read(FindingsIn, request.query_params)
    rows = queries.ranked(datasets.get_dataset(request.user, uuid), asked["kind"], asked["status"], asked["after"])
    found = list(rows.select_related(*queries.RELATED)[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    return Response({"results": FindingOut(found[:PAGE], many=True).data, "after": f"{last.score!r}:{last.pk}" if last else None})


@operation("POST", "scanning_send", Needs("scanning.send", Dataset, see="scanning.view"), takes=SendIn, gives=QueueOut, status=201)
def send(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Open a labeling queue for the items of open and confirmed findings that are in none yet."""
    return actions.send(dataset_id=uuid, actor=request.user, **given)


@operation("GET", "scanning_finding", Needs("scanning.view", Finding), gives=OneFindingOut)
def one_finding(request: Request, uuid: UUID) -> object:
    """With the items of its group."""
    return queries.get_finding(request.user, uuid)


@operation("POST", "scanning_confirm", Needs("scanning.judge", Finding, see="scanning.view"), takes=JudgeIn, gives=FindingOut)
def confirm(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """It is to be mended; no label changes."""
    return actions.confirm(finding_id=uuid, actor=request.user, **given)


@operation("POST", "scanning_dismiss", Needs("scanning.judge", Finding, see="scanning.view"), takes=DismissIn, gives=FindingOut)
def dismiss(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Later scans leave it dismissed."""
    return actions.dismiss(finding_id=uuid, actor=request.user, **given)


@operation("POST", "scanning_reopen", Needs("scanning.judge", Finding, see="scanning.view"), takes=JudgeIn, gives=FindingOut)
def reopen(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Open again, after it was confirmed or dismissed."""
    return actions.reopen(finding_id=uuid, actor=request.user, **given)


urlpatterns = [
    path("datasets/<uuid:uuid>/scans/", methods(list_scans, start_scan)),
    path("datasets/<uuid:uuid>/findings/", list_findings),
    path("datasets/<uuid:uuid>/findings/send/", send),
    path("findings/<uuid:uuid>/", one_finding),
    path("findings/<uuid:uuid>/confirm/", confirm),
    path("findings/<uuid:uuid>/dismiss/", dismiss),
    path("findings/<uuid:uuid>/reopen/", reopen),
]
