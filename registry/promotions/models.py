from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from lifecycle.runtime.rules import check_move
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access import policy as access
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from registry.ground.ledger import accounts
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.policies.models import Policy
from registry.policies.rules import Step
from registry.promotions import rules
from registry.promotions.rules import MARKS, MOVES, OPEN, Status

USER = settings.AUTH_USER_MODEL
OF_VERSION = (
    "model",
    "run__snapshot__schema",
    "run__snapshot__dataset",
    "run__snapshot__created_by",
    "run__base__folder",
    "run__launched_by",
    "evaluation",
    "registered_by",
    "folder",
)  # what is read of a version for the subject of an approval


class PromotionRequest(models.Model):
    """A request to let one version serve one endpoint. What it looked at is frozen in `subject` when the
    gates are checked.
    """

    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    Status = Status
    state_moves = {"status": MOVES}

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    number = models.PositiveIntegerField(help_text="within the project")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotions")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="promotions")
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="promotions")
    baseline = models.ForeignKey(
        ModelVersion,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="live when the request was checked",
    )
    baseline_moves = models.PositiveIntegerField(default=0, help_text="the alias' count of moves then")
    requester = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="promotions")
    plan = models.JSONField(help_text="how the version gets its traffic, see plans")
    by_system = models.BooleanField(
        default=False,
        help_text="the product asked by fixed rules, on behalf of the requester, whose own work it is not",
    )
    note = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    subject = models.JSONField(default=dict, help_text="digests of everything that an approval rests on")
    subject_digest = models.CharField(max_length=64, blank=True)
    comparison = models.JSONField(
        null=True, help_text="paired differences against the baseline, made by the check"
    )
    checks = models.PositiveIntegerField(
        default=0, help_text="how often the gates were checked; the newest check counts"
    )
    reason = models.TextField(blank=True, help_text="why it ended, where it ended without being fulfilled")
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "endpoint"], condition=Q(status__in=sorted(OPEN)), name="one_open_request"
            ),
        ]
        indexes = [models.Index(fields=["endpoint", "-id"], name="promotion_newest")]

    def __str__(self) -> str:
        return f"Request {self.number}"

    @property
    def mark(self) -> str:
        """The mark that goes with its state: wait, live, half, ok, bad, stop, warn, off."""
        return MARKS[Status(self.status)]

    @property
    def asked_by(self) -> dict[str, list[str]]:
        """Whose work the request is on its own, as uuids by part, by its row."""
        return rules.asked_by(str(self.requester.uuid), by_system=self.by_system)

    @classmethod
    def locked(cls, uuid: UUID) -> PromotionRequest:
        """The request, its row locked until the caller's transaction ends."""
        rows = cls.objects.select_for_update(of=("self",), no_key=True)
        return rows.select_related("endpoint__model__project", "endpoint__policy", "policy", "requester").get(
            uuid=uuid
        )

    def locked_version(self) -> ModelVersion:
        """Its version, the row locked: no card and no quarantine comes in between."""
        rows = ModelVersion.objects.select_for_update(of=("self",), no_key=True)
        return rows.select_related(*OF_VERSION).get(pk=self.version_id)

    def move(self, new: rules.Status, **values: Any) -> None:
        """Write a new state and what goes with it. Raises Conflict where it may not follow."""
        check_move("request", MOVES, Status(self.status), new)
        if new not in OPEN:
            values["closed_at"] = timezone.now()
        self.status = new
        for name, value in values.items():
            setattr(self, name, value)
        self.save(update_fields=["status", *values])

    def is_overdue(self, now: datetime) -> bool:
        """Whether the time to decide, or the life of the approval, is over."""
        if self.status == Status.IN_REVIEW:
            return self.due_at is not None and self.due_at <= now
        return self.status == Status.APPROVED and self.expires_at is not None and self.expires_at <= now

    def next_step(self, verdicts: Iterable[Verdict]) -> Step | None:
        """The step of the policy that is to be decided next, in order; None when all are approved."""
        done = {verdict.step for verdict in verdicts if verdict.approves}
        return next((step for step in policies.read(self.policy).steps if step.name not in done), None)

    def decides(self, user: User, role: Role) -> bool:
        """Whether the person decides by this role: holds it now, and held it when the request was made."""
        return access.holds(user, role, self) and self.held_before(
            user, role, access.held_since([user]), self.asked_at([self])
        )

    def held_before(
        self, user: User, role: Role, since: Mapping[tuple[str, str], datetime], asked: Mapping[str, datetime]
    ) -> bool:
        """Whether the role was given before the request was made, on its project or its model. since, asked:
        as the audit log has it.
        """
        roots = (self.endpoint.model.project, self.endpoint.model)
        given, made = (
            (since.get((str(user.uuid), access.group_name(root, role))) for root in roots),
            asked.get(str(self.uuid)),
        )
        return any(at is not None and made is not None and at <= made for at in given)

    @staticmethod
    def asked_at(requests: Iterable[PromotionRequest]) -> dict[str, datetime]:
        """When each request was made, by its uuid: as the trail has it, since the row's own column may have
        been moved. One statement.
        """
        events = accounts.events_of([str(request.uuid) for request in requests], {Verb.PROMOTION_REQUESTED})
        return {uuid: logged[0].at for uuid, logged in events.items() if logged}


class GateResult(models.Model):
    """What one gate of the policy found at one check of the request. The newest check counts; earlier ones
    are kept.
    """

    append_only = True

    class Status(models.TextChoices):
        PASSED = "passed", "Passed"
        WATCH = "watch", "Watch"
        FAILED = "failed", "Failed"

    request = models.ForeignKey(PromotionRequest, on_delete=models.PROTECT, related_name="gates")
    check_number = models.PositiveIntegerField(help_text="the request's count of checks then")
    gate = models.CharField(max_length=40)
    title = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=Status.choices)
    blocking = models.BooleanField(default=True)
    value = models.CharField(max_length=80, blank=True)
    threshold = models.CharField(max_length=80, blank=True)
    evidence = models.CharField(max_length=500)
    source = models.CharField(
        max_length=120,
        blank=True,
        help_text="what the figure comes from, such as an evaluation's report digest",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "check_number", "gate"], name="one_result_per_gate")
        ]

    def __str__(self) -> str:
        return f"{self.gate}: {self.status}"


class Verdict(models.Model):
    """One reviewer's decision, bound to the digest of what they looked at. Never changed; one person decides
    once on a request.
    """

    append_only = True

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    request = models.ForeignKey(PromotionRequest, on_delete=models.PROTECT, related_name="verdicts")
    step = models.CharField(max_length=40, help_text="name of the policy's step")
    reviewer = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="verdicts")
    approves = models.BooleanField()
    reason = models.TextField()
    subject_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "reviewer"], name="one_verdict_per_person"),
            models.UniqueConstraint(
                fields=["request", "step"], condition=Q(approves=True), name="one_approval_per_step"
            ),
        ]

    def __str__(self) -> str:
        return f"{'approved' if self.approves else 'rejected'}: {self.step}"


class PromotionComment(models.Model):
    """What someone wrote about a request, for all who decide on it."""

    append_only = True

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    request = models.ForeignKey(PromotionRequest, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"comment on {self.request}"
