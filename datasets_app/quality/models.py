from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Item
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.models.schemas import Label

USER = settings.AUTH_USER_MODEL


class QualityReport(models.Model):
    """The label quality of one queue, measured once over all its current annotations. The newest edition
    counts.
    """

    append_only = True
    project_path = "queue__dataset__project"
    root_path = "queue__dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, db_index=False, related_name="quality_reports")
    edition = models.PositiveIntegerField(help_text="1 for the first report of the queue")
    as_of = models.DateTimeField(help_text="when the measurement started")
    slots_done = models.PositiveIntegerField(help_text="of the queue, then")
    items_labeled = models.PositiveIntegerField(help_text="of the queue, then")
    figures = models.JSONField(
        help_text="from `quality.Measure.figures`, and labels: the stable ids in order"
    )
    created_by = models.ForeignKey(
        USER, null=True, on_delete=models.PROTECT, related_name="+", help_text="null: automatic"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "edition"], name="one_report_per_edition")]

    def __str__(self) -> str:
        return f"quality report {self.edition} of {self.queue_id}"


class Difference(models.Model):
    """Two people's different annotations of one item, in an edition of the queue's report: the rows behind
    its matrix cells.

    Written before the report is saved, and removed after the next edition is.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, db_index=False, related_name="differences")
    edition = models.PositiveIntegerField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, db_index=False, related_name="+")
    one = models.ForeignKey(
        USER, on_delete=models.PROTECT, db_index=False, related_name="+", help_text="the smaller key"
    )
    other = models.ForeignKey(USER, on_delete=models.PROTECT, db_index=False, related_name="+")
    first = models.ForeignKey(
        Label,
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text="the earlier label",
    )
    second = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, db_index=False, related_name="+")
    leads = models.BooleanField(help_text="whether it is the first of its item with these two labels")

    class Meta:
        indexes = [
            models.Index(
                fields=["queue", "edition", "first", "second", "id"],
                condition=Q(leads=True),
                name="difference_labels",
            ),
            models.Index(fields=["queue", "edition", "one", "other", "id"], name="difference_people"),
        ]

    def __str__(self) -> str:
        return f"difference about {self.item_id}"
