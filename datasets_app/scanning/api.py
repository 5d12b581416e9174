"""Scans and findings over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.labeling.api.queues import QueueOut
from datasets_app.scanning import actions, pages, queries
from datasets_app.scanning.actions.judging import REASON_LIMIT
from datasets_app.scanning.models import Finding, GroupMember, Scan
from datasets_app.scanning.rules import Kind, ScanKind, ScanState, Status
from lifecycle.jobs.api import JobOut
from registry.access.decorators import Needs
from registry.access.rest import Request, View, read

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


class FindingOut(serializers.Serializer[Finding]):
    """A finding. item or group: what it is about. given, suggested: names of labels. labels: how a group is decided."""

    uuid = serializers.UUIDField()
    dataset = serializers.UUIDField(source="dataset.uuid")
    kind = serializers.ChoiceField(choices=Kind.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    score = serializers.FloatField()
    item = serializers.UUIDField(source="item.uuid", default=None, allow_null=True)
    group = serializers.CharField(source="group.digest", default=None, allow_null=True)
    size = serializers.IntegerField(source="group.size", default=1)
    given = serializers.CharField(source="given.name", default=None, allow_null=True)
    suggested = serializers.CharField(source="suggested.name", default=None, allow_null=True)
    labels = serializers.DictField(child=serializers.IntegerField())
    reason = serializers.CharField()
    decided_by = serializers.UUIDField(source="decided_by.uuid", default=None, allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    queue = serializers.UUIDField(source="queue.uuid", default=None, allow_null=True)


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


class Scans(View):
    """Scans of a dataset."""

    needs = {"GET": Needs("scanning.view", Dataset), "POST": Needs("scanning.scan", Dataset, see="scanning.view")}

    @extend_schema(operation_id="scanning_scans", responses=ScansOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest scans with their reports, and the findings by kind and status."""
        dataset = datasets.get_dataset(request.user, uuid)
        found = {"scans": queries.scans(dataset), "findings": list(queries.tallies(dataset).values())}
        return Response(ScansOut(found).data)

    @extend_schema(operation_id="scanning_scan", request=ScanIn, responses={202: JobOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have a dataset scanned; the answer is the job, whose subject is the dataset."""
        job = actions.scan(dataset=datasets.get_dataset(request.user, uuid), actor=request.user, **read(ScanIn, request.data))
        return Response(JobOut(job).data, status=202)


class Findings(View):
    """Findings of a dataset."""

    needs = {"GET": Needs("scanning.view", Dataset)}

    @extend_schema(
        operation_id="scanning_findings", responses=FindingPageOut,
        parameters=[
            OpenApiParameter("kind", str, required=True, enum=Kind.values), OpenApiParameter("status", str, enum=Status.values),
            OpenApiParameter("after", str),
        ],
    )  # fmt: skip
    def get(self, request: Request, uuid: UUID) -> Response:
        """One kind and status, by keyset."""
        asked = read(FindingsIn, request.query_params)
        rows = queries.ranked(datasets.get_dataset(request.user, uuid), asked["kind"], asked["status"], asked["after"])
        found = list(rows.select_related(*queries.RELATED)[: PAGE + 1])
        last = found[PAGE - 1] if len(found) > PAGE else None
        return Response({"results": FindingOut(found[:PAGE], many=True).data, "after": f"{last.score!r}:{last.pk}" if last else None})


class Send(View):
    """Findings as work for annotators."""

    needs = {"POST": Needs("scanning.send", Dataset, see="scanning.view")}

    @extend_schema(operation_id="scanning_send", request=SendIn, responses={201: QueueOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Open a labeling queue for the items of open and confirmed findings that are in none yet."""
        queue = actions.send(dataset_id=uuid, actor=request.user, **read(SendIn, request.data))
        return Response(QueueOut(queue).data, status=201)


class OneFinding(View):
    """One finding."""

    needs = {"GET": Needs("scanning.view", Finding)}

    @extend_schema(operation_id="scanning_finding", responses=OneFindingOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """With the items of its group."""
        return Response(OneFindingOut(queries.get_finding(request.user, uuid)).data)


class Confirm(View):
    """Something is wrong."""

    needs = {"POST": Needs("scanning.judge", Finding, see="scanning.view")}

    @extend_schema(operation_id="scanning_confirm", request=JudgeIn, responses=FindingOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Confirm the issue; no label changes."""
        return Response(FindingOut(actions.confirm(finding_id=uuid, actor=request.user, **read(JudgeIn, request.data))).data)


class Dismiss(View):
    """Nothing is wrong."""

    needs = {"POST": Needs("scanning.judge", Finding, see="scanning.view")}

    @extend_schema(operation_id="scanning_dismiss", request=DismissIn, responses=FindingOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Later scans leave it dismissed."""
        return Response(FindingOut(actions.dismiss(finding_id=uuid, actor=request.user, **read(DismissIn, request.data))).data)


class Reopen(View):
    """Reopen a dismissed issue."""

    needs = {"POST": Needs("scanning.judge", Finding, see="scanning.view")}

    @extend_schema(operation_id="scanning_reopen", request=JudgeIn, responses=FindingOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Open again, after it was confirmed or dismissed."""
        return Response(FindingOut(actions.reopen(finding_id=uuid, actor=request.user, **read(JudgeIn, request.data))).data)


urlpatterns = [
    path("datasets/<uuid:uuid>/scans/", Scans.as_view()),
    path("datasets/<uuid:uuid>/findings/", Findings.as_view()),
    path("datasets/<uuid:uuid>/findings/send/", Send.as_view()),
    path("findings/<uuid:uuid>/", OneFinding.as_view()),
    path("findings/<uuid:uuid>/confirm/", Confirm.as_view()),
    path("findings/<uuid:uuid>/dismiss/", Dismiss.as_view()),
    path("findings/<uuid:uuid>/reopen/", Reopen.as_view()),
]
