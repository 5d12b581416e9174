"""Training on from a model that was trained before: its head, rows that it learned from, and what it has
forgotten.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from lifecycle.runtime.engine.artifact import HEAD, ArtifactInfo
from lifecycle.runtime.engine.data import EARLIER, REHEARSAL, read_rows
from lifecycle.runtime.engine.diagnosis import Diagnosis
from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.task_types.answerer import Answerer, Trained
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.engine.task_types.learner import Learner
from lifecycle.runtime.statistics import bootstrap, comparisons, metrics
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.measures import Metric
from lifecycle.runtime.task_types.rows import Rows

MUCH = 0.05  # of a score between 0 and 1


# ── Rows ────────────────────────────────────────────────────────────────────
def rehearsed(spec: TrainSpec, rows: Rows, folder: Path, learner: Learner[Any]) -> Rows:
    """The rows, and behind them the first that the base learned from: as many as make spec.rehearsal of all,
    or all there are.
    """
    if not spec.rehearsal or not (folder / REHEARSAL).exists():
        return rows
    earlier, wanted = read_rows(folder / REHEARSAL, spec.labels, learner.read), spec.rehearsed_rows(len(rows))
    parts = ((each, getattr(earlier, name)[:wanted]) for name, each in vars(rows).items())
    return replace(Rows(*(tuple(one) + tuple(two) for one, two in parts)), left_out=rows.left_out)


# ── The head ────────────────────────────────────────────────────────────────
def take_head(head: torch.nn.Linear, base: Path, spec: TrainSpec) -> int:
    """Begin with what the base's own head knows of each label that both have, by name; the others keep their
    random weights.

    Returns how many outputs were taken. Raises SpecError where the base has no head, or one of another task
    or pooling.
    """
    if not (base / HEAD).is_file():
        raise SpecError("keep_head", f"needs a base with a head; {spec.base.name} has none.")
    known, learner = ArtifactInfo.read(base), learner_of(spec.task)
    if known.task != spec.task:
        raise SpecError(
            "keep_head", f"needs a base of the same task; {spec.base.name} was trained for {known.task}."
        )
    if known.pooling != spec.pooling:
        raise SpecError(
            "keep_head", f"must be {known.pooling}, the pooling that the head of {spec.base.name} uses."
        )
    kept = load_file(base / HEAD)
    old, new = learner.meanings(known.labels), learner.meanings(spec.labels)
    pairs = [(old.index(meaning), at) for at, meaning in enumerate(new) if meaning in old]
    if pairs:
        source, target = (list(each) for each in zip(*pairs, strict=True))
        with torch.no_grad():
            head.weight[target], head.bias[target] = kept["weight"][source], kept["bias"][source]
    return len(pairs)


# ── What it no longer knows ─────────────────────────────────────────────────
def forgetting(run: Trained, answerer: Answerer[Any, Any, Any]) -> dict[str, Any] | None:
    """The base and this run's artifact on EARLIER, the same rows. None where the folder has no such rows, or
    both know no class.

    {"rows", "labels": how many of the rows' classes both know, "by": the leading score, "metrics",
    "per_class"}: a paired bootstrap as `comparisons.paired_rows`, baseline the base, with the verdicts of
    `comparisons.judged`, those of scores and of classes on their own. Of one class a text, the artifact may
    give any class that it knows, a new one too; where a text may have several, and where parts are marked, no
    one decided about new classes in these rows, so both are asked about the others.
    """
    spec, folder = run.spec, run.folder
    if not (folder / EARLIER).exists():
        return None
    known, by = ArtifactInfo.read(folder / spec.base.path), metrics_of(spec.task)
    shared = tuple(label for label in spec.labels if label in known.labels)
    labels = spec.labels if type_of(spec.task).one_label else shared
    if spec.labels and not shared:
        return None
    rows = read_rows(folder / EARLIER, labels, learner_of(spec.task).read)
    one, two = answerer.remembered(run, rows, labels)
    counted = metrics.point_estimates(one)
    compared = [name for name in dict.fromkeys((by.listed.name, *by.beside)) if name in counted]
    options: dict[str, Any] = {"seed": spec.seed, "clusters": rows.codes}
    found = comparisons.paired_rows(
        one, two, compared, labels=labels, count=bootstrap.RESAMPLES, lower=by.lower, **options
    )
    classes = found.pop("per_class", {})
    options |= {"count": comparisons.SWAPS}
    return {
        "rows": len(rows),
        "labels": len(shared),
        "by": by.listed.name,
        "per_class": (
            comparisons.judged(classes, comparisons.swapped_per_class(one, two, labels, **options))
            if classes
            else {}
        ),
        "metrics": comparisons.judged(found, comparisons.swapped(one, two, compared, **options)),
    }


def finding(found: dict[str, Any], leading: Metric, base: str) -> Diagnosis | None:
    """The finding if the main score on the earlier rows is significantly worse. found: of `forgetting`."""
    score, digits = found["metrics"][found["by"]], leading.digits
    before, after = (f"{score[name]:.{digits}f}" for name in ("baseline", "candidate"))
    if score["verdict"] != "worse":
        return None
    lost = {label: each for label, each in found["per_class"].items() if each["verdict"] == "worse"}
    worst = sorted(lost, key=lambda label: lost[label]["difference"])[:3]
    named = f" Largest drop: {', '.join(worst)}." if worst else ""
    return Diagnosis(
        "forgetting",
        "bad" if leading.lower_is_better or score["difference"] < -MUCH else "watch",
        f"Forgetting: the run is worse than {base} on earlier rows.",
        f"On {found['rows']:,} earlier rows {leading.words} went from {before} to {after}.{named}",
        0,
        0,
        "Increase rehearsal, lower the learning rate, or train fewer parameters.",
    )
