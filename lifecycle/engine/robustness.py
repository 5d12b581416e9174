"""The verb `robustness`: how an artifact answers texts that are disturbed as people disturb them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.engine import metrics
from lifecycle.engine.calibration import wilson
from lifecycle.engine.data import Rows, read_rows
from lifecycle.engine.deciding import Cut, confidence, decide
from lifecycle.engine.events import EventWriter
from lifecycle.engine.flips import Flip, write_flips
from lifecycle.engine.perturb import PROBES, disturb
from lifecycle.engine.recipes import RECIPES
from lifecycle.engine.spec import RobustnessSpec
from lifecycle.engine.verbs import open_predictor

SHOWN = ("accuracy", "macro_f1")


def robustness(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Scores of the clean and of each kind of disturbed texts, their paired differences, and flips.parquet: answers that changed."""
    started = time.monotonic()
    spec = RobustnessSpec.read(folder / "spec.json")
    events = EventWriter(folder / "events.jsonl")
    predictor = open_predictor(folder / spec.artifact, folder / spec.base.path if spec.base else None, spec.threads)
    labels, cut = predictor.info.labels, predictor.info.cut
    every = read_rows(folder / spec.data, labels, RECIPES[predictor.info.task].read)
    rows = drawn(every, spec.rows, spec.seed)
    truth = np.array(rows.targets, dtype=np.int64)
    events.write("stage", name="clean", message=f"Answering {len(rows):,} rows as they are.")
    clean = predictor.probabilities(rows.texts, spec.batch_size)
    found: dict[str, dict[str, Any]] = {}
    flips: list[Flip] = []
    for probe in PROBES:
        if cancelled():
            break
        events.write("stage", name=probe, message=f"Answering {len(rows):,} disturbed rows.")
        texts = [disturb(probe, text, seed=spec.seed, name=name) for name, text in zip(rows.ids, rows.texts, strict=True)]
        answers = predictor.probabilities(texts, spec.batch_size)
        found[probe] = scored(truth, answers, spec, cut) | compared(truth, clean, answers, spec, cut)
        flips += flipped(probe, rows, labels, clean, answers, cut)
    write_flips(folder / "flips.parquet", flips)
    status = "cancelled" if cancelled() else "succeeded"
    events.write("end", status=status, message="Finished." if status == "succeeded" else "Stopped on request.")
    head = {"format": 1, "status": status, "error": None, "seconds": round(time.monotonic() - started, 3)}
    return head | {"rows": len(rows), "of": len(every), "seed": spec.seed, "clean": scored(truth, clean, spec, cut), "probes": found}


def drawn(rows: Rows, count: int, seed: int) -> Rows:
    """At most `count` rows, in their order; the same for the same seed."""
    if len(rows) <= count:
        return rows
    kept = sorted(random.Random(seed).sample(range(len(rows)), count))  # noqa: S311  repeatable, not secret
    return Rows(tuple(rows.ids[at] for at in kept), tuple(rows.texts[at] for at in kept), tuple(rows.targets[at] for at in kept))


def scored(truth: NDArray[np.int64], answers: NDArray[np.float64], spec: RobustnessSpec, cut: Cut | None = None) -> dict[str, Any]:
    """SHOWN with their bootstrap intervals."""
    rows = metrics.score_rows(answers, truth, cut=cut)
    points, intervals = metrics.point_estimates(rows), metrics.bootstrap(rows, spec.bootstrap, spec.seed)
    return {name: points[name] for name in SHOWN} | {
        "intervals": {name: {"low": intervals[name][0], "high": intervals[name][1]} for name in SHOWN if name in intervals}
    }


def compared(
    truth: NDArray[np.int64], clean: NDArray[np.float64], answers: NDArray[np.float64], spec: RobustnessSpec, cut: Cut | None = None
) -> dict[str, Any]:
    """change: paired differences from the clean texts; flipped: answers that changed, with a 95 % Wilson interval; broken, fixed."""
    first, second = (metrics.score_rows(each, truth, cut=cut) for each in (clean, answers))
    before, after = first.predicted, second.predicted
    changed = int((before != after).sum())
    low, high = wilson(changed, len(truth))
    paired = metrics.paired_rows(first, second, metrics.COMPARED, labels=None, count=spec.bootstrap, seed=spec.seed)
    return {
        "change": {name: paired[name] for name in SHOWN},
        "flipped": {"value": changed / len(truth), "low": low, "high": high, "count": changed},
        "broken": int(((before == truth) & (after != truth)).sum()),
        "fixed": int(((before != truth) & (after == truth)).sum()),
    }


def flipped(
    probe: str, rows: Rows, labels: tuple[str, ...], clean: NDArray[np.float64], answers: NDArray[np.float64], cut: Cut | None = None
) -> Iterator[Flip]:
    """The rows whose answer changed."""
    before, after = decide(clean, cut), decide(answers, cut)
    sure, then = confidence(clean, before), confidence(answers, after)
    for at in np.flatnonzero(before != after).tolist():
        answered = labels[before[at]], float(sure[at]), labels[after[at]], float(then[at])
        yield Flip(probe, rows.ids[at], labels[rows.targets[at]], *answered)
