"""Contexts of sweep pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from lifecycle.modeling.training import pages, queries, rules, search, sweep_charts, sweep_queries
from lifecycle.modeling.training.forms import LABELS
from lifecycle.modeling.training.models import Run, Sweep
from lifecycle.modeling.training.rules import RunState, SweepState
from lifecycle.modeling.training.sweep_charts import Mark
from lifecycle.ui import paging
from lifecycle.ui.addresses import find_url, key_in
from lifecycle.ui.marks import Figure, Step
from lifecycle.ui.numbers import count, decimals, duration
from registry.ground.access.models import User
from registry.ground.access.policy import can, can_somewhere

CHARTED_FROM = 2  # scored trials


@dataclass(frozen=True, slots=True)
class TrialLine:
    """A table row of a trial. settings: the searched ones, as label and text."""

    run: Run
    score: float | None
    settings: list[tuple[str, str]]
    took: timedelta | None
    best: bool


def label_of(name: str) -> str:
    """The display name of a setting."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def listing(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """Sweeps, newest first, by keyset; a constant number of queries."""
    before = key_in(given)
    found, older = paging.page(sweep_queries.sweeps(user), before, pages.PAGE)
    return {
        "lines": [(sweep, sweep_queries.leading_of(sweep)) for sweep in found],
        "tabs": pages.tabs("training:sweeps"),
        "pager": paging.links(before, older),
        "may_launch": can_somewhere(user, "training.launch"),
    }


def detail(user: User, uuid: UUID) -> dict[str, Any]:
    """The context of a sweep's page; the query count doesn't grow with trials."""
    sweep = sweep_queries.get_sweep(user, uuid)
    runs = list(sweep_queries.trials_of(sweep))
    best = sweep_queries.best_trial(runs)
    return live_part(user, sweep, runs) | {
        "names": [label_of(name) for name in sweep_queries.searched(sweep)],
        "lines": lines_of(sweep, runs, best),
        "best_score": sweep_queries.score_of(best) if best else None,
        "charts": drawings(sweep, runs),
        "facts": facts_of(sweep),
        "options": [(label_of(name), search.format_value(value)) for name, value in sweep.options.items()],
        "evaluation_url": find_url("evaluation:of_run", uuid=best.uuid) if best else "",
        "register_url": (
            find_url("catalog:register_run", uuid=best.uuid)
            if best and can(user, "catalog.register", best)
            else ""
        ),
        "may_launch": can(user, "training.launch", sweep),
    }


def live(user: User, uuid: UUID) -> dict[str, Any]:
    """The part of a sweep's page that changes while a trial trains."""
    sweep = sweep_queries.get_sweep(user, uuid)
    return live_part(user, sweep, list(sweep_queries.trials_of(sweep)))


def live_part(user: User, sweep: Sweep, runs: Sequence[Run]) -> dict[str, Any]:
    """State, progress, figures, and actions."""
    ended = [run for run in runs if run.state in rules.FINISHED]
    current = next((run for run in runs if run.state in queries.UNFINISHED), None)
    running = sweep.state == SweepState.RUNNING
    may_cancel = "" if can(user, "training.stop", sweep) else "Only ML engineers and ML leads can do this"
    return {
        "sweep": sweep,
        "active": running or current is not None,
        "current": current,
        "ended": len(ended),
        "best": sweep_queries.best_trial(runs),
        "leading": sweep_queries.leading_of(sweep),
        "figures": figures(sweep, runs, ended),
        "thread": thread(sweep),
        "cancel": (
            may_cancel
            if running
            else f"The sweep has {'finished' if sweep.state == SweepState.FINISHED else sweep.state}"
        ),
    }


def figures(sweep: Sweep, runs: Sequence[Run], ended: Sequence[Run]) -> list[Figure]:
    """The figures at the top: best score, progress, time, and time left."""
    best = sweep_queries.best_trial(runs)
    last = max((run.finished_at for run in ended if run.finished_at), default=None)
    now = timezone.now()
    left = rules.seconds_left(
        ended=len(ended),
        trials=sweep.trials_wanted,
        seconds=(last - sweep.created_at).total_seconds() if last else 0.0,
        since_last=(now - last).total_seconds() if last else 0.0,
    )
    spent = ((sweep.finished_at or now) - sweep.created_at).total_seconds()
    if left is not None and sweep.minutes is not None:
        left = min(left, max(0.0, 60.0 * sweep.minutes - spent))
    strip = [
        Figure(
            f"{sweep_queries.leading_of(sweep).heading}, best",
            decimals(sweep_queries.score_of(best)) if best else None,
            sub=f"trial {best.trial}" if best else "",
        ),
        Figure("Trials", f"{count(len(ended))} of {count(sweep.trials_wanted)}", sub=states_text(ended)),
        Figure(
            "Time",
            duration(spent),
            sub=f"limit {duration(60 * sweep.minutes)}" if sweep.minutes else "no limit",
        ),
    ]
    if sweep.state == SweepState.RUNNING:
        sub = "at the current pace" if left is not None else "available after the first trial"
        strip.append(Figure("Est. time left", duration(left) if left is not None else None, sub=sub))
    return strip


def states_text(ended: Sequence[Run]) -> str:
    """3 succeeded, 1 pruned."""
    counts = {state: sum(run.state == state for run in ended) for state in RunState}
    return ", ".join(f"{count(number)} {state.label.lower()}" for state, number in counts.items() if number)


def thread(sweep: Sweep) -> list[Step]:
    """Dataset, version, and this sweep."""
    dataset = sweep.snapshot.dataset
    return [
        Step("Dataset", dataset.name, find_url("datasets:dataset", uuid=dataset.uuid)),
        Step(
            "Dataset version",
            f"v{sweep.snapshot.number}",
            find_url("snapshots:detail", uuid=sweep.snapshot.uuid),
            digest=sweep.snapshot.digest,
        ),
        Step("Sweep", str(sweep.number), at="now"),
    ]


def lines_of(sweep: Sweep, runs: Sequence[Run], best: Run | None) -> list[TrialLine]:
    """The trials by score, followed by those without one in order."""
    lines = [
        TrialLine(
            run,
            sweep_queries.score_of(run),
            [
                (label_of(name), search.format_value(value))
                for name, value in sweep_queries.params_of(sweep, run).items()
            ],
            run.finished_at - run.started_at if run.finished_at and run.started_at else None,
            run == best,
        )
        for run in runs
    ]
    return sorted(lines, key=lambda line: (line.score is None, -(line.score or 0), line.run.trial))


def drawings(sweep: Sweep, runs: Sequence[Run]) -> dict[str, Any]:
    """History, parallel coordinates, and importance; none before two trials are scored. scored: their number;
    needed: for importance.
    """
    space = search.read_space(sweep.space)
    ended = [run for run in runs if run.state in rules.FINISHED]
    trials = sweep_queries.ended_trials(sweep, runs)
    marks = [
        Mark(run.trial or 0, trial.params, trial.value, trial.outcome is search.Outcome.SCORED)
        for run, trial in zip(ended, trials, strict=True)
        if trial.value is not None
    ]
    scored = sum(mark.scored for mark in marks)
    found: dict[str, Any] = {"scored": scored, "needed": search.IMPORTANT_FROM}
    if scored < CHARTED_FROM:
        return found
    labels = {name: label_of(name) for name in space}
    important = search.importances(space, trials) if len(space) > 1 else None
    return found | {
        "history": sweep_charts.history(marks, sweep_queries.leading_of(sweep), wanted=sweep.trials_wanted),
        "parallel": sweep_charts.parallel(space, labels, marks, sweep_queries.leading_of(sweep)),
        "importance": sweep_charts.importance(important, labels, trials=scored) if important else None,
    }


def facts_of(sweep: Sweep) -> list[tuple[str, str]]:
    """Its search options, as label and text."""
    space = [(label_of(name), domain_text(domain)) for name, domain in search.read_space(sweep.space).items()]
    pruning = f"below the median, after {count(sweep.warmup_trials)} scored trials" if sweep.prunes else "off"
    return [*space, ("Sampler", f"{sweep.get_sampler_display()}, seed {sweep.seed}"), ("Pruning", pruning)]


def domain_text(domain: search.Domain) -> str:
    """A domain with its scale."""
    return f"{domain}, log scale" if isinstance(domain, search.Range) and domain.log else str(domain)
