"""Queries for sweeps and their trials, limited to what the user may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, FloatField, Max, Q, QuerySet, When, Window
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, RowNumber

from lifecycle.modeling.training import search
from lifecycle.modeling.training.models import MetricPoint, Run, Sweep
from lifecycle.modeling.training.rules import FINISHED, RunState, SweepState
from lifecycle.runtime.engine.strategy import INNER
from lifecycle.runtime.task_types.by_key.measures import MEASURES, metrics_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.measures import Metric
from registry.ground.access import policy
from registry.ground.access.policy import Person


def sweeps(user: Person) -> QuerySet[Sweep]:
    """The sweeps that the user may see, newest first, each with its number of ended trials and its best main
    score so far.
    """
    rows = policy.visible_to(user, Sweep, "training.view").select_related(
        "project", "snapshot__dataset", "base__folder", "launched_by"
    )
    scored = [task for task in MEASURES if not type_of(task).writes_text]  # other tasks have no sweeps
    known = {task: KeyTextTransform(metrics_of(task).trained.name, "trials__metrics") for task in scored}
    score = Case(
        *(When(snapshot__dataset__task=task, then=Cast(each, FloatField())) for task, each in known.items())
    )
    ended = Count("trials", filter=Q(trials__state__in=FINISHED))
    return rows.annotate(ended=ended, best=Max(score, filter=Q(trials__state=RunState.SUCCEEDED))).order_by(
        "-id"
    )


def get_sweep(user: Person, uuid: UUID) -> Sweep:
    """One sweep that the user may see. Raises Http404."""
    return policy.get_visible(user, sweeps(user), "training.view", uuid=uuid)


def trials_of(sweep: Sweep) -> QuerySet[Run]:
    """The trials of a sweep, in order. Who may see a sweep may see its trials."""
    return sweep.trials.select_related("snapshot__dataset", "project").order_by("trial")


def searched(sweep: Sweep) -> list[str]:
    """The searched settings of a sweep in display order, since JSON in PostgreSQL has none."""
    return [name for name in search.SEARCHED if name in sweep.space]


def params_of(sweep: Sweep, run: Run) -> dict[str, Any]:
    """A trial's values of the searched settings, from its spec."""
    return {name: run.spec["strategy"][name] if name in INNER else run.spec[name] for name in searched(sweep)}


def leading_of(sweep: Sweep) -> Metric:
    """The main score of its trials."""
    return metrics_of(sweep.snapshot.dataset.task).trained


def score_of(run: Run) -> float | None:
    """The main score of a trial's model on validation."""
    return run.metrics.get(metrics_of(run.task).trained.name) if run.state == RunState.SUCCEEDED else None


def best_trial(runs: Iterable[Run]) -> Run | None:
    """The trial with the highest score, ties go to the first; None if none has one."""
    scored = [(score, run) for run in runs if (score := score_of(run)) is not None]
    return max(scored, key=lambda pair: (pair[0], -(pair[1].trial or 0)))[1] if scored else None


def evaluations_of(sweep: Sweep, first: int | None = None) -> dict[int, tuple[float, ...]]:
    """The main score on validation at each evaluation of each trial, by the run's key, in one query. first:
    at most this many each.
    """
    rows = MetricPoint.objects.filter(run__sweep=sweep, name=leading_of(sweep).name).order_by("step")
    if first is not None:
        rows = rows.annotate(at=Window(RowNumber(), partition_by="run", order_by="step")).filter(
            at__lte=first
        )
    found: dict[int, list[float]] = defaultdict(list)
    for key, value in rows.values_list("run_id", "value"):
        found[key].append(value)
    return {key: tuple(values) for key, values in found.items()}


def ended_trials(sweep: Sweep, runs: Sequence[Run], first: int | None = None) -> list[search.Trial]:
    """The ended trials for a study. first: see `evaluations_of`."""
    evaluations = evaluations_of(sweep, first)
    found = []
    for run in runs:
        if run.state in FINISHED:
            seen = evaluations.get(run.pk, ())
            pruned = search.Outcome.PRUNED if run.state == RunState.PRUNED and seen else search.Outcome.FAILED
            outcome = search.Outcome.SCORED if score_of(run) is not None else pruned
            found.append(search.Trial(outcome, params_of(sweep, run), score_of(run), seen))
    return found


def find_cut(run: Run) -> search.Cut | None:
    """Whether a trial should be pruned, by its and the others' scores. A sweep that has ended prunes none."""
    sweep = Sweep.objects.filter(trials=run, prunes=True, state=SweepState.RUNNING).first()
    if sweep is None:
        return None
    points = MetricPoint.objects.filter(run=run, name=metrics_of(run.task).trained.name).order_by("step")
    own = tuple(points.values_list("value", flat=True))
    # later ones can't be compared
    others = ended_trials(sweep, [each for each in trials_of(sweep) if each != run], first=len(own))
    return search.find_cut(own, others, warmup=sweep.warmup_trials)
