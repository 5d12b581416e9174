from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from datasets_app.datasets.models import Dataset, Item
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.snapshots.formats import FORMATS, in_words
from datasets_app.snapshots.rules import ExportFormat
from registry.ground.artifacts.models import Blob
from registry.ground.ledger.rules import digest_of


class Snapshot(models.Model):
    """An immutable version of a dataset: which items, with which decisions, in which split. Created when its
    job succeeds.
    """

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="snapshots")
    number = models.PositiveIntegerField()
    schema = models.ForeignKey(LabelSchema, on_delete=models.PROTECT, related_name="snapshots")
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    manifest = models.ForeignKey(
        Blob,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Parquet: item, decision, label, split, cluster",
    )
    digest = models.CharField(
        max_length=64,
        help_text="sha256 over the sorted (item digest, decision digest, split), the schema and the filters",
    )
    test_digest = models.CharField(
        max_length=64, help_text="sha256 over the test rows only, without the schema"
    )
    seed = models.PositiveBigIntegerField()
    shares = models.JSONField(help_text='percent by split: {"train": 80, "validation": 10, "test": 10}')
    filters = models.JSONField(
        null=True,
        help_text="filters of the slice, evaluated as `created_by` saw the data; null: all labeled items",
    )
    counts = models.JSONField(
        help_text=(
            '{"rows", "splits": {split: rows}, "labels": {label: {split: rows}}, "label_protocol": as'
            " `counting`}"
        )
    )
    leakage = models.JSONField(
        help_text=(
            "findings and exclusions of the duplicate and leakage rules, with counts and the first cases"
        )
    )
    note = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "number"], name="one_snapshot_per_number")]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"

    @property
    def filters_digest(self) -> str:
        """The digest of the filters in the version's digest and manifest; empty for all labeled items."""
        return digest_of(self.filters) if self.filters else ""


class SplitAssignment(models.Model):
    """The split of an item, set by its first version and kept in every later one."""

    append_only = True

    item = models.OneToOneField(Item, on_delete=models.PROTECT, related_name="assignment")
    split = models.CharField(max_length=12)
    cluster = models.CharField(
        max_length=64, help_text="digest of the group of duplicates and declared groups it belongs to"
    )
    snapshot = models.ForeignKey(
        Snapshot, on_delete=models.PROTECT, related_name="assignments", help_text="the first version it is in"
    )

    class Meta:
        indexes = [models.Index(fields=["cluster"], name="assignment_cluster")]

    def __str__(self) -> str:
        return self.split


class Export(models.Model):
    """An export of a dataset version with its texts. The bytes are stored by digest."""

    append_only = True
    project_path = "snapshot__dataset__project"
    root_path = "snapshot__dataset"

    Format = ExportFormat

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="exports")
    format = models.CharField(max_length=20, choices=Format.choices)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    rows = models.PositiveBigIntegerField()
    dropped = models.PositiveBigIntegerField(default=0, help_text="total of what the format can't represent")
    losses = models.JSONField(
        default=list, help_text='the same by reason: [{"code", "count"}], codes as in formats.LOSSES'
    )
    neutralised = models.PositiveBigIntegerField(
        default=0, help_text="cells escaped because a spreadsheet would run them as formulas"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.snapshot} as {self.get_format_display()}"

    @property
    def file_name(self) -> str:
        """Its file name for downloads."""
        ending = FORMATS[ExportFormat(self.format)].ending
        return f"{self.snapshot.dataset.slug}-v{self.snapshot.number}.{ending}"

    @property
    def left_out(self) -> list[str]:
        """What the format couldn't represent, as sentences with counts."""
        # CoNLL, before reasons were stored
        losses = self.losses or ([{"code": "spans", "count": self.dropped}] if self.dropped else [])
        return [in_words(each["code"], each["count"]) for each in losses]
