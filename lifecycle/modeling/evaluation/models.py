from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from datasets_app.datasets.models import Dataset, Upload
from datasets_app.queues.models import Queue
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import rules
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.task_types.task_type import TaskType
from registry.ground.artifacts.models import Blob
from registry.ground.ledger.rules import digest_of


class Evaluation(models.Model):
    """Predictions of one artifact on one split of one dataset version. Created when the computation is done,
    and never changed.
    """

    append_only = True
    project_path = "run__project"
    root_path = "snapshot__dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="evaluations")
    root_digest = models.CharField(max_length=64, help_text="of the artifact that was evaluated")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="evaluations")
    split = models.CharField(max_length=12)
    rows = models.PositiveIntegerField()
    report = models.JSONField(
        help_text="the engine's result: metrics with intervals, per class, confusion, reliability, baselines"
    )
    report_digest = models.CharField(max_length=64)
    predictions = models.ForeignKey(
        Blob, on_delete=models.PROTECT, related_name="+", help_text="Parquet: one row an item"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "root_digest", "snapshot", "split", "report_digest"],
                name="one_evaluation_per_report",
            )
        ]
        indexes = [models.Index(fields=["run", "-id"], name="evaluation_run")]

    def __str__(self) -> str:
        return f"{self.run} on {self.split}"

    @property
    def computed_digest(self) -> str:
        """The digest of its current report and predictions."""
        return digest_of({"report": self.report, "predictions": self.predictions.digest})

    @property
    def task_type(self) -> TaskType:
        """The task of its report."""
        return rules.task_type(self.report)


class Analysis(models.Model):
    """The result of an analysis of an evaluation. Created once, and never changed. Its report has digests and
    numbers, no text; its rows have no text of the data, only what a model generated from perturbed prompts.
    """

    class Kind(models.TextChoices):
        """clusters: groups of its errors. membership: whether a row's loss reveals that it was trained on.
        robustness: what it answers to disturbed texts. words: those that speak in an item.
        """

        CLUSTERS = "clusters", "error clusters"
        MEMBERSHIP = "membership", "membership inference"
        ROBUSTNESS = "robustness", "robustness"
        WORDS = "words", "word attribution"

    append_only = True
    project_path = "evaluation__run__project"
    root_path = "evaluation__snapshot__dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="analyses")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    item = models.CharField(
        max_length=64,
        blank=True,
        help_text="digest of the item that it is about; empty: the whole evaluation",
    )
    report = models.JSONField()
    rows = models.ForeignKey(
        Blob,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Parquet: one row per item of the report",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["evaluation", "kind", "item"], name="one_analysis_of_a_kind")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.evaluation}"


class Comparison(models.Model):
    """How much better b is than a, if that took a job. Created when the computation is done, and never
    changed. Has digests, labels, and numbers, no text.
    """

    append_only = True
    project_path = "a__run__project"
    root_path = "a__snapshot__dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    a = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="+", db_index=False)
    b = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="+")
    report = models.JSONField(help_text="as compare.computed has it, with the order of its metrics")
    changed = models.JSONField(
        help_text="the first items answered differently: [digest, true, first, second, kind]"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["a", "b"], name="one_comparison_of_two")]

    def __str__(self) -> str:
        return f"{self.b.run} against {self.a.run}"


class SideBySide(models.Model):
    """A blind preference test of two models on the same prompts.

    The pairs are items of a separate dataset, by the digest of the prompt's item; in those of `swapped` the
    second model's response comes first. Annotators see neither this nor counts before all pairs are resolved.
    """

    project_path = "first__run__project"
    root_path = "first__snapshot__dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    first = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="+")
    dataset = models.OneToOneField(Dataset, on_delete=models.PROTECT, related_name="+")
    upload = models.ForeignKey(Upload, on_delete=models.PROTECT, related_name="+")
    queue = models.ForeignKey(
        Queue, null=True, on_delete=models.PROTECT, related_name="+", help_text="null until it is opened"
    )
    pairs = models.PositiveIntegerField()
    same = models.PositiveIntegerField(help_text="prompts with identical responses, not labeled")
    swapped = models.JSONField(help_text="digests of the items that show the second response first")
    seed = models.PositiveIntegerField()
    key = models.UUIDField(null=True, help_text="idempotency key of the form")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["created_by", "key"], name="one_side_by_side_per_form")
        ]
        indexes = [models.Index(fields=["first", "second", "-id"], name="side_by_side_pair")]

    def __str__(self) -> str:
        return f"{self.first.run} and {self.second.run} side by side"
