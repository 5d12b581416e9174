from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Dataset, Item
from datasets_app.schemas.models.schemas import IMPORTING, Label

USER = settings.AUTH_USER_MODEL


class Gold(models.Model):
    """An item with a known label, so that its annotations measure annotators' accuracy. A changed label is
    another row.

    Training doesn't use it: it uses the item's decision.
    """

    append_only = True
    changeable = ("retired_at", "retired_by", "asked", "right")
    deletable_when = IMPORTING
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    # gold_newest holds it
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, db_index=False, related_name="golds")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="golds")
    label = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, related_name="+")
    value = models.JSONField(null=True, help_text="as in Annotation")
    explanation = models.CharField(
        max_length=1000, blank=True, help_text="shown after the annotation where a queue shows gold results"
    )
    place = models.PositiveIntegerField(help_text="random: its place when one is drawn")
    set_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(
        null=True, help_text="since when it is retired: not mixed in, and its annotations don't count"
    )
    retired_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    asked = models.PositiveIntegerField(default=0, help_text="annotations of it that count, in all queues")
    right = models.PositiveIntegerField(default=0, help_text="of these, correct")
    words = ""  # the gold label, as a line; filled by the queries that show it

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=Q(retired_at__isnull=True), name="one_gold_per_item"
            ),
            models.CheckConstraint(
                condition=Q(label__isnull=False) ^ Q(value__isnull=False), name="gold_label_or_value"
            ),
        ]
        indexes = [
            models.Index(
                fields=["dataset", "place", "id"], condition=Q(retired_at__isnull=True), name="gold_drawn"
            ),
            models.Index(fields=["dataset", "-id"], name="gold_newest"),
        ]

    def __str__(self) -> str:
        return f"gold for {self.item_id}"
