from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.models.schemas import IMPORTING, Label

USER = settings.AUTH_USER_MODEL


class Annotation(models.Model):
    """One annotation of an item by one person. Immutable: an undo or a change is a new row that replaces
    it.
    """

    append_only = True
    deletable_when = IMPORTING
    project_path = "queue__dataset__project"
    root_path = "queue__dataset"

    class Action(models.TextChoices):
        LABEL = "label", "Label"
        SKIP = "skip", "Skip"
        UNDO = "undo", "Undo"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="annotations")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="annotations")
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="annotations")
    action = models.CharField(max_length=6, choices=Action.choices, default=Action.LABEL)
    label = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, related_name="annotations")
    value = models.JSONField(
        null=True, help_text="the value, for tasks other than one label per text; see `task_types.answers`"
    )
    shown = models.JSONField(
        null=True, help_text="order in which the responses were shown: their numbers in the file, from 0"
    )
    reason = models.CharField(max_length=500, blank=True)
    seconds = models.FloatField(default=0, help_text="time on the item, in seconds")
    suggestion = models.ForeignKey(
        "prelabels.Suggestion",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="what was shown first",
    )
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    client_key = models.UUIDField(
        help_text="sent by the page with each annotation, so that a double submit creates one row"
    )
    right = models.BooleanField(
        null=True,
        help_text="of an annotation of a gold item: whether it was correct at the time; null otherwise",
    )
    gold = models.BooleanField(default=False, help_text="whether the source tool marks it as ground truth")
    created_at = models.DateTimeField(
        default=timezone.now, help_text="when it was given; for imported annotations, as in the file"
    )
    words = ""  # the annotation as a line; filled by the queries that show it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "client_key"], name="one_annotation_per_submit"),
            models.CheckConstraint(
                condition=~Q(action="label") | Q(label__isnull=False) ^ Q(value__isnull=False),
                name="label_or_value",
            ),
        ]
        indexes = [
            models.Index(fields=["item", "queue", "user"], name="annotation_item"),
            models.Index(fields=["queue", "user", "-id"], name="annotation_person"),
            models.Index(
                fields=["queue", "user", "id"], condition=Q(right__isnull=False), name="annotation_gold"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.user_id}"
