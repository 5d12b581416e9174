from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.labeling.models.schemas import IMPORTING, LabelSchema
from datasets_app.labeling.rules.prelabels import Proposer

USER = settings.AUTH_USER_MODEL


class Queue(models.Model):
    """Work to be labelled: items of one dataset, each by `overlap` people. Counters are kept by the actions, so no page counts slots."""

    project_path = "dataset__project"
    root_path = "dataset"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    class Source(models.TextChoices):
        UNDECIDED = "undecided", "Items without a decision"
        ALL = "all", "All items"
        UPLOAD = "upload", "The items of one upload"
        ITEMS = "items", "Chosen items"
        SLICE = "slice", "What a slice chooses"
        BROUGHT = "brought", "What came answered with one upload"

    class Order(models.TextChoices):
        GIVEN = "given", "As the items came"
        RANDOM = "random", "By chance"
        UNCERTAIN = "uncertain", "What the suggestions are least sure of first"
        LEARNT = "learnt", "What the built-in model is least sure of first"
        DISPUTED = "disputed", "Where answers or suggestions disagree first"

    class Acceptance(models.TextChoices):
        RULE = "rule", "Agreed answers are decided at once"
        REVIEWER = "reviewer", "Agreed answers wait until a reviewer accepts them"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="queues")
    schema = models.ForeignKey(LabelSchema, on_delete=models.PROTECT, related_name="queues")
    name = models.CharField(max_length=80)
    overlap = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(5)])
    hidden_share = models.PositiveSmallIntegerField(default=20, help_text="percent of items whose suggestions are hidden")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    items_total = models.PositiveIntegerField(default=0)
    slots_total = models.PositiveIntegerField(default=0)
    slots_done = models.PositiveIntegerField(default=0)
    items_decided = models.PositiveIntegerField(default=0)
    items_agreed = models.PositiveIntegerField(default=0, help_text="complete and unanimous, waiting until a reviewer accepts them")
    items_disputed = models.PositiveIntegerField(default=0, help_text="complete, not unanimous, not decided yet")
    disputes_total = models.PositiveIntegerField(default=0, help_text="items on which annotators have disagreed, settled or not")
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.UNDECIDED, help_text="which items it takes")
    upload = models.ForeignKey(
        Upload, null=True, on_delete=models.PROTECT, related_name="+", help_text="whose items, where it takes one upload"
    )
    filters = models.JSONField(null=True, help_text="of the slice, as it was when the queue was opened; chosen as `created_by` sees them")
    order = models.CharField(max_length=10, choices=Order.choices, default=Order.GIVEN, help_text="in which items are handed out")
    acceptance = models.CharField(max_length=8, choices=Acceptance.choices, default=Acceptance.RULE)
    due_on = models.DateField(null=True, help_text="until when it should be done; it stays open after that")
    people: models.ManyToManyField[Any, Any] = models.ManyToManyField(
        USER, related_name="+", help_text="who alone gets its items; everybody who may annotate where empty"
    )
    filled_at = models.DateTimeField(null=True, help_text="when all slots had been made")
    gold_rate = models.PositiveSmallIntegerField(default=0, help_text="percent of what a person gets whose answer is known, 0 to 30")
    gold_feedback = models.BooleanField(default=False, help_text="whether people are told at once how they did on such an item")
    gold_minimum = models.PositiveSmallIntegerField(
        null=True, help_text="percent of such items that a person should get right; below it leads are told"
    )
    gold_holds = models.BooleanField(default=False, help_text="whether who is below gets nothing new until a lead lets them go on")
    gold_done = models.PositiveIntegerField(default=0, help_text="answers to gold that stand, of everybody; never among slots_done")
    suggests_from = models.CharField(
        max_length=8, blank=True, choices=Proposer.choices, help_text="whose suggestions are shown, where it has any; empty: the newest"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "name"], name="one_queue_per_name"),
            models.CheckConstraint(condition=Q(overlap__gte=1, overlap__lte=5), name="overlap_1_to_5"),
            models.CheckConstraint(condition=Q(hidden_share__lte=100), name="hidden_share_percent"),
            models.CheckConstraint(condition=Q(gold_rate__lte=30), name="gold_rate_to_30"),
            models.CheckConstraint(condition=Q(gold_minimum__isnull=True) | Q(gold_minimum__lte=100), name="gold_minimum_percent"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def mixes_gold(self) -> bool:
        """Whether some of what people get, or got, are items whose answer is known: then nothing may tell these from others."""
        return bool(self.gold_rate or self.gold_done)


ARRIVING = Q(source=Queue.Source.BROUGHT) & ~Q(upload__state=UploadState.IMPORTED)  # of an import that goes on: nobody sees it yet


class Slot(models.Model):
    """One needed judgement: an item of a queue that one more person has to label. Leased while it is on someone's screen.

    A slot of gold is needed by nobody: it was made for one person, stays theirs, and is closed, never open, while they do not hold it.
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
        "labeling.Annotation", null=True, on_delete=models.PROTECT, related_name="+", help_text="the current answer"
    )
    is_gold = models.BooleanField(default=False, help_text="asks what is known, to see how the person does")
    behind = models.BigIntegerField(null=True, help_text="of gold: the key of the slot after which it was handed out")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "item", "user"], condition=Q(user__isnull=False), name="nobody_judges_twice"),
        ]
        indexes = [
            models.Index(fields=["queue", "priority", "id"], condition=Q(state=0), name="slot_open"),
            models.Index(fields=["lease_until"], condition=Q(state=1), name="slot_lease"),
            models.Index(fields=["queue", "user", "priority", "id"], condition=Q(state=1), name="slot_in_hand"),
            models.Index(fields=["queue", "item"], name="slot_item"),
        ]

    def __str__(self) -> str:
        return f"slot {self.pk}"


class Seat(models.Model):
    """One person's place in one queue: how far they have walked through it, and what they did there. Claims of one person wait for it."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="seats")
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    priority = models.BigIntegerField(default=-(2**62), help_text="with `slot`: where the next claim goes on")
    slot = models.BigIntegerField(default=0)
    labelled = models.PositiveIntegerField(default=0, help_text="answers, less those undone")
    skipped = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0, help_text="time on the labelled items, in seconds")
    last_at = models.DateTimeField(null=True)
    seen_schema = models.ForeignKey(
        LabelSchema, null=True, on_delete=models.PROTECT, related_name="+", help_text="whose classes and guideline the person knows"
    )
    dealt = models.PositiveIntegerField(default=0, help_text="items handed out while gold was mixed in: the place of the next one")
    gold_done = models.PositiveIntegerField(default=0, help_text="answers to gold that count")
    gold_right = models.PositiveIntegerField(default=0, help_text="of these, right")
    excused_done = models.PositiveIntegerField(default=0, help_text="gold_done when a lead last let them go on; not looked at again")
    excused_right = models.PositiveIntegerField(default=0, help_text="gold_right then")
    below_at = models.DateTimeField(null=True, help_text="since when they are surely below the queue's minimum")
    held_at = models.DateTimeField(null=True, help_text="since when they get nothing new")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "user"], name="one_seat_per_person")]

    def __str__(self) -> str:
        return f"seat of {self.user_id}"

    @property
    def gold_looked_at(self) -> tuple[int, int]:
        """(right, answers) to gold since a lead last let them go on."""
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
