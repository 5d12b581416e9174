from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Priority
from lifecycle.modeling.training.rules import RunState, Sampler, Strategy, SweepState
from lifecycle.runtime.task_types.by_key.types import DEFAULT, type_of
from lifecycle.runtime.task_types.task_type import TaskType
from registry.ground.access.models import Project
from registry.ground.artifacts.models import Folder

USER = settings.AUTH_USER_MODEL


class BaseModel(models.Model):
    """Weights to fine-tune, identified by the root digest of their files. Their source never changes."""

    append_only = True
    changeable = ("folder", "facts")
    project_path = "project"

    class Kind(models.TextChoices):
        PACKAGE = "package", "Installed package"
        FOLDER = "folder", "Folder on this machine"
        HUB = "hub", "Hugging Face Hub"
        RUN = "run", "Trained here"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="base_models")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    source = models.CharField(max_length=300, help_text="package, folder, hub id, or the uuid of a run")
    revision = models.CharField(max_length=64, blank=True)
    folder = models.ForeignKey(
        Folder, null=True, on_delete=models.PROTECT, related_name="+", help_text="null until imported"
    )
    facts = models.JSONField(
        default=dict, help_text="architecture, parameters, hidden size, longest text in tokens, licence"
    )
    run = models.ForeignKey(
        "Run",
        null=True,
        on_delete=models.PROTECT,
        related_name="bases",
        help_text="run that produced these weights; null if imported",
    )
    added_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name", "revision"], name="one_base_per_revision")
        ]

    def __str__(self) -> str:
        return self.name


class Sweep(models.Model):
    """A search for settings: runs that differ only in these, one after another. The space and its options
    never change; the priority of its trials does.
    """

    append_only = True
    changeable = ("priority", "state", "ending", "finished_at")
    project_path = "project"
    root_path = "snapshot__dataset"

    State = SweepState
    Sampler = Sampler

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="sweeps")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=300, blank=True)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="sweeps")
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="sweeps")
    strategy = models.CharField(max_length=16, choices=Strategy.choices)
    space = models.JSONField(help_text="what is searched, by setting: low, high and log, or choices")
    options = models.JSONField(help_text="settings shared by all trials")
    trials_wanted = models.PositiveSmallIntegerField()
    sampler = models.CharField(max_length=8, choices=Sampler.choices)
    seed = models.PositiveBigIntegerField()
    prunes = models.BooleanField(help_text="whether trials below the median are pruned")
    warmup_trials = models.PositiveSmallIntegerField(help_text="scored trials before pruning starts")
    minutes = models.PositiveIntegerField(null=True, help_text="no trial starts after this time")
    priority = models.PositiveSmallIntegerField(
        choices=Priority.choices, default=Priority.LATER, help_text="of the trial to come"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    ending = models.JSONField(null=True, help_text='why it ended: {"message", "next_step"}')
    launched_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="sweeps")
    key = models.UUIDField(null=True, help_text="idempotency key of the form")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_sweep_per_number"),
            models.UniqueConstraint(fields=["launched_by", "key"], name="one_sweep_per_form"),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="sweep_newest")]

    def __str__(self) -> str:
        return f"Sweep {self.number}"


class Run(models.Model):
    """One fine-tuning: a spec, a dataset version, a base, and its result. The spec never changes; its job
    writes state and results.

    A run whose training diverged succeeds with an error that gives the reason; its artifact is from the best
    step before.
    """

    project_path = "project"
    root_path = "snapshot__dataset"

    State = RunState
    Strategy = Strategy

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="runs")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=300, blank=True)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="runs")
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="runs")
    strategy = models.CharField(max_length=16, choices=Strategy.choices)
    spec = models.JSONField(help_text="the engine's TrainSpec")
    spec_digest = models.CharField(max_length=64)
    code_version = models.CharField(max_length=64, help_text="version of the product that trained it")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    job = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+")
    reproduces = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="repeats",
        help_text="the run whose spec it is",
    )
    sweep = models.ForeignKey(
        Sweep, null=True, on_delete=models.PROTECT, related_name="trials", help_text="sweep of this trial"
    )
    trial = models.PositiveSmallIntegerField(null=True, help_text="its number in the sweep, from 1")
    launched_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="runs")
    key = models.UUIDField(null=True, help_text="idempotency key of the form")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    step = models.PositiveIntegerField(default=0)
    total_steps = models.PositiveIntegerField(default=0)
    best_step = models.PositiveIntegerField(null=True)
    metrics = models.JSONField(default=dict, help_text="on validation, at the best step")
    result = models.JSONField(
        default=dict, help_text="the engine's result.json: parameters, seconds, memory, environment"
    )
    error = models.JSONField(null=True, help_text='{"code", "message", "next_step"}')
    artifact = models.ForeignKey(Folder, null=True, on_delete=models.PROTECT, related_name="runs")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_run_per_number"),
            models.UniqueConstraint(fields=["launched_by", "key"], name="one_run_per_form"),
            models.UniqueConstraint(fields=["sweep", "trial"], name="one_run_per_trial"),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="run_newest")]

    def __str__(self) -> str:
        return f"Run {self.number}"

    @property
    def standing(self) -> str:
        """The state in words. A run that diverged but kept its best weights succeeds with an error: it ended
        early.
        """
        return (
            "Ended early"
            if self.state == RunState.SUCCEEDED and self.error
            else str(self.get_state_display())
        )

    @property
    def task(self) -> str:
        """The engine's name of its task."""
        return str(self.spec.get("task", DEFAULT))

    @property
    def task_type(self) -> TaskType:
        """Its task."""
        return type_of(self.task)


class Estimate(models.Model):
    """A ten-step dry run: measurements, and the estimated cost of the whole run. The spec never changes."""

    project_path = "project"
    root_path = "snapshot__dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="estimates")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="estimates")
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="estimates")
    strategy = models.CharField(max_length=16, choices=Strategy.choices)
    spec = models.JSONField(help_text="the engine's TrainSpec of the whole run")
    spec_digest = models.CharField(max_length=64)
    job = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="estimates")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    profile = models.JSONField(null=True, help_text="what the engine measured of ten steps")
    figures = models.JSONField(null=True, help_text="what the whole run takes, scaled from the profile")
    error = models.JSONField(null=True, help_text='{"code", "message", "next_step"}')

    class Meta:
        indexes = [models.Index(fields=["snapshot", "spec_digest", "-id"], name="estimate_of_spec")]

    def __str__(self) -> str:
        return f"ten steps on {self.snapshot}"


class MetricPoint(models.Model):
    """One measured value at one step of a run.

    stride: the largest power of two that divides the step. Points with large strides thin a curve evenly
    without reading all of it.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="points")
    name = models.CharField(max_length=40)
    step = models.PositiveIntegerField()
    value = models.FloatField()
    stride = models.GeneratedField(
        expression=models.Case(
            models.When(step=0, then=models.Value(2**30)),
            default=models.F("step").bitand(-models.F("step")),  # type: ignore[arg-type]  # the stubs only know numbers
        ),
        output_field=models.IntegerField(),
        db_persist=True,
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "name", "step"], name="one_value_per_step")]
        indexes = [models.Index(fields=["run", "name", "-stride"], name="point_stride")]

    def __str__(self) -> str:
        return f"{self.name} at {self.step}"


class Diagnosis(models.Model):
    """A problem that the engine detected during training: a fact, its evidence, and the next step."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="diagnoses")
    code = models.CharField(max_length=40)
    severity = models.CharField(max_length=8, help_text="info, watch, bad")
    title = models.CharField(max_length=200)
    detail = models.TextField(blank=True)
    next_step = models.CharField(max_length=300, blank=True)
    from_step = models.PositiveIntegerField(null=True)
    to_step = models.PositiveIntegerField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "code"], name="one_diagnosis_per_code")]

    def __str__(self) -> str:
        return self.title


class RunLog(models.Model):
    """A log line of the training process for people; never with texts of the data."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="log")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    text = models.CharField(max_length=500)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="one_log_line_per_seq")]

    def __str__(self) -> str:
        return self.text


class RunSample(models.Model):
    """A prediction of a model in training for a validation row at one evaluation. The text stays in its item,
    where it can be erased.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="samples")
    step = models.PositiveIntegerField()
    place = models.PositiveSmallIntegerField(help_text="among the rows that are shown, from 0")
    item = models.CharField(max_length=64, help_text="digest of the item")
    truth = models.JSONField(
        null=True,
        help_text="a label's name, or a list of names; null for generation, where the item contains it",
    )
    answer = models.JSONField(
        help_text="the same, predicted by the model at this step; for generation, the start of the response"
    )
    confidence = models.FloatField(null=True, help_text="0 to 1, before calibration")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step", "place"], name="one_sample_per_place")]

    def __str__(self) -> str:
        return f"row {self.place} at {self.step}"
