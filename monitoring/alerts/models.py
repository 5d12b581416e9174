from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from monitoring.alerts.rules.burn import Count
from monitoring.alerts.rules.objectives import Kind, count_of
from monitoring.alerts.rules.state import MARKS, SEVERITY_MARKS, Answer, Severity, State, Why
from monitoring.traffic.counts import Counts
from registry.catalog.models import Endpoint
from registry.endpoints.models import Deployment
from registry.ground.access.models import Project

USER = settings.AUTH_USER_MODEL


class Objective(models.Model):
    """How good an endpoint is meant to be: the share of good events over a window. One of each kind; every
    change is an Event.

    reading: what the last evaluation measured, so that pages need not count again: {"state", "rows":
    [{"long", "short"}], "budget"}.
    """

    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="objectives")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    target = models.FloatField(help_text="share of good events, 0.5 to below 1")
    threshold_ms = models.FloatField(null=True, help_text="of latency: slower is bad")
    window_days = models.PositiveSmallIntegerField(default=30)
    owner = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    is_on = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(
        default=1, help_text="counts its changes; a form carries the one it saw"
    )
    reading = models.JSONField(default=dict)
    read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "kind"], name="one_objective_of_a_kind"),
            models.CheckConstraint(
                condition=Q(target__gte=0.5, target__lt=1), name="objective_target_in_range"
            ),
            models.CheckConstraint(
                condition=Q(kind="latency", threshold_ms__gt=0)
                | (~Q(kind="latency") & Q(threshold_ms__isnull=True)),
                name="objective_threshold_of_latency_alone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.endpoint}"

    def count_of(self, counts: Counts) -> Count:
        """What counts for it, of what was counted."""
        return count_of(self.kind, self.threshold_ms, counts)


class Alert(models.Model):
    """A condition to notify people of, from its first to its last occurrence. At most one is open per
    fingerprint.

    group: endpoint and live deployment, which are notified together. notified_at: time of the last message.
    calm: evaluations in a row below the limit. inhibited_by: the page that makes it unimportant for now.
    """

    project_path = "project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    fingerprint = models.CharField(max_length=64)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(Endpoint, null=True, on_delete=models.PROTECT, related_name="alerts")
    deployment = models.ForeignKey(
        Deployment, null=True, on_delete=models.PROTECT, related_name="+", help_text="live when it began"
    )
    group = models.CharField(max_length=80)
    source = models.CharField(
        max_length=40, help_text="which rule: objective, drift, canary, load, server, heartbeat …"
    )
    key = models.JSONField(default=dict)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    title = models.CharField(max_length=200)
    text = models.TextField(help_text="what happens, how fast, what to do")
    url = models.CharField(max_length=300, blank=True, help_text="the page where something can be done")
    state = models.CharField(max_length=12, choices=State.choices, default=State.FIRING)
    value = models.FloatField(null=True)
    count = models.PositiveIntegerField(default=1, help_text="how often it was seen")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    notified_at = models.DateTimeField(null=True)
    calm = models.PositiveSmallIntegerField(default=0)
    inhibited_by = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="inhibits")
    acknowledged_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    acknowledged_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    resolution = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=~Q(state="resolved"), name="one_open_alert_per_fingerprint"
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False)
                | (~Q(state="resolved") & Q(resolved_at__isnull=True)),
                name="alert_end_exactly_when_resolved",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-id"], name="alert_project"),
            models.Index(fields=["endpoint", "-id"], name="alert_endpoint"),
            models.Index(fields=["fingerprint", "-first_at"], name="alert_flaps"),
            models.Index(fields=["group", "-notified_at"], name="alert_group"),
            models.Index(fields=["id"], condition=~Q(state="resolved"), name="alert_open"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Whether it still burns, acknowledged or not."""
        return self.state != State.RESOLVED

    @property
    def mark(self) -> str:
        """The mark that goes with it: of its severity while no one has taken it, else of its state."""
        return (
            SEVERITY_MARKS[Severity(self.severity)]
            if self.state == State.FIRING
            else MARKS[State(self.state)]
        )


class Silence(models.Model):
    """No messages about an endpoint, or a whole project, until a moment at most seven days ahead. Alerts are
    still raised and shown.
    """

    project_path = "project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(
        Endpoint,
        null=True,
        on_delete=models.PROTECT,
        related_name="silences",
        help_text="null: all of the project",
    )
    source = models.CharField(max_length=40, blank=True, help_text="empty: whatever the rule")
    until = models.DateTimeField()
    reason = models.CharField(max_length=500)
    author = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = [
            models.Index(fields=["until"], condition=Q(ended_at__isnull=True), name="silence_in_force")
        ]

    def __str__(self) -> str:
        return f"silence on {self.endpoint or self.project}"


class Check(models.Model):
    """An evaluation of a rule. Equal results of up to five minutes are one row, `times` of them; kept for 30
    days.

    rule: such as objective:availability or drift. burns: of the four rows, [long, short] each; value and
    threshold: of the worst.
    """

    project_path = "project"
    root_path = "endpoint__model"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    endpoint = models.ForeignKey(Endpoint, null=True, on_delete=models.CASCADE, related_name="+")
    objective = models.ForeignKey(Objective, null=True, on_delete=models.CASCADE, related_name="checks")
    alert = models.ForeignKey(Alert, null=True, on_delete=models.CASCADE, related_name="checks")
    rule = models.CharField(max_length=60)
    begin = models.DateTimeField()
    at = models.DateTimeField(help_text="the last of them")
    times = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=12, choices=Answer.choices)
    why = models.CharField(max_length=12, choices=Why.choices, blank=True)
    message = models.CharField(max_length=300, blank=True, help_text="why, as a sentence")
    value = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    burns = models.JSONField(default=list)

    class Meta:
        indexes = [
            models.Index(fields=["objective", "-at"], name="check_objective"),
            models.Index(fields=["project", "-id"], condition=Q(state="suppressed"), name="check_suppressed"),
            models.Index(fields=["at"], name="check_at"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.state}"


class Heartbeat(models.Model):
    """When the evaluation of alerts last ran to its end. One row a name; absent for two minutes, someone else
    raises a page.
    """

    EVALUATION = "evaluation"

    name = models.CharField(max_length=20, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"
