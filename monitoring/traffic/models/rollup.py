from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from registry.catalog.models import Endpoint, ModelVersion

SIDES_HELP = (
    "group of keys with + or - → predictions called right or wrong; of a shadow, those that agree or not;"
    " without a key + and -"
)
WRITTEN_HELP = (
    "of written answers: group of keys → answers, group:measure → sum in ten-thousandths; without a key the"
    " group is empty"
)
JSON_HELP = "bucket → count; empty buckets are left out"


class Rollup(models.Model):
    """Counts of an endpoint's version in an arm over one stretch of time: what pages read instead of counting
    predictions. They add up.

    requests = answered + errors + refused + shed, each request counted once; answers counts texts. Everything
    here is a whole number, so that hours added up from minutes, and days from hours, are exactly what
    counting again would give.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    arm = models.CharField(
        max_length=8, default="stable", blank=True, help_text="stable, canary, shadow; empty: none was chosen"
    )
    start = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0, help_text="5xx")
    refused = models.PositiveIntegerField(default=0, help_text="4xx but 429")
    shed = models.PositiveIntegerField(default=0, help_text="429")
    answers = models.PositiveIntegerField(default=0, help_text="texts answered")
    truncated = models.PositiveIntegerField(default=0, help_text="texts longer than the model reads")
    cpu_us = models.PositiveBigIntegerField(default=0, help_text="engine CPU time, microseconds")
    timed = models.PositiveIntegerField(default=0, help_text="texts answered whose CPU time is known")
    right = models.PositiveIntegerField(default=0)
    wrong = models.PositiveIntegerField(default=0)
    overrides = models.PositiveIntegerField(default=0, help_text="wrong predictions that were overridden")
    agree = models.PositiveIntegerField(default=0, help_text="shadow answers with the client's label")
    disagree = models.PositiveIntegerField(default=0)
    lost_milli = models.PositiveBigIntegerField(
        default=0, help_text="thousandths of requests that no server could take, beside requests"
    )
    latency = models.JSONField(
        default=dict, help_text=f"ms on a log scale, of requests that were answered; {JSON_HELP}"
    )
    labels = models.JSONField(default=dict, help_text="label → count")
    confidence = models.JSONField(default=dict, help_text=f"50 equal bins of 0 to 1; {JSON_HELP}")
    chars = models.JSONField(default=dict, help_text=f"log scale; {JSON_HELP}")
    tokens = models.JSONField(default=dict, help_text=f"log scale; {JSON_HELP}")
    oov = models.JSONField(default=dict, help_text=f"20 equal bins of 0 to 1; {JSON_HELP}")
    by_sender = models.JSONField(default=dict, help_text=SIDES_HELP)
    written = models.JSONField(default=dict, help_text=WRITTEN_HELP)
    changed_at = models.DateTimeField(
        default=timezone.now, help_text="what the next larger stretch looks for"
    )

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["endpoint", "start", "arm", "version"], name="one_%(class)s"),
            models.UniqueConstraint(
                fields=["endpoint", "start", "arm"],
                condition=Q(version__isnull=True),
                name="one_%(class)s_unanswered",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["changed_at"], name="%(class)s_changed")
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.arm} {self.start:%Y-%m-%d %H:%M}"


class MinuteRollup(Rollup):
    """One minute. Kept for 14 days."""

    class Meta(Rollup.Meta):
        pass


class HourRollup(Rollup):
    """One hour, added up from its minutes. Kept for two years."""

    class Meta(Rollup.Meta):
        pass


class DayRollup(Rollup):
    """One day UTC, added up from its hours. Kept for good: figures of a quarter would otherwise read
    thousands of hours.
    """

    class Meta(Rollup.Meta):
        pass


class RollupMark(models.Model):
    """How far the hours, or the days, have been built from what they add up. Two rows, locked by anyone who
    builds or clears away.
    """

    class Level(models.TextChoices):
        HOUR = "hour", "Hour"
        DAY = "day", "Day"

    level = models.CharField(max_length=4, choices=Level.choices, unique=True)
    through = models.DateTimeField(help_text="all before it is built")
    changed_to = models.DateTimeField(help_text="every change made before it has been taken in")
    source_from = models.DateTimeField(
        null=True,
        help_text="finer rows before this time are deleted; late counts go directly into the coarser ones",
    )

    def __str__(self) -> str:
        return f"{self.level}s through {self.through:%Y-%m-%d %H:%M}"
