"""Search for settings: users start and cancel sweeps; a sweep's job launches one trial after another."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid5

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.rules import Priority
from lifecycle.modeling.training import ports, queries, rules, search, sweep_queries
from lifecycle.modeling.training.actions.launch import (
    ANEW,
    check_base,
    check_operating_class,
    check_snapshot,
    fill_spec,
    launch,
    queue_next_trial,
    suggested_settings,
)
from lifecycle.modeling.training.actions.runs import stop
from lifecycle.modeling.training.models import BaseModel, Run, Sweep
from lifecycle.modeling.training.rules import Ending, RunState, SweepState
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access.models import Project, User
from registry.ground.access.policy import require
from registry.ground.ledger import accounts
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def start_sweep(
    *,
    snapshot: Snapshot,
    base: BaseModel,
    strategy: str,
    space: Mapping[str, Any],
    trials: int,
    actor: User,
    options: Mapping[str, Any] | None = None,
    sampler: str = Sweep.Sampler.TPE,
    seed: int = 1,
    prunes: bool = True,
    warmup_trials: int = 5,
    minutes: int | None = None,
    priority: Priority = Priority.LATER,
    note: str = "",
    key: UUID | None = None,
) -> Sweep:
    """Search for the settings with the best main score on the validation split.

    space: see search.read_space. options: fixed settings of all trials that override the suggestions.
    warmup_trials: scored before any is pruned. minutes: no trial starts after this time. priority: of each
    trial; by default below single runs. key: of the form; the same key again returns the same sweep.

    Raises PermissionDenied, Conflict (the key started a sweep with other settings), NotReady (the base's
    files are missing), or Refused (an invalid value: see `fields`); then nothing is queued.
    """
    project = Project.objects.select_for_update(of=("self",), no_key=True).get(pk=snapshot.dataset.project_id)
    require(actor, "training.launch", snapshot)
    check_snapshot(snapshot)
    check_scored(snapshot)
    check_base(base, project, actor)
    wanted = search.read_space(space)
    settings = fixed_settings(snapshot, base, strategy, wanted, options or {})
    check_extent(
        wanted, trials=trials, sampler=sampler, seed=seed, warmup_trials=warmup_trials, minutes=minutes
    )
    fields = {
        "snapshot": snapshot,
        "base": base,
        "strategy": strategy,
        "options": settings,
        "trials_wanted": trials,
        "sampler": sampler,
        "space": {name: domain.to_json() for name, domain in wanted.items()},
        "seed": seed,
        "prunes": prunes,
        "minutes": minutes,
        "warmup_trials": warmup_trials,
    }
    if key and (known := Sweep.objects.filter(launched_by=actor, key=key).first()):
        if any(getattr(known, name) != value for name, value in fields.items()):
            raise Conflict(f"This form already started {known} with other settings.", next_step=ANEW)
        return known
    number = (Sweep.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0) + 1
    sweep = Sweep.objects.create(
        project=project,
        number=number,
        note=note.strip()[:300],
        priority=priority,
        launched_by=actor,
        key=key,
        **fields,
    )
    queue_next_trial(sweep, after=0)
    record(
        actor,
        Verb.SWEEP_STARTED,
        sweep,
        project=project.uuid,
        snapshot=snapshot.uuid,
        snapshot_digest=snapshot.digest,
        base=base.uuid,
        strategy=strategy,
        space=sweep.space,
        options=settings,
        trials=trials,
        sampler=sampler,
        seed=seed,
        prunes=prunes,
        warmup_trials=warmup_trials,
        minutes=minutes,
        priority=priority.word,
    )
    return sweep


def check_scored(snapshot: Snapshot) -> None:
    """Raise Refused if trials have no F1 to compare."""
    if snapshot.dataset.task_type.writes_text:
        text = (
            "Sweeps rank trials by F1, which isn't defined for generation. Start single runs and compare"
            " them."
        )
        raise Refused(text, fields={"dataset_version": [text]})


def check_extent(
    space: search.Space, *, trials: int, sampler: str, seed: int, warmup_trials: int, minutes: int | None
) -> None:
    """Raise Refused with a message for each number out of range."""
    wrong = {}
    combinations = search.size(space)
    if not 1 <= trials <= rules.TRIALS_MAX:
        wrong["trials"] = [f"Must be from 1 to {rules.TRIALS_MAX}, got {trials}."]
    elif combinations is not None and trials > combinations:
        wrong["trials"] = [
            f"The search space has {combinations} combinations, and none is tried twice. Choose up to"
            f" {combinations} trials."
        ]
    if sampler not in Sweep.Sampler.values:
        wrong["sampler"] = [f"Choose one of {', '.join(Sweep.Sampler.values)}."]
    if not 0 <= seed < 2**32:
        wrong["seed"] = [f"Must be from 0 to {2**32 - 1}, got {seed}."]
    if not 1 <= warmup_trials <= rules.TRIALS_MAX:
        wrong["warmup_trials"] = [f"Must be from 1 to {rules.TRIALS_MAX}, got {warmup_trials}."]
    if minutes is not None and not 1 <= minutes <= rules.MINUTES_MAX:
        wrong["minutes"] = [f"Must be from 1 to {rules.MINUTES_MAX:,}, got {minutes:,}."]
    if wrong:
        raise Refused("This sweep can't be started.", fields=wrong)


def fixed_settings(
    snapshot: Snapshot, base: BaseModel, strategy: str, space: search.Space, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings that all trials share, after the engine accepts them with each corner of the space. Raises
    Refused by field.
    """
    if twice := sorted(space.keys() & options.keys()):
        text = f"{twice[0]} is in the search space, so it can't be fixed too."
        raise Refused(text, fields={twice[0]: [text]})
    suggested = suggested_settings(snapshot, base, strategy)
    data = {"labels": queries.labels_of(snapshot), "task": snapshot.dataset.task}
    for params in search.corners(space):
        check_operating_class(snapshot, fill_spec(base, strategy, data, suggested, {**options, **params}))
    return {
        name: value for name, value in ({"seed": 1} | suggested | dict(options)).items() if name not in space
    }


@transaction.atomic
def next_trial(sweep_id: UUID) -> Run | None:
    """Launch the next trial of a sweep, or end it; no effect while a trial is unfinished or after the end, so
    it is idempotent. Called by the sweep's job.

    Raises Refused if the user who started the sweep may no longer launch, or is another in the audit log, and
    what `launch` raises.
    """
    sweep = locked_sweep(sweep_id)
    trials = list(sweep_queries.trials_of(sweep))
    if sweep.state != SweepState.RUNNING or any(RunState(run.state) not in rules.FINISHED for run in trials):
        return None
    check_starter(sweep)
    minutes = (timezone.now() - sweep.created_at).total_seconds() / 60
    states = [RunState(run.state) for run in trials]
    if ending := rules.find_ending(states, trials=sweep.trials_wanted, minutes=minutes, limit=sweep.minutes):
        end(sweep, ending)
        return None
    number = len(trials) + 1
    params = search.suggest(
        search.read_space(sweep.space),
        sweep_queries.ended_trials(sweep, trials),
        sampler=sweep.sampler,
        seed=sweep.seed,
        number=number,
    )
    if params is None:
        end(
            sweep,
            Ending(
                SweepState.FINISHED,
                f"{len(trials)} of {sweep.trials_wanted} trials finished: every combination has been tried.",
            ),
        )
        return None
    # a trial's new priority applies to later ones
    if trials and (last := trials[-1].job) and last.priority != sweep.priority:
        sweep.priority = last.priority
        sweep.save(update_fields=["priority"])
    try:
        return launch(
            snapshot=sweep.snapshot,
            base=sweep.base,
            strategy=sweep.strategy,
            actor=sweep.launched_by,
            options=sweep.options | params,
            key=uuid5(sweep.uuid, str(number)),
            priority=Priority(sweep.priority),
            sweep=sweep,
            trial=number,
        )
    except PermissionDenied as error:
        text = f"The person who started this sweep can no longer train on {sweep.snapshot}."
        raise Refused(text, next_step="Someone with access can start a new sweep.") from error


def check_starter(sweep: Sweep) -> None:
    """Raise Refused if the row's user isn't the one in the audit log, who would get the trials."""
    if [event.actor for event in accounts.events_about(sweep.uuid, {Verb.SWEEP_STARTED})] != [
        str(sweep.launched_by.uuid)
    ]:
        raise Refused("The audit log doesn't show who started this sweep.", next_step="Start a new sweep.")


def locked_sweep(sweep_id: UUID) -> Sweep:
    """The sweep, locked until the caller's transaction ends; always before its runs and their jobs."""
    related = ("project", "snapshot__dataset", "base__folder", "launched_by")
    return (
        Sweep.objects.select_for_update(of=("self",), no_key=True).select_related(*related).get(uuid=sweep_id)
    )


def end(sweep: Sweep, ending: Ending) -> None:
    """End a locked sweep. Rooms above are notified of its best trial, as of any run that succeeds."""
    sweep.state, sweep.finished_at = ending.state, timezone.now()
    sweep.ending = {"message": ending.message, "next_step": ending.next_step}
    sweep.save(update_fields=["state", "finished_at", "ending"])
    best = sweep_queries.best_trial(sweep_queries.trials_of(sweep))
    record(
        None,
        Verb.SWEEP_ENDED,
        sweep,
        project=sweep.project.uuid,
        state=sweep.state,
        reason=ending.message,
        best=best.uuid if best else None,
        **{sweep_queries.leading_of(sweep).name: sweep_queries.score_of(best) if best else None},
    )
    if best is not None:
        ports.succeeded(best)


@transaction.atomic
def cancel_sweep(*, sweep_id: UUID, actor: User) -> Sweep:
    """Start no more trials, and stop the one that trains; ended ones stay. Idempotent.

    Raises PermissionDenied or Conflict (it has ended otherwise).
    """
    sweep = locked_sweep(sweep_id)
    require(actor, "training.stop", sweep)
    if sweep.state == SweepState.CANCELLED:
        return sweep
    if sweep.state != SweepState.RUNNING:
        raise Conflict(f"{sweep} has {sweep.get_state_display().lower()}, so it can't be cancelled.")
    trials = list(sweep_queries.trials_of(sweep))
    record(actor, Verb.SWEEP_CANCELLED, sweep, project=sweep.project.uuid, trials=len(trials))
    end(
        sweep,
        Ending(SweepState.CANCELLED, f"{len(trials)} of {sweep.trials_wanted} trials had been started."),
    )
    for run in trials:
        if run.state not in rules.FINISHED:
            with suppress(Conflict), transaction.atomic():  # it may have ended since then
                stop(run_id=run.uuid, actor=actor)
    return sweep


@transaction.atomic
def end_sweep(sweep_id: UUID, state: SweepState, message: str, next_step: str = "") -> None:
    """Record that the job that launches trials ended, and the sweep with it. No effect on a sweep that has
    ended.
    """
    sweep = locked_sweep(sweep_id)
    if sweep.state == SweepState.RUNNING:
        end(sweep, Ending(state, message, next_step))
