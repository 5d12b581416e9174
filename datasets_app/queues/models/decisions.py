from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from datasets_app.datasets.models import Item
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.models.schemas import IMPORTING, Label, LabelChange
from registry.ground.artifacts.models import Blob

USER = settings.AUTH_USER_MODEL


class Decision(models.Model):
    """The one label of an item that training reads. Never changed: a new decision supersedes it.

    A withdrawal means that the superseded decision is no longer valid: the item is unlabeled until the next
    decision.
    """

    append_only = True
    deletable_when = IMPORTING
    project_path = "item__dataset__project"
    root_path = "item__dataset"

    class How(models.TextChoices):
        SINGLE = "single", "One annotator"
        UNANIMOUS = "unanimous", "Unanimous"
        ADJUDICATED = "adjudicated", "Adjudicated"
        ACCEPTED = "accepted", "Accepted in bulk"
        IMPORTED = "imported", "Imported"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="decisions")
    label = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, related_name="decisions")
    value = models.JSONField(null=True, help_text="as in Annotation")
    queue = models.ForeignKey(
        Queue, null=True, on_delete=models.PROTECT, db_index=False, related_name="decisions"
    )
    how = models.CharField(max_length=12, choices=How.choices)
    by = models.ForeignKey(
        USER,
        null=True,
        on_delete=models.PROTECT,
        related_name="decisions",
        help_text="adjudicator or who accepted the upload; null: automatic",
    )
    reason = models.CharField(max_length=1000, blank=True)
    annotations = models.ManyToManyField(
        Annotation, related_name="decisions", help_text="the annotations it is based on"
    )
    supersedes = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="superseded_by"
    )
    change = models.ForeignKey(
        LabelChange,
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text="schema change that moved or withdrew it; its author is responsible beside `by`",
    )
    file = models.ForeignKey(
        Blob,
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text="the file of corrected labels it was imported with",
    )
    digest = models.CharField(
        max_length=64, help_text="sha256 over item digest, label, how, who and what it supersedes"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    words = ""  # the resolved label, as a line; filled by the queries that show it

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=Q(supersedes__isnull=True), name="one_first_decision"
            ),
            models.CheckConstraint(
                condition=Q(label__isnull=False) ^ Q(value__isnull=False), name="decision_label_or_value"
            ),
        ]
        indexes = [
            models.Index(fields=["item", "-id"], name="decision_item"),
            models.Index(fields=["queue", "-id"], name="decision_queue"),
            models.Index(fields=["file"], condition=Q(file__isnull=False), name="decision_file"),
        ]

    def __str__(self) -> str:
        return f"{self.how} decision"


class Dispute(models.Model):
    """An item whose annotators disagree. It's resolved by an adjudicator, by the annotators themselves, or
    returned to them.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        SETTLED = "settled", "Adjudicated"
        RETURNED = "returned", "Returned"
        VANISHED = "vanished", "Obsolete"

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="disputes")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    pair = models.CharField(
        max_length=80,
        help_text="the two most frequent annotations: their stable ids, sorted, joined by a bar",
    )
    answers = models.PositiveSmallIntegerField(
        help_text="number of different annotations: more means a wider split"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    decision = models.ForeignKey(
        Decision,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="the label that resolved it",
    )
    opened_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "item"], condition=Q(state="open"), name="one_open_dispute"
            )
        ]
        indexes = [
            models.Index(
                fields=["queue", "-answers", "id"], condition=Q(state="open"), name="dispute_widest"
            ),
            models.Index(fields=["queue", "id"], condition=Q(state="open"), name="dispute_oldest"),
            models.Index(fields=["queue", "pair", "-id"], name="dispute_pair"),
        ]

    def __str__(self) -> str:
        return f"dispute about {self.item_id}"


class Comment(models.Model):
    """What someone wrote about an item, for the others who work on it. A flag is a comment that asks for
    review. A reply belongs to the thread of its first comment, which holds the resolved state.
    """

    append_only = True
    changeable = ("resolved_at", "resolved_by")
    project_path = "item__dataset__project"
    root_path = "item__dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="comments")
    queue = models.ForeignKey(Queue, null=True, on_delete=models.PROTECT, related_name="comments")
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=2000)
    is_flag = models.BooleanField(default=False)
    is_return = models.BooleanField(
        default=False, help_text="with which a reviewer returned the item; shown to its annotators"
    )
    reply_to = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="replies",
        help_text="the first comment of the thread",
    )
    start = models.PositiveIntegerField(null=True, help_text="start of the commented passage, in code points")
    end = models.PositiveIntegerField(
        null=True, help_text="end of the commented passage (exclusive), in code points"
    )
    mentioned: models.ManyToManyField[Any, Any] = models.ManyToManyField(
        USER, related_name="+", help_text="people mentioned in it"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(start__isnull=True, end__isnull=True)
                | Q(start__isnull=False, end__isnull=False, start__lt=F("end")),
                name="comment_passage",
            )
        ]
        indexes = [
            models.Index(fields=["item", "queue", "id"], name="comment_item"),
            models.Index(
                fields=["queue", "-id"],
                condition=Q(reply_to__isnull=True, resolved_at__isnull=True),
                name="comment_open",
            ),
            models.Index(
                fields=["queue", "-id"],
                condition=Q(reply_to__isnull=True, resolved_at__isnull=False),
                name="comment_resolved",
            ),
        ]

    def __str__(self) -> str:
        return f"comment on {self.item_id}"

    @property
    def passage(self) -> str:
        """The commented part of the text; empty if the comment is about all of it."""
        return self.item.text[self.start : self.end] if self.end is not None else ""
