from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import models
from django.db.models import Q

from lifecycle.modeling.evaluation.models import Evaluation
from monitoring.drift.rules import Monitor, State
from registry.catalog.models import Endpoint, ModelVersion


class Baseline(models.Model):
    """What a version saw and answered when it was evaluated: the reference of every comparison. Histograms,
    never texts. Never changed.
    """

    append_only = True
    project_path = "version__model__project"
    root_path = "version__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="drift_baselines")
    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="+")
    split = models.CharField(max_length=12)
    rows = models.PositiveIntegerField()
    histograms = models.JSONField(
        help_text=(
            "label or position, confidence, chars, oov: fine bin → count, as in traffic's rollups; null:"
            " unknown; and the task's figures"
        )
    )
    calibration = models.JSONField(
        help_text=(
            "how confidences become expected shares of right answers, and what they are on the reference"
        )
    )
    items_digest = models.CharField(max_length=64, help_text="over the digests of the items, in order")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "evaluation"], name="one_baseline_per_evaluation")
        ]

    def __str__(self) -> str:
        return f"baseline of {self.version}"


class Measurement(models.Model):
    """What was found in one window of an endpoint's version. Never changed; a window is measured once, and
    once more if asked for.
    """

    append_only = True
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    baseline = models.ForeignKey(
        Baseline,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="null: none could be made",
    )
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    requested = models.BooleanField(
        default=False, help_text="measured on request; opens and closes no alerts"
    )
    rows = models.PositiveIntegerField(help_text="answers in the window; of texts: how many were compared")
    state = models.CharField(max_length=12, choices=State.choices)
    results = models.JSONField(default=dict, help_text="monitor → what was measured")
    worst = models.CharField(
        max_length=12,
        choices=Monitor.choices,
        blank=True,
        help_text="the monitor nearest to its limit, or beyond it",
    )
    ratio = models.FloatField(
        null=True, help_text="of the worst: 0 is no difference, 1 its limit; null: not measured"
    )
    why = models.CharField(max_length=500, help_text="the state as a sentence")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    def result(self, monitor: str) -> dict[str, Any]:
        """What was measured for a monitor; empty where it is not among them."""
        found: dict[str, Any] = self.results.get(monitor, {})
        return found


class DriftReport(Measurement):
    """Answers of a window against the baseline: labels, confidence, length, unknown words, and the accuracy
    to be expected.
    """

    between = models.BooleanField(
        default=False, help_text="an hour measured early because it was far off; it isn't one of the windows"
    )
    bins = models.JSONField(default=dict, help_text="monitor → [[name, reference, window]], counts")
    estimate = models.JSONField(
        null=True, help_text="expected accuracy and macro-F1 with bands; null: not estimated"
    )
    realised = models.JSONField(
        null=True, help_text="share correct at that time, with its interval; null without feedback"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "version", "window_start", "window_end", "requested", "between"],
                name="one_drift_report_per_window",
            )
        ]
        indexes = [models.Index(fields=["endpoint", "-window_end", "-id"], name="drift_newest")]

    def __str__(self) -> str:
        return f"drift of {self.endpoint} to {self.window_end:%-d %b %H:%M}"

    @property
    def largest(self) -> tuple[str, float] | None:
        """The monitor with the largest PSI, and that PSI; None where none was measured."""
        found = [
            (name, each["value"])
            for name, each in self.results.items()
            if each["unit"] == "PSI" and each["value"] is not None
        ]
        return max(found, key=lambda pair: pair[1], default=None)


class TextCheck(Measurement):
    """Kept texts of a window against the texts of the evaluation: whether a classifier separates them, and by
    which words.

    Words are named only where several texts of several senders hold them, and shown only to those who may
    read texts. Texts are named by their predictions, and are gone when those are erased.
    """

    reference_rows = models.PositiveIntegerField()
    outside = models.FloatField(
        null=True, help_text="share of texts unlike anything evaluated, 0 to 1; null: not measured"
    )
    new_words = models.JSONField(default=list)
    missing_words = models.JSONField(default=list)
    typical = models.JSONField(
        default=list, help_text="uuids of the predictions whose texts are most typical of this window"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "version", "window_start", "window_end", "requested"],
                name="one_text_check_per_window",
            )
        ]
        indexes = [models.Index(fields=["endpoint", "-window_end", "-id"], name="text_check_newest")]

    def __str__(self) -> str:
        return f"texts of {self.endpoint} to {self.window_end:%-d %b %H:%M}"


class Episode(models.Model):
    """The time during which a monitor of an endpoint was open. Only its end is written later."""

    append_only = True
    changeable = ("closed_at", "end_reason")
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="drift_episodes")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    monitor = models.CharField(max_length=12, choices=Monitor.choices)
    value = models.FloatField(help_text="in the window that opened it")
    limit = models.FloatField()
    opened_at = models.DateTimeField(help_text="the end of that window")
    closed_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "monitor"],
                condition=Q(closed_at__isnull=True),
                name="one_open_episode_per_monitor",
            )
        ]
        indexes = [models.Index(fields=["endpoint", "-opened_at"], name="drift_episode_newest")]

    def __str__(self) -> str:
        return f"{self.get_monitor_display()} on {self.endpoint}"
