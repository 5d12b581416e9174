"""The verb `robustness`: how an artifact's predictions change on perturbed rows, for any task."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.data import read_rows
from lifecycle.runtime.engine.events import EventWriter, Stopped, progress_reporter
from lifecycle.runtime.engine.flips import Flip, write_flips
from lifecycle.runtime.engine.perturb import PROBES
from lifecycle.runtime.engine.spec import RobustnessSpec
from lifecycle.runtime.engine.task_types.answerer import Answerer, Sides
from lifecycle.runtime.engine.task_types.by_key.answerers import answerer_of
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.engine.verbs import quiet
from lifecycle.runtime.statistics import bootstrap, clustered, comparisons
from lifecycle.runtime.statistics.metrics import Countable, Ints
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.runtime.task_types.rows import Rows, parts, some


def robustness(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Scores of the clean and of each kind of disturbed rows, their paired differences, and flips.parquet:
    answers that changed.
    """
    started = time.monotonic()
    spec = RobustnessSpec.read(folder / "spec.json")
    quiet(spec.threads)
    events = EventWriter(folder / "events.jsonl")
    info = ArtifactInfo.read(folder / spec.artifact)
    every = read_rows(folder / spec.data, info.labels, learner_of(info.task).read)
    rows = drawn(every, spec.rows, spec.seed)
    base = folder / spec.base.path if spec.base else None
    answerer = answerer_of(info.task)
    opened = answerer.open(
        folder / spec.artifact, base, threads=spec.threads, batch_size=spec.batch_size, cancelled=cancelled
    )
    subject = Subject(answerer, opened, info)
    events.write(
        "stage",
        name="probes",
        message=f"Predicting {len(rows):,} rows unperturbed and with {len(PROBES)} perturbations.",
    )
    try:
        found = probed(
            subject,
            rows,
            spec,
            progress_reporter(events, len(rows) * (1 + len(PROBES)), cancelled),
            folder / "flips.parquet",
        )
    except Stopped:
        events.write("end", status="cancelled", message="Stopped on request.")
        return {"format": 1, "status": "cancelled", "error": None}
    events.write("end", status="succeeded", message="Finished.")
    head = {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "seconds": round(time.monotonic() - started, 3),
    }
    return (
        head
        | {
            "task": info.task,
            "scores": list(answerer.probed),
            "rows": len(rows),
            "of": len(every),
            "seed": spec.seed,
        }
        | found
    )


@dataclass(frozen=True)
class Subject:
    """An artifact that is probed, and how its task answers."""

    answerer: Answerer[Any, Any, Any]
    opened: Any
    info: ArtifactInfo


def drawn(rows: Rows, count: int, seed: int) -> Rows:
    """At most `count` rows, in their order; the same for the same seed."""
    if len(rows) <= count:
        return rows
    return some(rows, sorted(random.Random(seed).sample(range(len(rows)), count)))  # noqa: S311  repeatable, not secret


def probed(
    subject: Subject, rows: Rows, spec: RobustnessSpec, progress: Callable[[int], None], path: Path
) -> dict[str, Any]:
    """{"clean": scores, "probes": {name: scores and what changed}}, with the verdicts of `comparisons.judged`
    over all probes; the flips are written to the path. Raises Stopped.
    """
    clean = answered(subject, rows, progress)
    found: dict[str, dict[str, Any]] = {}
    flips: list[Flip] = []
    for probe in PROBES:
        disturbed = subject.answerer.disturb(probe, rows, spec.seed)
        answers = answered_again(subject, rows, clean, disturbed, progress)
        sides = subject.answerer.compare(subject.info, rows, clean, disturbed, answers)
        found[probe] = scored(subject, sides.after, spec, rows.codes) | compared(
            subject, sides, spec, rows.codes
        )
        flips += flipped(probe, rows, sides)
    write_flips(path, flips)
    for name in subject.answerer.probed:
        changes = {probe: each["change"][name] for probe, each in found.items()}
        judged = comparisons.judged(changes, {probe: each["p"] for probe, each in changes.items()})
        for probe, each in judged.items():
            found[probe]["change"][name] = each
    return {
        "clean": scored(subject, subject.answerer.score(subject.info, rows, clean), spec, rows.codes),
        "probes": found,
    }


def answered(subject: Subject, rows: Rows, progress: Callable[[int], None]) -> list[Any]:
    """The answers to all rows."""
    found: list[Any] = []
    for each in parts(rows, subject.answerer.at_once):
        found += subject.answerer.answer(subject.opened, each)
        progress(len(each))
    return found


def answered_again(
    subject: Subject, rows: Rows, clean: list[Any], disturbed: Rows, progress: Callable[[int], None]
) -> list[Any]:
    """The answers to all disturbed rows; what a probe leaves as it is keeps its answer, and nothing is
    asked.
    """
    pairs = zip(*map(subject.answerer.reads, (rows, disturbed)), strict=True)
    others = [at for at, (one, two) in enumerate(pairs) if one != two]
    progress(len(rows) - len(others))
    found = list(clean)
    for at, each in zip(others, answered(subject, some(disturbed, others), progress), strict=True):
        found[at] = each
    return found


def scored(subject: Subject, rows: Countable, spec: RobustnessSpec, clusters: Ints) -> dict[str, Any]:
    """The scores that are shown with their bootstrap intervals; scores that these rows can't give are left
    out.
    """
    summary = bootstrap.summary(rows, count=spec.bootstrap, seed=spec.seed, clusters=clusters)
    names = [name for name in subject.answerer.probed if name in summary]
    return {name: summary[name] for name in names} | {
        "intervals": {name: summary["intervals"][name] for name in names if name in summary["intervals"]}
    }


def compared(subject: Subject, sides: Sides, spec: RobustnessSpec, clusters: Ints) -> dict[str, Any]:
    """change: paired differences from the clean rows, with p by swaps; flipped: answers that changed, with a
    95 % interval by clusters; broken, fixed: rows whose own score fell, and rose; of marked parts also lost:
    those that are not asked for.
    """
    changed = int(sides.changed.sum())
    share = clustered.share(clustered.by_cluster(sides.changed, clusters))
    options: dict[str, Any] = {
        "labels": None,
        "count": spec.bootstrap,
        "seed": spec.seed,
        "clusters": clusters,
        "swaps": comparisons.SWAPS,
    }
    paired = comparisons.paired_rows(
        sides.before,
        sides.after,
        subject.answerer.probed,
        lower=metrics_of(subject.info.task).lower,
        **options,
    )
    before, after = sides.own
    return {
        "change": paired,
        "flipped": {"value": share.value, "low": share.low, "high": share.high, "count": changed},
        "broken": int((after < before).sum()),
        "fixed": int((after > before).sum()),
    } | ({"lost": {"spans": sides.lost[0], "rows": sides.lost[1]}} if sides.lost else {})


def flipped(probe: str, rows: Rows, sides: Sides) -> Iterator[Flip]:
    """The rows whose answer changed."""
    for at, row in zip(sides.changed.nonzero()[0].tolist(), sides.changes, strict=True):
        before, after = sides.own[:, at].tolist()
        yield Flip(
            probe,
            rows.ids[at],
            row.label,
            row.clean,
            row.clean_confidence,
            row.predicted,
            row.confidence,
            before,
            after,
        )
