from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.queues.models import Queue
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from monitoring.retraining.rules import BUSY, LIMITS, MARKS, Kind, Outcome, Start, State, Step, step_of
from monitoring.traffic.models import Prediction
from registry.catalog.models import Endpoint, ModelVersion
from registry.promotions.models import PromotionRequest

USER = settings.AUTH_USER_MODEL


class Trigger(models.Model):
    """What makes the product propose a retraining of one endpoint on its own: one of each kind, with its
    limits.

    The author answers for what is proposed: the queue of its texts is opened on their behalf.
    """

    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    Kind = Kind

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="triggers")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    threshold = models.FloatField(help_text="PSI, share of accuracy, labels or days, by kind")
    cooldown_days = models.PositiveSmallIntegerField(default=LIMITS["cooldown_days"].default)
    min_labels = models.PositiveIntegerField(default=LIMITS["min_labels"].default)
    window_days = models.PositiveSmallIntegerField(default=LIMITS["window_days"].default)
    queue_items = models.PositiveSmallIntegerField(default=LIMITS["queue_items"].default)
    overlap = models.PositiveSmallIntegerField(default=LIMITS["overlap"].default)
    budget = models.PositiveSmallIntegerField(
        default=LIMITS["budget"].default, help_text="retrainings of the endpoint in 30 days"
    )
    start = models.CharField(max_length=4, choices=Start.choices, default=Start.BASE)
    enabled = models.BooleanField(default=True)
    author = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(auto_now=True)
    slot = models.DateTimeField(null=True, help_text="the newest ten minutes for which it was considered")
    verdict = models.JSONField(default=dict, help_text="result of the latest check: yes, for, against")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "kind"], name="one_trigger_per_kind")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} trigger of {self.endpoint}"


class Proposal(models.Model):
    """A proposal to train an endpoint's live version again, the reasons for and against, and everything that
    followed.

    What was known when it was made never changes, and no proposal is ever deleted. Each step writes its own
    foreign key once, so that the chain can be walked and a step that was killed is taken up where it was.
    """

    append_only = True
    changeable = (
        "state", "outcome", "ended_at", "collected_by", "collected_at", "collect_note", "upload", "queue",
        "items", "decided_by", "decided_at", "decision_reason", "acting", "labels_new", "labels_at",
        "gated_at", "job", "snapshot", "run", "evaluation", "live_evaluation", "comparison", "overridden_by",
        "override_reason", "semver", "version", "promotion", "blocked_by", "failure", "failure_step",
    )  # fmt: skip
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    State = State
    Outcome = Outcome

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    number = models.PositiveIntegerField(help_text="within the project")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="proposals")
    trigger = models.ForeignKey(
        Trigger, null=True, on_delete=models.PROTECT, related_name="proposals", help_text="null: by a person"
    )
    slot = models.DateTimeField(null=True, help_text="the ten minutes in which the trigger proposed it")
    proposed_by = models.ForeignKey(
        USER, null=True, on_delete=models.PROTECT, related_name="+", help_text="null: by the trigger"
    )
    note = models.TextField(blank=True, help_text="why, in the words of who proposed it")
    reasons_for = models.JSONField(default=list)
    reasons_against = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    outcome = models.CharField(max_length=20, choices=Outcome.choices, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    live = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="+", help_text="the version to beat"
    )
    live_moves = models.PositiveIntegerField(help_text="the alias' count of moves when that was read")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="+")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    min_labels = models.PositiveIntegerField()
    queue_items = models.PositiveSmallIntegerField()
    overlap = models.PositiveSmallIntegerField()
    start = models.CharField(max_length=4, choices=Start.choices, default=Start.BASE)

    collected_by = models.ForeignKey(
        USER,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="on whose behalf the queue opens",
    )
    collected_at = models.DateTimeField(
        null=True, help_text="when the queue was open, or it was clear that there is none"
    )
    collect_note = models.CharField(
        max_length=500, blank=True, help_text="what was found, or why there is no queue and what to do"
    )
    upload = models.ForeignKey(Upload, null=True, on_delete=models.PROTECT, related_name="+")
    queue = models.ForeignKey(Queue, null=True, on_delete=models.PROTECT, related_name="+")
    items = models.PositiveIntegerField(default=0, help_text="texts in the queue")

    decided_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(blank=True)
    acting = models.ForeignKey(
        USER,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="who answers for the steps: who approved, or tried again last",
    )
    labels_new = models.PositiveIntegerField(
        default=0, help_text="labeled since the live version's dataset version, when last counted"
    )
    labels_at = models.DateTimeField(null=True)
    gated_at = models.DateTimeField(null=True, help_text="when there were enough labels")
    job = models.ForeignKey(
        Job,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="what the present step waits for",
    )
    snapshot = models.ForeignKey(Snapshot, null=True, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(Run, null=True, on_delete=models.PROTECT, related_name="+")
    evaluation = models.ForeignKey(
        Evaluation, null=True, on_delete=models.PROTECT, related_name="+", help_text="of the new run"
    )
    live_evaluation = models.ForeignKey(
        Evaluation,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="of the live version, on the same rows where it can be",
    )
    comparison = models.JSONField(
        null=True, help_text="paired differences, new run minus live version; positive is better"
    )
    overridden_by = models.ForeignKey(
        USER,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="who went on although it is not better",
    )
    override_reason = models.TextField(blank=True)
    semver = models.CharField(max_length=40, blank=True)
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    promotion = models.ForeignKey(PromotionRequest, null=True, on_delete=models.PROTECT, related_name="+")
    blocked_by = models.CharField(
        max_length=500, blank=True, help_text="what the present step waits for, in words"
    )
    failure = models.CharField(max_length=1000, blank=True)
    failure_step = models.CharField(max_length=500, blank=True, help_text="what to do about the failure")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"], condition=Q(state__in=sorted(BUSY)), name="one_busy_proposal"
            ),
            models.UniqueConstraint(fields=["trigger", "slot"], name="one_proposal_per_slot"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="proposal_newest"),
            models.Index(fields=["state", "id"], name="proposal_state"),
        ]

    def __str__(self) -> str:
        return f"Proposal {self.number}"

    @property
    def mark(self) -> str:
        """The mark that goes with its state: half, wait, live, ok, stop, bad."""
        return (
            MARKS[State(self.state)]
            if self.state != State.DONE or self.outcome == Outcome.PROMOTED
            else "off"
        )

    @property
    def step(self) -> Step | None:
        """What is done next, or was being done when it ended; None once its promotion is requested."""
        return step_of(
            collected=self.collected_at is not None,
            gated=self.gated_at is not None,
            snapshot=self.snapshot_id is not None,
            run=self.run_id is not None and self.evaluation_step_reached,
            evaluation=self.evaluation_id is not None,
            compared=self.comparison is not None,
            version=self.version_id is not None,
            promotion=self.promotion_id is not None,
        )

    @property
    def evaluation_step_reached(self) -> bool:
        """Whether the run has its model."""
        return self.run is not None and self.run.state == Run.State.SUCCEEDED


class Pick(models.Model):
    """One answer of the window whose text went to the analysts: the arrow from a prediction to the item it
    became.
    """

    class Kind(models.TextChoices):
        WRONG = "wrong", "Marked incorrect"
        UNSURE = "unsure", "Least confident"
        SAMPLE = "sample", "Random sample"

    append_only = True
    changeable = ("item",)

    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="picks")
    prediction = models.ForeignKey(Prediction, null=True, on_delete=models.PROTECT, related_name="picks")
    prediction_uuid = models.UUIDField(help_text="used as the ID of the item")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    label = models.CharField(
        max_length=120, blank=True, help_text="correct annotation from feedback, in words"
    )
    item = models.ForeignKey(Item, null=True, on_delete=models.PROTECT, related_name="picks")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["proposal", "prediction_uuid"], name="one_pick_per_prediction")
        ]
        indexes = [
            models.Index(fields=["item"], name="pick_item"),
            models.Index(fields=["prediction_uuid"], name="pick_prediction"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} pick"
