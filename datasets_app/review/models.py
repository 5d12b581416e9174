from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Item
from datasets_app.queues.models.agreed import Agreed
from datasets_app.queues.models.queues import Queue

USER = settings.AUTH_USER_MODEL


class SpotCheck(models.Model):
    """An adjudicator's check of a sample of unanimous items before the rest are accepted. One at a time per
    queue.
    """

    project_path = "queue__dataset__project"
    root_path = "queue__dataset"

    class State(models.TextChoices):
        OPEN = "open", "In progress"
        ACCEPTED = "accepted", "Accepted"
        DROPPED = "dropped", "Dropped"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="checks")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    waiting = models.PositiveIntegerField(help_text="items waiting when the sample was drawn")
    last = models.BigIntegerField(
        help_text="key of the newest of them: later items aren't accepted by this check"
    )
    tolerated = models.PositiveSmallIntegerField(
        help_text="tolerated share of wrong items in the sample, in percent",
        validators=[MaxValueValidator(50)],
    )
    earlier_judged = models.PositiveIntegerField(
        default=0, help_text="items of earlier samples that also count, when this one was drawn"
    )
    earlier_wrong = models.PositiveIntegerField(default=0, help_text="of these, wrong")
    accepted = models.PositiveIntegerField(default=0, help_text="labels accepted by this check so far")
    left_out = models.PositiveIntegerField(
        default=0, help_text="of these, not accepted because the adjudicator had annotated them"
    )
    created_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue"], condition=Q(state="open"), name="one_check_at_a_time"),
            models.CheckConstraint(condition=Q(tolerated__lte=50), name="tolerated_up_to_50"),
        ]

    def __str__(self) -> str:
        return f"check of {self.queue_id}"


class Sampled(models.Model):
    """One item of a check's sample, and whether it was right."""

    check_of = models.ForeignKey(SpotCheck, on_delete=models.CASCADE, db_index=False, related_name="sample")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    agreed = models.ForeignKey(
        Agreed,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="null: it was reviewed, or left the sample because its annotations changed",
    )
    right = models.BooleanField(
        null=True, help_text="whether the agreed label was confirmed; null: not reviewed"
    )

    pair = ""  # as a dispute: nothing is contested

    class Meta:
        constraints = [models.UniqueConstraint(fields=["check_of", "item"], name="sampled_once")]

    def __str__(self) -> str:
        return f"sampled item {self.item_id}"
