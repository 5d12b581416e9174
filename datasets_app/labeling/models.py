from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.labeling.matching import Kind, Mode
from datasets_app.labeling.relabelling import ChangeKind

USER = settings.AUTH_USER_MODEL
IMPORTING = (  # an import that is cancelled takes its labels away with its items
    "EXISTS (SELECT 1 FROM datasets_item i JOIN datasets_upload u ON u.id = i.upload_id WHERE i.id = OLD.item_id AND u.state <> 'imported')"
)


class LabelSchema(models.Model):
    """One version of a dataset's labels and guideline. Never changed: a change is the next version, with the same label ids."""

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="schemas")
    version = models.PositiveIntegerField()
    guideline = models.TextField(blank=True, help_text="Markdown")
    digest = models.CharField(max_length=64)
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "version"], name="one_schema_per_version")]

    def __str__(self) -> str:
        return f"schema {self.version} of {self.dataset}"


class Label(models.Model):
    """One class in one version of a schema. `stable_id` is the same in every version, whatever its name."""

    append_only = True

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    schema = models.ForeignKey(LabelSchema, on_delete=models.PROTECT, related_name="labels")
    stable_id = models.UUIDField(default=uuid4)
    name = models.CharField(max_length=120)
    group = models.CharField(max_length=80, blank=True, help_text="heading in the class map")
    definition = models.TextField(blank=True)
    examples = models.JSONField(default=list, help_text="texts that belong here")
    lookalikes = models.JSONField(default=list, help_text='[{"name", "note"}]: close, but not this')
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["schema", "name"], name="one_label_per_name"),
            models.UniqueConstraint(fields=["schema", "stable_id"], name="one_label_per_stable_id"),
        ]

    def __str__(self) -> str:
        return self.name


class LabelChange(models.Model):
    """What a version did to one class that it no longer has. Answers keep the class they named and are read through these rows."""

    append_only = True

    schema = models.ForeignKey(LabelSchema, on_delete=models.PROTECT, related_name="changes", help_text="the first version without it")
    kind = models.CharField(max_length=8, choices=ChangeKind.choices)
    source = models.UUIDField(help_text="stable id of the class")
    name = models.CharField(max_length=120, help_text="of the class in the version before")
    targets = models.JSONField(default=list, help_text="stable ids: one of a merge, two or more of a split, none of a retirement")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schema", "source"], name="one_change_per_class"),
            models.UniqueConstraint(fields=["source"], condition=Q(kind="merge"), name="merged_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.name}"


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

    class Order(models.TextChoices):
        GIVEN = "given", "As the items came"
        RANDOM = "random", "By chance"
        UNCERTAIN = "uncertain", "What the suggestions are least sure of first"

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
    items_disputed = models.PositiveIntegerField(default=0, help_text="complete, not unanimous, not decided yet")
    disputes_total = models.PositiveIntegerField(default=0, help_text="items on which annotators have disagreed, settled or not")
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.UNDECIDED, help_text="which items it takes")
    upload = models.ForeignKey(
        Upload, null=True, on_delete=models.PROTECT, related_name="+", help_text="whose items, where it takes one upload"
    )
    order = models.CharField(max_length=10, choices=Order.choices, default=Order.GIVEN, help_text="in which items are handed out")
    due_on = models.DateField(null=True, help_text="until when it should be done; it stays open after that")
    people: models.ManyToManyField[Any, Any] = models.ManyToManyField(
        USER, related_name="+", help_text="who alone gets its items; everybody who may annotate where empty"
    )
    filled_at = models.DateTimeField(null=True, help_text="when all slots had been made")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "name"], name="one_queue_per_name"),
            models.CheckConstraint(condition=Q(overlap__gte=1, overlap__lte=5), name="overlap_1_to_5"),
            models.CheckConstraint(condition=Q(hidden_share__lte=100), name="hidden_share_percent"),
        ]

    def __str__(self) -> str:
        return self.name


class Annotation(models.Model):
    """What one person said of one item, once. Never changed: an undo or a second thought is a new row that replaces this one."""

    append_only = True
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
    value = models.JSONField(null=True, help_text="what was said, where the task is not one class per text; see `labeling.values`")
    shown = models.JSONField(null=True, help_text="in which order the responses stood on the screen: their numbers in the file, from 0")
    reason = models.CharField(max_length=500, blank=True)
    seconds = models.FloatField(default=0, help_text="time on the item, in seconds")
    suggestion = models.ForeignKey("Suggestion", null=True, on_delete=models.PROTECT, related_name="+", help_text="what was shown first")
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    client_key = models.UUIDField(help_text="made by the page for each answer, so that a double submit makes one row")
    created_at = models.DateTimeField(auto_now_add=True)
    words = ""  # what was said, as a line; filled by the queries that show it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "client_key"], name="one_annotation_per_submit"),
            models.CheckConstraint(condition=~Q(action="label") | Q(label__isnull=False) ^ Q(value__isnull=False), name="label_or_value"),
        ]
        indexes = [
            models.Index(fields=["item", "id"], name="annotation_item"),
            models.Index(fields=["queue", "user", "-id"], name="annotation_person"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.user_id}"


class Slot(models.Model):
    """One needed judgement: an item of a queue that one more person has to label. Leased while it is on someone's screen."""

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
    annotation = models.ForeignKey(Annotation, null=True, on_delete=models.PROTECT, related_name="+", help_text="the current answer")

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

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "user"], name="one_seat_per_person")]

    def __str__(self) -> str:
        return f"seat of {self.user_id}"


class SlotSkip(models.Model):
    """A person who skipped an item, so that it goes to others first."""

    append_only = True

    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="skips")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "item", "user"], name="one_skip_per_person")]

    def __str__(self) -> str:
        return f"skip of {self.item_id}"


class Decision(models.Model):
    """The one label of an item that training reads. Never changed: a new decision supersedes it.

    A withdrawn decision says that the one it supersedes no longer holds: its item is undecided until the next.
    """

    append_only = True
    deletable_when = IMPORTING
    project_path = "item__dataset__project"
    root_path = "item__dataset"

    class How(models.TextChoices):
        SINGLE = "single", "One annotator"
        UNANIMOUS = "unanimous", "All annotators agree"
        ADJUDICATED = "adjudicated", "Adjudicated"
        IMPORTED = "imported", "Imported"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="decisions")
    label = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, related_name="decisions")
    value = models.JSONField(null=True, help_text="as in Annotation")
    queue = models.ForeignKey(Queue, null=True, on_delete=models.PROTECT, db_index=False, related_name="decisions")
    how = models.CharField(max_length=12, choices=How.choices)
    by = models.ForeignKey(
        USER,
        null=True,
        on_delete=models.PROTECT,
        related_name="decisions",
        help_text="adjudicator or who accepted the upload; null: a rule",
    )
    reason = models.CharField(max_length=1000, blank=True)
    annotations = models.ManyToManyField(Annotation, related_name="decisions", help_text="the answers that it rests on")
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")
    change = models.ForeignKey(
        LabelChange,
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text="of its class, which moved or withdrew it; who published that answers for it beside `by`",
    )
    digest = models.CharField(max_length=64, help_text="sha256 over item digest, label, how, who and what it supersedes")
    created_at = models.DateTimeField(auto_now_add=True)
    words = ""  # what was decided, as a line; filled by the queries that show it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item"], condition=Q(supersedes__isnull=True), name="one_first_decision"),
            models.CheckConstraint(condition=Q(label__isnull=False) ^ Q(value__isnull=False), name="decision_label_or_value"),
        ]
        indexes = [models.Index(fields=["item", "-id"], name="decision_item"), models.Index(fields=["queue", "-id"], name="decision_queue")]

    def __str__(self) -> str:
        return f"{self.how} decision"


class Suggestion(models.Model):
    """What a run, a rule or an imported file proposes for an item; never counted as anybody's answer.

    A source names classes one by one, each with its score; spans come as one value, each span with its own "score" where there is one.
    """

    append_only = True
    deletable_when = IMPORTING

    class Source(models.TextChoices):
        IMPORT = "import", "Imported file"
        RUN = "run", "Run"
        RULE = "rule", "Rule"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="suggestions")
    label = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, related_name="+")
    value = models.JSONField(null=True, help_text="as in Annotation")
    score = models.FloatField(null=True, help_text="0 to 1; null where the source gives none")
    source = models.CharField(max_length=8, choices=Source.choices)
    source_digest = models.CharField(max_length=64, help_text="of the file, the run's artifact or the rule")
    source_name = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "source_digest", "label"], name="one_suggestion_per_source"),
            models.UniqueConstraint(fields=["item", "source_digest"], condition=Q(label__isnull=True), name="one_value_per_source"),
            models.CheckConstraint(condition=Q(label__isnull=False) ^ Q(value__isnull=False), name="suggestion_label_or_value"),
        ]

    def __str__(self) -> str:
        return f"suggestion for {self.item_id}"


class Dispute(models.Model):
    """An item whose annotators do not agree. It is settled by a reviewer, by the annotators themselves, or returned to them."""

    class State(models.TextChoices):
        OPEN = "open", "To settle"
        SETTLED = "settled", "Settled"
        RETURNED = "returned", "Returned"
        VANISHED = "vanished", "No longer disputed"

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="disputes")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    pair = models.CharField(max_length=80, help_text="the two most frequent answers: their stable ids, sorted, joined by a bar")
    answers = models.PositiveSmallIntegerField(help_text="different answers: the wider the split, the more")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    decision = models.ForeignKey(Decision, null=True, on_delete=models.PROTECT, related_name="+", help_text="what settled it")
    opened_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "item"], condition=Q(state="open"), name="one_open_dispute")]
        indexes = [
            models.Index(fields=["queue", "-answers", "id"], condition=Q(state="open"), name="dispute_widest"),
            models.Index(fields=["queue", "id"], condition=Q(state="open"), name="dispute_oldest"),
            models.Index(fields=["queue", "pair", "-id"], name="dispute_pair"),
        ]

    def __str__(self) -> str:
        return f"dispute about {self.item_id}"


class Comment(models.Model):
    """What someone wrote about an item, for the others who work on it. A flag is a comment that asks for a look."""

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
    is_return = models.BooleanField(default=False, help_text="with which a reviewer returned the item; its annotators see it")
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["item", "id"], name="comment_item")]

    def __str__(self) -> str:
        return f"comment on {self.item_id}"


class Rule(models.Model):
    """One version of a rule that suggests a class for the texts it hits. Never changed: a change, or the end of it, is the next version."""

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="rules")
    stable_id = models.UUIDField(default=uuid4, help_text="the same in every version")
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=80)
    label = models.UUIDField(help_text="stable id of the class that it suggests")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.WORDS)
    pattern = models.TextField(help_text="words and phrases, one a line; or a regular expression")
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.ANY)
    retired = models.BooleanField(default=False, help_text="suggests nothing from this version on")
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    digest = models.CharField(max_length=64, unique=True, help_text="of all that makes this version: the source of its suggestions")
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stable_id", "version"], name="one_rule_per_version")]

    def __str__(self) -> str:
        return self.name


class RulePass(models.Model):
    """How far one version of a rule has read one upload, whose items never become more. Kept by the job that applies rules."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="passes")
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="+")
    reached = models.BigIntegerField(default=0, help_text="key of the last item that it has read")
    items = models.PositiveBigIntegerField(default=0, help_text="read so far")
    hits = models.PositiveBigIntegerField(default=0, help_text="of these, hit")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "upload"], name="one_pass_per_upload")]

    def __str__(self) -> str:
        return f"pass over {self.upload_id}"


class QualityReport(models.Model):
    """How good the labels of one queue are, as measured once over all its standing answers. The newest edition is the one that counts."""

    append_only = True
    project_path = "queue__dataset__project"
    root_path = "queue__dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, db_index=False, related_name="quality_reports")
    edition = models.PositiveIntegerField(help_text="1 for the first measure of the queue")
    as_of = models.DateTimeField(help_text="when the measure began to read")
    slots_done = models.PositiveIntegerField(help_text="of the queue, then")
    items_decided = models.PositiveIntegerField(help_text="of the queue, then")
    figures = models.JSONField(help_text="as `quality.Measure.figures` gives them, and labels: the stable ids in their order")
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+", help_text="null: measured by itself")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "edition"], name="one_report_per_edition")]

    def __str__(self) -> str:
        return f"quality report {self.edition} of {self.queue_id}"


class Difference(models.Model):
    """Two people's different answers to one item, as of an edition of the queue's report: what the cells of its matrices open.

    Written by the measure before its report appears, and removed when the next edition has appeared.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, db_index=False, related_name="differences")
    edition = models.PositiveIntegerField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, db_index=False, related_name="+")
    one = models.ForeignKey(USER, on_delete=models.PROTECT, db_index=False, related_name="+", help_text="the smaller key")
    other = models.ForeignKey(USER, on_delete=models.PROTECT, db_index=False, related_name="+")
    first = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, db_index=False, related_name="+", help_text="the earlier label")
    second = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, db_index=False, related_name="+")
    leads = models.BooleanField(help_text="whether it is the first of its item with these two labels")

    class Meta:
        indexes = [
            models.Index(fields=["queue", "edition", "first", "second", "id"], condition=Q(leads=True), name="difference_labels"),
            models.Index(fields=["queue", "edition", "one", "other", "id"], name="difference_people"),
        ]

    def __str__(self) -> str:
        return f"difference about {self.item_id}"
