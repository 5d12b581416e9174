from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.prelabels.rules import Proposer
from datasets_app.schemas.models.schemas import IMPORTING, LabelSchema

USER = settings.AUTH_USER_MODEL


class Queue(models.Model):
    """A labeling queue: items of one dataset, each annotated by `overlap` people. Actions update the
    counters, so no page counts slots.
    """

    project_path = "dataset__project"
    root_path = "dataset"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    class Source(models.TextChoices):
        UNLABELED = "unlabeled", "Unlabeled items"
        ALL = "all", "All items"
        UPLOAD = "upload", "Items of one upload"
        ITEMS = "items", "Selected items"
        SLICE = "slice", "Items of a slice"
        IMPORTED = "imported", "Annotated items of one upload"

    class Order(models.TextChoices):
        GIVEN = "given", "Import order"
        RANDOM = "random", "Random"
        UNCERTAIN = "uncertain", "Least confident pre-labels first"
        MODEL = "model", "Least confident for the built-in model first"
        DISPUTED = "disputed", "Most disagreement first"

    class Acceptance(models.TextChoices):
        RULE = "rule", "Label agreed items immediately"
        REVIEWER = "reviewer", "Agreed items wait for an adjudicator"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="queues")
    schema = models.ForeignKey(LabelSchema, on_delete=models.PROTECT, related_name="queues")
    name = models.CharField(max_length=80)
    overlap = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    hidden_share = models.PositiveSmallIntegerField(
        default=20, help_text="share of items whose pre-labels are hidden, in percent"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    items_total = models.PositiveIntegerField(default=0)
    slots_total = models.PositiveIntegerField(default=0)
    slots_done = models.PositiveIntegerField(default=0)
    items_labeled = models.PositiveIntegerField(default=0)
    items_agreed = models.PositiveIntegerField(
        default=0, help_text="complete and unanimous, waiting for an adjudicator to accept them"
    )
    items_disputed = models.PositiveIntegerField(
        default=0, help_text="complete, not unanimous, not resolved yet"
    )
    disputes_total = models.PositiveIntegerField(
        default=0, help_text="items with disagreement, resolved or not"
    )
    source = models.CharField(
        max_length=10, choices=Source.choices, default=Source.UNLABELED, help_text="which items it takes"
    )
    upload = models.ForeignKey(
        Upload, null=True, on_delete=models.PROTECT, related_name="+", help_text="for a queue of one upload"
    )
    filters = models.JSONField(
        null=True,
        help_text="filters of the slice when the queue was opened; evaluated as `created_by` sees the data",
    )
    order = models.CharField(
        max_length=10, choices=Order.choices, default=Order.GIVEN, help_text="the order of items"
    )
    acceptance = models.CharField(max_length=8, choices=Acceptance.choices, default=Acceptance.RULE)
    due_on = models.DateField(null=True, help_text="due date; the queue stays open after it")
    people: models.ManyToManyField[Any, Any] = models.ManyToManyField(
        USER, related_name="+", help_text="assigned annotators; empty: every annotator"
    )
    filled_at = models.DateTimeField(null=True, help_text="when all slots had been made")
    gold_rate = models.PositiveSmallIntegerField(
        default=0, help_text="share of each person's items that are gold, in percent, 0 to 30"
    )
    gold_feedback = models.BooleanField(
        default=False, help_text="whether gold results are shown to annotators immediately"
    )
    gold_minimum = models.PositiveSmallIntegerField(
        null=True, help_text="minimum gold accuracy in percent; leads are notified below it"
    )
    gold_holds = models.BooleanField(
        default=False,
        help_text="whether annotators below the minimum get no new items until a lead reinstates them",
    )
    gold_done = models.PositiveIntegerField(
        default=0, help_text="annotations of gold items that count; not included in slots_done"
    )
    suggests_from = models.CharField(
        max_length=8,
        blank=True,
        choices=Proposer.choices,
        help_text="source whose pre-labels are shown first; empty: the newest",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "name"], name="one_queue_per_name"),
            models.CheckConstraint(condition=Q(overlap__gte=1, overlap__lte=5), name="overlap_1_to_5"),
            models.CheckConstraint(condition=Q(hidden_share__lte=100), name="hidden_share_percent"),
            models.CheckConstraint(condition=Q(gold_rate__lte=30), name="gold_rate_to_30"),
            models.CheckConstraint(
                condition=Q(gold_minimum__isnull=True) | Q(gold_minimum__lte=100), name="gold_minimum_percent"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def mixes_gold(self) -> bool:
        """Whether gold items are or were mixed in: then nothing may reveal them."""
        return bool(self.gold_rate or self.gold_done)


# of an import in progress: still hidden
ARRIVING = Q(source=Queue.Source.IMPORTED) & ~Q(upload__state=UploadState.IMPORTED)


class Slot(models.Model):
    """One needed annotation of an item in a queue. Leased while a person has it open.

    A gold slot isn't needed: it's created for one person, stays theirs, and is closed, never open, while they
    don't hold it.
    """

    class State(models.IntegerChoices):
        OPEN = 0, "Open"
        LEASED = 1, "Leased"
        DONE = 2, "Done"
        CLOSED = 3, "Closed"

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="slots")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="slots")
    priority = models.BigIntegerField(default=0, help_text="smaller comes first")
    state = models.SmallIntegerField(choices=State.choices, default=State.OPEN)
    user = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    annotation = models.ForeignKey(
        "queues.Annotation",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="the current annotation",
    )
    is_gold = models.BooleanField(default=False, help_text="whether it asks a gold item")
    behind = models.BigIntegerField(
        null=True, help_text="for gold: the key of the slot after which it was handed out"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "item", "user"],
                condition=Q(user__isnull=False),
                name="one_slot_per_annotator",
            ),
        ]
        indexes = [
            models.Index(fields=["queue", "priority", "id"], condition=Q(state=0), name="slot_open"),
            models.Index(fields=["lease_until"], condition=Q(state=1), name="slot_lease"),
            models.Index(
                fields=["queue", "user", "priority", "id"], condition=Q(state=1), name="slot_in_hand"
            ),
            models.Index(fields=["queue", "item"], name="slot_item"),
        ]

    def __str__(self) -> str:
        return f"slot {self.pk}"


class Seat(models.Model):
    """One person's cursor and counters in one queue. Claims lock it, so one person's claims don't run at
    once.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="seats")
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    priority = models.BigIntegerField(default=-(2**62), help_text="with `slot`: where the next claim starts")
    slot = models.BigIntegerField(default=0)
    labeled = models.PositiveIntegerField(default=0, help_text="annotations, less undone ones")
    skipped = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0, help_text="time on the annotated items, in seconds")
    last_at = models.DateTimeField(null=True)
    seen_schema = models.ForeignKey(
        LabelSchema,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="version of the labels and guideline that the person has read",
    )
    dealt = models.PositiveIntegerField(
        default=0, help_text="items handed out with gold in the mix: the place of the next one"
    )
    gold_done = models.PositiveIntegerField(default=0, help_text="annotations of gold items that count")
    gold_right = models.PositiveIntegerField(default=0, help_text="of these, correct")
    excused_done = models.PositiveIntegerField(
        default=0, help_text="gold_done when a lead last reinstated them; not updated"
    )
    excused_right = models.PositiveIntegerField(default=0, help_text="gold_right at that time")
    below_at = models.DateTimeField(
        null=True, help_text="since when they are significantly below the queue's minimum"
    )
    held_at = models.DateTimeField(null=True, help_text="since when they get no new items")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "user"], name="one_seat_per_person")]

    def __str__(self) -> str:
        return f"seat of {self.user_id}"

    @property
    def gold_looked_at(self) -> tuple[int, int]:
        """(right, answers) to gold since a lead last reinstated them."""
        done = max(0, self.gold_done - self.excused_done)
        return min(done, max(0, self.gold_right - self.excused_right)), done


class SlotSkip(models.Model):
    """A person who skipped an item, so that it goes to others first."""

    append_only = True
    deletable_when = IMPORTING

    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="skips")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "item", "user"], name="one_skip_per_person")]

    def __str__(self) -> str:
        return f"skip of {self.item_id}"
