from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.catalog.models import Endpoint, ModelVersion
from registry.policies.models import Policy
from registry.promotions.rules import MARKS, MOVES, OPEN, Status

USER = settings.AUTH_USER_MODEL


class PromotionRequest(models.Model):
    """A request to let one version serve one endpoint. What it looked at is frozen in `subject` when the gates are checked."""

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
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="+", help_text="live when the request was checked"
    )
    baseline_moves = models.PositiveIntegerField(default=0, help_text="the alias' count of moves then")
    requester = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="promotions")
    plan = models.JSONField(
        default=dict, help_text="how the version gets its traffic, see plans; empty: chosen at start, as before requests had one"
    )
    by_system = models.BooleanField(
        default=False, help_text="the product asked by fixed rules, on behalf of the requester, whose own work it is not"
    )
    behind = models.JSONField(default=list, help_text="uuids of others whose work it is: who proposed the retraining, who labeled for it")
    note = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    subject = models.JSONField(default=dict, help_text="digests of everything that an approval rests on")
    subject_digest = models.CharField(max_length=64, blank=True)
    comparison = models.JSONField(null=True, help_text="paired differences against the baseline, made by the check")
    checks = models.PositiveIntegerField(default=0, help_text="how often the gates were checked; the newest check counts")
    reason = models.TextField(blank=True, help_text="why it ended, where it ended without being fulfilled")
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "endpoint"], condition=Q(status__in=sorted(OPEN)), name="one_open_request"),
        ]
        indexes = [models.Index(fields=["endpoint", "-id"], name="promotion_newest")]

    def __str__(self) -> str:
        return f"Request {self.number}"

    @property
    def mark(self) -> str:
        """The mark that goes with its state: wait, live, half, ok, bad, stop, warn, off."""
        return MARKS[Status(self.status)]


class GateResult(models.Model):
    """What one gate of the policy found at one check of the request. The newest check counts; earlier ones are kept."""

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
    source = models.CharField(max_length=120, blank=True, help_text="what the figure comes from, such as an evaluation's report digest")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "check_number", "gate"], name="one_result_per_gate")]

    def __str__(self) -> str:
        return f"{self.gate}: {self.status}"


class Verdict(models.Model):
    """One reviewer's decision, bound to the digest of what they looked at. Never changed; one person decides once on a request."""

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
            models.UniqueConstraint(fields=["request", "step"], condition=Q(approves=True), name="one_approval_per_step"),
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
