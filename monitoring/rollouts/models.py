from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from lifecycle.runtime.statistics.intervals import Interval
from monitoring.rollouts.rules import METRICS, OPEN, Counts, Kind, Plan, Side, State, share_text
from monitoring.rollouts.rules.decision import DECISION_MARKS
from monitoring.rollouts.rules.state import MARKS, WORDS
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment
from registry.promotions.models import PromotionRequest

USER = settings.AUTH_USER_MODEL


class Rollout(models.Model):
    """The way of one version from its first share of an endpoint's traffic to all of it, or back. The plan
    never changes.
    """

    append_only = True
    changeable = (
        "state",
        "share",
        "moves",
        "step_started_at",
        "window_started_at",
        "asked_at",
        "next_share",
        "next_by",
        "next_reason",
        "reason",
        "ended_at",
        "ended_by",
    )
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    State = State

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="rollouts")
    request = models.ForeignKey(PromotionRequest, on_delete=models.PROTECT, related_name="rollouts")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="rollouts")
    baseline = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="+", help_text="live beside it, all the time"
    )
    plan = models.JSONField(
        help_text="steps, minimum of each, margin, chances of a false rollback, longest time: rules.Plan"
    )
    state = models.CharField(max_length=11, choices=State.choices, default=State.RUNNING)
    share = models.PositiveSmallIntegerField(help_text="of 10,000, now or at the end")
    moves = models.PositiveIntegerField(
        default=0, help_text="how often its state or share changed: what a form has seen"
    )
    step_started_at = models.DateTimeField(help_text="since when it has this share")
    window_started_at = models.DateTimeField(
        help_text="start of the time limit of the current step; reset on resume"
    )
    asked_at = models.DateTimeField(null=True, help_text="when a person was asked to widen this step")
    next_share = models.PositiveSmallIntegerField(
        null=True, help_text="the wider share that was decided and is not in force yet"
    )
    next_by = models.ForeignKey(
        USER, null=True, on_delete=models.PROTECT, related_name="+", help_text="null: the rule"
    )
    next_reason = models.CharField(max_length=500, blank=True)
    reason = models.CharField(max_length=500, blank=True, help_text="why it holds, or why it ended")
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        USER,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="null: the rule or the server's guard",
    )
    is_demo = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"], condition=Q(state__in=sorted(OPEN)), name="one_open_rollout"
            ),
        ]
        indexes = [models.Index(fields=["endpoint", "-id"], name="rollout_newest")]

    def __str__(self) -> str:
        return f"{self.version} on {self.endpoint}"

    @property
    def rule(self) -> Plan:
        """The plan as the rules read it."""
        return Plan.from_json(self.plan)

    @property
    def is_open(self) -> bool:
        """Whether its canary still takes traffic."""
        return self.state in OPEN

    @property
    def mark(self) -> str:
        """The mark that goes with its state: live, stop, warn, ok, bad, off."""
        return MARKS[State(self.state)]

    @property
    def word(self) -> str:
        """Its state beside a title: Canary running."""
        return WORDS.get(State(self.state), State(self.state).label)

    @property
    def share_text(self) -> str:
        """5 %."""
        return share_text(self.share)


class Segment(models.Model):
    """A stretch of a rollout with one share. Evidence is counted within it and multiplied across segments."""

    append_only = True
    changeable = ("counted_from", "ended_at", "groups")

    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="segments")
    number = models.PositiveSmallIntegerField()
    deployment = models.OneToOneField(Deployment, on_delete=models.PROTECT, related_name="rollout_segment")
    share = models.PositiveSmallIntegerField(help_text="of 10,000")
    started_at = models.DateTimeField()
    counted_from = models.DateTimeField(null=True, help_text="after the warm-up; null while that lasts")
    ended_at = models.DateTimeField(null=True)
    groups = models.JSONField(
        default=dict, help_text="those of its minutes added up, so that a look reads one row: rules.Groups"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rollout", "number"], name="one_segment_per_number")]

    def __str__(self) -> str:
        return share_text(self.share)


class Sides(models.Model):
    """Ten counts: requests as they came, units (one for each sticky key and minute), and the units that
    failed, were slow, were wrong.
    """

    canary_requests = models.PositiveIntegerField(default=0)
    canary_units = models.PositiveIntegerField(default=0)
    canary_errors = models.PositiveIntegerField(default=0)
    canary_slow = models.PositiveIntegerField(default=0)
    canary_wrong = models.PositiveIntegerField(default=0)
    stable_requests = models.PositiveIntegerField(default=0)
    stable_units = models.PositiveIntegerField(default=0)
    stable_errors = models.PositiveIntegerField(default=0)
    stable_slow = models.PositiveIntegerField(default=0)
    stable_wrong = models.PositiveIntegerField(default=0)

    COLUMNS = tuple(
        f"{arm}_{name}"
        for arm in ("canary", "stable")
        for name in ("requests", "units", "errors", "slow", "wrong")
    )

    class Meta:
        abstract = True

    @property
    def counts(self) -> Counts:
        """Both arms as the rules read them."""
        numbers = [getattr(self, name) for name in self.COLUMNS]
        return Counts(Side(*numbers[:5]), Side(*numbers[5:]))

    @classmethod
    def columns_of(cls, counts: Counts) -> dict[str, int]:
        """The counts by column."""
        return dict(zip(cls.COLUMNS, (*counts.canary.astuple(), *counts.stable.astuple()), strict=True))


class Minute(Sides):
    """One minute of a segment, counted from its predictions. Counted again only when the minute's rollups
    have changed since.

    The six `first` counts are what the evidence is made of: bad units without a key, and the keys whose first
    event of the kind this is.
    """

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="minutes")
    start = models.DateTimeField()
    stamp = models.CharField(max_length=80, help_text="the sums of the minute's rollups when it was counted")
    slow_ms = models.FloatField(
        null=True,
        help_text="above it an answer is slow: the stable arm's p95 of the hour before; null: too few",
    )
    canary_first_errors = models.PositiveIntegerField(default=0)
    canary_first_slow = models.PositiveIntegerField(default=0)
    canary_first_wrong = models.PositiveIntegerField(default=0)
    stable_first_errors = models.PositiveIntegerField(default=0)
    stable_first_slow = models.PositiveIntegerField(default=0)
    stable_first_wrong = models.PositiveIntegerField(default=0)
    groups = models.JSONField(help_text="units by group of keys: rules.Groups")

    FIRSTS = tuple(f"{arm}_first_{metric}" for arm in ("canary", "stable") for metric in METRICS)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "start"], name="one_count_per_minute")]

    def __str__(self) -> str:
        return f"{self.start:%H:%M}"

    @property
    def events(self) -> dict[str, tuple[int, int]]:
        """What is evidence, by metric: (canary, stable)."""
        return {
            metric: (getattr(self, f"canary_first_{metric}"), getattr(self, f"stable_first_{metric}"))
            for metric in METRICS
        }

    @classmethod
    def firsts_of(cls, counts: Counts) -> dict[str, int]:
        """The bad units of these counts by `first` column."""
        return {
            f"{arm}_first_{metric}": getattr(getattr(counts, arm), metric)
            for arm in ("canary", "stable")
            for metric in METRICS
        }


class FirstEvent(models.Model):
    """The minute in which a sticky key first failed, was slow, or got a wrong prediction in a segment. Gone
    when the rollout ends.
    """

    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, related_name="first_events", db_index=False
    )
    metric = models.CharField(max_length=6)
    key = models.CharField(max_length=16, help_text="digest of the sticky key")
    arm = models.CharField(max_length=8)
    start = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "metric", "key"], name="one_first_event")]
        indexes = [models.Index(fields=["segment", "start"], name="first_event_minute")]

    def __str__(self) -> str:
        return f"{self.metric} of {self.key}"


class Look(Sides):
    """What the rule saw and decided at one moment. Counts are those of the segment; evidence is that of the
    whole rollout.
    """

    append_only = True

    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="looks")
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="looks")
    at = models.DateTimeField()
    log_e_errors = models.FloatField(help_text="natural logarithm")
    log_e_slow = models.FloatField()
    log_e_wrong = models.FloatField()
    difference = models.FloatField(
        null=True, help_text="error share of the canary minus the stable arm's; null: too few requests"
    )
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    decision = models.CharField(max_length=8, choices=Kind.choices)
    why = models.CharField(max_length=500)

    class Meta:
        indexes = [models.Index(fields=["rollout", "-id"], name="look_newest")]

    def __str__(self) -> str:
        return f"{self.decision} at {self.at:%H:%M:%S}"

    @property
    def log_e(self) -> dict[str, float]:
        """By metric."""
        return {"errors": self.log_e_errors, "slow": self.log_e_slow, "wrong": self.log_e_wrong}

    @property
    def interval(self) -> Interval | None:
        """The difference with its always-valid bounds."""
        if self.difference is None or self.low is None or self.high is None:
            return None
        return Interval(self.difference, self.low, self.high)

    @property
    def points(self) -> tuple[float, float, float] | None:
        """The difference and its bounds in percentage points."""
        found = self.interval
        return (100 * found.value, 100 * found.low, 100 * found.high) if found else None

    @property
    def mark(self) -> str:
        """The mark that goes with its decision: half, ok, warn, bad."""
        return DECISION_MARKS[Kind(self.decision)]
