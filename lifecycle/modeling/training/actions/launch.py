"""Launch runs: the spec is made here and never changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.rules import Device, Priority
from lifecycle.modeling.training import facts, queries, suggesting
from lifecycle.modeling.training.models import BaseModel, Run, Sweep
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.strategy import FIXED, INNER, strategy_spec
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.engine.task_types.settings import Problem
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.runtime.task_types.task_type import Content
from registry.ground.access.models import Project, User
from registry.ground.access.policy import can, require
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

ANEW = "Reload the form, or send another key."
CONTINUING = frozenset({"rehearsal", "keep_head"})
DEVICES = {"auto": Device.ANY, "cpu": Device.CPU, "cuda": Device.GPU}  # queue devices by a spec's values
ALWAYS = ("seed", "threads", "device")  # settings of every run besides the suggested ones
SPEC = {each.name: each.default for each in fields(TrainSpec)}
RESERVED = frozenset({"base", "labels", "strategy", "task", "format"})


@transaction.atomic
def launch(
    *,
    snapshot: Snapshot,
    base: BaseModel,
    strategy: str,
    actor: User,
    options: Mapping[str, Any] | None = None,
    note: str = "",
    key: UUID | None = None,
    priority: Priority = Priority.NORMAL,
    sweep: Sweep | None = None,
    trial: int | None = None,
    by_system: bool = False,
    behind: Collection[UUID] = (),
) -> Run:
    """Queue a fine-tuning of `base` on the train split, evaluated on the validation split.

    by_system: launched by fixed rules after the actor approved the start: the run has no launcher, and the
    event names the approver and who is behind it: the proposer and the annotators. sweep, trial: the sweep of
    this trial, and its number. priority: in the queue. options: fields of the engine's TrainSpec (rank,
    alpha, dropout for LoRA) that override the suggestions; `device` selects the workers. key: of the form;
    the same key again returns the same run. Raises PermissionDenied, Conflict (the key started a run with
    other settings), Refused (one class, no validation rows, a field out of range: see `fields`), or NotReady
    (the base model's files are missing).
    """
    project = Project.objects.select_for_update(of=("self",), no_key=True).get(pk=snapshot.dataset.project_id)
    require(actor, "training.launch", snapshot)
    check_snapshot(snapshot)
    check_base(base, project, actor)
    check_kind(snapshot, base)
    document = make_spec(snapshot, base, strategy, options or {}).to_json()
    if key and (known := find_duplicate(actor, key, snapshot=snapshot, base=base, spec=document)):
        return known
    return start(
        project,
        actor,
        snapshot=snapshot,
        base=base,
        strategy=strategy,
        spec=document,
        note=note.strip()[:300],
        key=key,
        priority=priority,
        sweep=sweep,
        trial=trial,
        by_system=by_system,
        behind=behind,
    )


@transaction.atomic
def reproduce(
    *, run_id: UUID, actor: User, key: UUID | None = None, priority: Priority = Priority.NORMAL
) -> Run:
    """Queue the spec of a succeeded run again, on the same data and base: its weights should be
    bit-identical.

    key: of the form; the same key again returns the same run. Raises PermissionDenied, Conflict (the run
    hasn't succeeded, or the key started something else), or NotReady (the base model's files are missing).
    """
    first = Run.objects.select_related("snapshot__dataset", "base__folder").get(uuid=run_id)
    project = Project.objects.select_for_update(of=("self",), no_key=True).get(pk=first.project_id)
    require(actor, "training.launch", first)
    if key and (
        known := find_duplicate(
            actor, key, snapshot=first.snapshot, base=first.base, spec=first.spec, reproduces=first
        )
    ):
        return known
    if first.state != RunState.SUCCEEDED:
        raise Conflict(
            f"{first} has no weights to compare with.", next_step="Only a succeeded run can be reproduced."
        )
    check_base(first.base, project, actor)
    return start(
        project,
        actor,
        snapshot=first.snapshot,
        base=first.base,
        strategy=first.strategy,
        spec=first.spec,
        note=f"{first} again",
        key=key,
        priority=priority,
        device=trained_on(first),
        reproduces=first,
    )


def trained_on(run: Run) -> Device:
    """The device that a run was trained on, on which its weights can be reproduced."""
    return Device.CPU if run.result["environment"]["device"] == Device.CPU else Device.GPU


def find_duplicate(
    actor: User,
    key: UUID,
    *,
    snapshot: Snapshot,
    base: BaseModel,
    spec: Mapping[str, Any],
    reproduces: Run | None = None,
) -> Run | None:
    """The run that the same form started before. Raises Conflict if it was sent with other settings."""
    known = Run.objects.filter(launched_by=actor, key=key).first()
    wanted = snapshot.pk, base.pk, digest_of(spec), reproduces.pk if reproduces else None
    if known and (known.snapshot_id, known.base_id, known.spec_digest, known.reproduces_id) != wanted:
        raise Conflict(f"This form already started {known} with other settings.", next_step=ANEW)
    return known


def start(
    project: Project,
    actor: User,
    *,
    snapshot: Snapshot,
    base: BaseModel,
    priority: Priority,
    device: Device | None = None,
    reproduces: Run | None = None,
    by_system: bool = False,
    behind: Collection[UUID] = (),
    **fields: Any,
) -> Run:
    """Create a run with its number, job, and event. device: by default its spec's. fields: strategy, spec,
    note, key, sweep, and trial.
    """
    number = (Run.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0) + 1
    run = Run.objects.create(
        project=project,
        number=number,
        snapshot=snapshot,
        base=base,
        spec_digest=digest_of(fields["spec"]),
        code_version=facts.code_version(),
        launched_by=None if by_system else actor,
        reproduces=reproduces,
        **fields,
    )
    queue_job(run, actor, priority, device or DEVICES[run.spec.get("device", "auto")])
    more: dict[str, Any] = {"reproduces": reproduces.uuid} if reproduces else {}
    more |= {"sweep": run.sweep.uuid, "trial": run.trial} if run.sweep else {}
    more |= {"start_approved_by": actor.uuid, "behind": set(behind)} if by_system else {}
    record(
        None if by_system else actor,
        Verb.RUN_LAUNCHED,
        run,
        project=project.uuid,
        snapshot=snapshot.uuid,
        snapshot_digest=snapshot.digest,
        base=base.uuid,
        base_digest=base.folder.root_digest if base.folder else "",
        strategy=run.strategy,
        spec_digest=run.spec_digest,
        **more,
    )
    return run


def queue_job(run: Run, actor: User | None, priority: Priority, device: Device) -> None:
    """Give the run its own job; call it in the transaction that queues the run."""
    run.job = enqueue(
        "training.train",
        actor=actor,
        project=run.project,
        args={"run": str(run.uuid)},
        subject=run,
        key=f"run:{run.uuid}",
        priority=priority,
        device=device,
    )
    run.save(update_fields=["job"])


def queue_next_trial(sweep: Sweep, *, after: int) -> None:
    """Queue a job for the trial after this one, 0 for the first; call it in the transaction in which a trial
    ends.
    """
    enqueue(
        "training.next_trial",
        actor=sweep.launched_by,
        project=sweep.project,
        args={"sweep": str(sweep.uuid)},
        subject=sweep,
        key=f"sweep:{sweep.uuid}:{after}",
    )


def check_snapshot(snapshot: Snapshot) -> None:
    """Raise Refused if there is nothing to train on or to evaluate."""
    problem = settings_of(snapshot.dataset.task).untrainable(snapshot.counts) or all_left_out(snapshot)
    if problem:
        text = f"You can't train on {snapshot}: {problem.why}"
        raise Refused(text, next_step=problem.next_step, fields={"dataset_version": [text]})
    if not snapshot.counts["splits"].get("validation"):
        text = f"{snapshot} has no validation rows, which are needed to choose the best step."
        raise Refused(
            text,
            next_step="Create a dataset version with a validation split.",
            fields={"dataset_version": [text]},
        )


def all_left_out(snapshot: Snapshot) -> Problem | None:
    """The problem of chats with nothing to train on."""
    unfit = (
        suggesting.unlearnable(snapshot) if snapshot.dataset.task_type.content is Content.DIALOGUE else None
    )
    if unfit is None:
        return None
    why = f"its first {unfit[0]:,} dialogues would all be rejected, for example one {unfit[1]}."
    return Problem(why, "Fix or replace the dialogues and create a new dataset version.")


def check_base(base: BaseModel, project: Project, actor: User) -> None:
    """Raise Refused for a base of another project, or one trained on data that the actor may not train on;
    NotReady while its files are missing.
    """
    if base.project_id != project.pk:
        raise Refused(
            "That base model belongs to another project.",
            fields={"base": ["Choose a base model of this project."]},
        )
    if base.run is not None and not can(actor, "training.launch", base.run.snapshot):
        text = f"{base.name} was trained on data that you don't have access to."
        raise Refused(text, fields={"base": [text]})
    if base.folder_id is None:
        text = f"{base.name} hasn't been imported yet."
        raise NotReady(
            text,
            next_step="Wait for its job, or see under Base models why it failed.",
            fields={"base": [text]},
        )


def check_kind(snapshot: Snapshot, base: BaseModel) -> None:
    """Raise Refused if the task needs an encoder and the base is a decoder, or vice versa."""
    settings = settings_of(snapshot.dataset.task)
    if not settings.fits(base.facts):
        text = f"{base.name} {settings.other_base}"
        raise Refused(text, fields={"base": [text]})


def make_spec(snapshot: Snapshot, base: BaseModel, strategy: str, options: Mapping[str, Any]) -> TrainSpec:
    """The engine's spec: the suggestions for this data, overridden by the options. Raises Refused with
    messages by field.
    """
    data = {"labels": queries.trained_labels(snapshot), "task": queries.trained_task(snapshot)}
    spec = fill_spec(base, strategy, data, suggested_settings(snapshot, base, strategy), options)
    check_operating_class(snapshot, spec)
    return spec


def check_operating_class(snapshot: Snapshot, spec: TrainSpec) -> None:
    """Raise Refused for a class with too few validation rows to choose a threshold."""
    chosen = spec.operating_class
    rows = snapshot.counts["labels"].get(chosen, {}).get("validation", 0) if chosen else THRESHOLD_ROWS
    if rows < THRESHOLD_ROWS:
        text = (
            f"{chosen} has {rows} validation rows in {snapshot}; choosing its threshold needs"
            f" {THRESHOLD_ROWS}."
        )
        step = (
            f"Label more rows as {chosen} and create a new dataset version, or predict the most likely label."
        )
        raise Refused(text, next_step=step, fields={"operating_class": [text]})


def suggested_settings(snapshot: Snapshot, base: BaseModel, strategy: str) -> dict[str, Any]:
    """The suggestions for this data, by setting. Raises Refused for an unknown strategy."""
    if strategy not in Run.Strategy.values:
        raise Refused(
            "Unknown strategy.", fields={"strategy": [f"Choose one of {', '.join(Run.Strategy.values)}."]}
        )
    if text := settings_of(snapshot.dataset.task).misfit(strategy, Run.Strategy(strategy).label):
        raise Refused(text, fields={"strategy": [text]})
    return suggesting.suggestion(snapshot, base, strategy).values()


def fill_spec(
    base: BaseModel,
    strategy: str,
    data: Mapping[str, Any],
    suggested: Mapping[str, Any],
    options: Mapping[str, Any],
) -> TrainSpec:
    """The engine's spec of known settings. data: labels and task. Raises Refused with the message by
    field.
    """
    if reserved := sorted(RESERVED & options.keys()):
        text = (
            f"{reserved[0]} can't be set here: it follows from the dataset version, base model, and strategy."
        )
        raise Refused(text, fields={reserved[0]: [text]})
    layers, architecture = base.facts.get("layers") or 0, base.facts.get("architecture", "")
    if strategy == Run.Strategy.FAST_LORA and layers < 2:
        text = f"The layers of {base.name} aren't recognised, so Fast LoRA isn't available. Choose LoRA."
        raise Refused(text, fields={"strategy": [text]})
    ia3_models = settings_of(data["task"]).ia3_models
    if strategy == Run.Strategy.IA3 and architecture not in ia3_models:
        known = ", ".join(ia3_models)
        text = (
            f"IA3 supports {known}; the architecture of {base.name} is {architecture or 'unknown'}. Choose"
            " LoRA."
        )
        raise Refused(text, fields={"strategy": [text]})
    if foreign := sorted(name for name in CONTINUING - suggested.keys() if options.get(name)):
        text = f"{foreign[0]} needs a base that was trained here for the same task; {base.name} wasn't."
        raise Refused(text, fields={foreign[0]: [text]})
    names = [*suggested, *ALWAYS]
    has = f"Available settings: {', '.join(names)}."
    if foreign := sorted(options.keys() - SPEC.keys() - set(names)):
        text = f"{foreign[0]} isn't a setting of {Run.Strategy(strategy).label}."
        raise Refused(text, next_step=has, fields={foreign[0]: [text]})
    fixed = FIXED.get(strategy, {})
    values = {"seed": 1, **fixed, **suggested, **options}
    inner = {name: values.pop(name) for name in INNER if name in values}
    start = {"path": "base", "name": base.name, "digest": base.facts["engine_digest"]}
    document = {**values, **data, "base": start, "strategy": strategy_spec(strategy, inner)}
    try:
        spec = TrainSpec.from_json(document)
    except SpecError as error:
        field = error.field.rpartition(".")[2]
        text = error.message.removeprefix(f"spec.json: {error.field} ")
        raise Refused(f"{field} {text}", fields={field: [text[:1].upper() + text[1:]]}) from error
    if ignored := sorted(
        name for name in options.keys() - set(names) if getattr(spec, name) != (SPEC | fixed)[name]
    ):
        text = f"{ignored[0]} has no effect with {Run.Strategy(strategy).label} on this data."
        raise Refused(text, next_step=has, fields={ignored[0]: [text]})
    if spec.keep_head and base.run is not None and spec.pooling != base.run.spec["pooling"]:
        text = (
            f"The head of {base.name} uses {base.run.spec['pooling']} pooling. Choose that pooling, or start"
            " with a new head."
        )
        raise Refused(text, fields={"keep_head": [text]})
    if layers and spec.strategy.frozen_layers >= layers:
        text = f"{base.name} has {layers} layers. Freeze fewer than {layers}."
        raise Refused(text, fields={"frozen_layers": [text]})
    if (limit := base.facts.get("max_tokens")) and spec.max_tokens > limit:
        text = f"{base.name} accepts up to {limit} tokens; longer texts are truncated."
        raise Refused(text, fields={"max_tokens": [text]})
    return spec
