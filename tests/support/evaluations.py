"""Evaluations whose answers a test chooses row by row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets_app.datasets.models import Dataset, Item
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import actions
from lifecycle.modeling.evaluation.actions.measuring import PARQUET
from lifecycle.modeling.evaluation.findings import Finding
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.engine.flips import Flip, write_flips
from lifecycle.runtime.engine.perturb import PROBES
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label import predictions
from registry.ground.access.models import Project, User
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import import_texts, make_dataset
from tests.support.snapshots import freeze

CHANNELS = ("mail", "phone", "app", "")

SCORES = {  # that robustness shows, as the engine's subjects have them
    "single_label": ("accuracy", "macro_f1"),
    "multi_label": ("micro_f1", "subset_accuracy"),
    "spans": ("micro_f1", "exact_texts"),
    "preference": ("pair_accuracy", "best_first"),
    "ranking": ("pair_accuracy", "best_first"),
    "generation": ("rouge_l", "exact_match"),
}


def channelled(project: Project, user: User, *, rows: int = 480) -> Snapshot:
    """A snapshot whose items have a channel (a quarter has none, of the app only one) and an age from 0; all
    but 16 rows are test rows.
    """
    labels = ("card", "refund")
    found = []
    for at in range(rows):
        channel = CHANNELS[0] if at % 4 == 2 and at != 2 else CHANNELS[at % 4]
        found.append(
            (f"text number {at} of {labels[at % 2]}", labels[at // 4 % 2], channel, str(at // 4), "test")
        )
    dataset: Dataset = make_dataset(project, user)
    extra = [
        (f"learn {label} {at}", label, "mail", "1", split)
        for label in labels
        for at, split in enumerate(["train", "validation"] * 4)
    ]
    import_texts(dataset, [*found, *extra], user, header=("text", "label", "channel", "age", "split"))
    return freeze(dataset, user)


def evaluated(
    run: Run, split: str, answer: Callable[[Item, str], Mapping[str, float]], *, temperature: float = 1.0
) -> Evaluation:
    """An evaluation in which each item, given with its true label, gets these probabilities by label."""
    labels = tuple(run.spec["labels"])
    rows = list(snapshots.rows_of(run.snapshot, split))
    items = {item.digest: item for item in Item.objects.filter(dataset=run.snapshot.dataset_id)}
    truth = np.array([labels.index(row.label) for row in rows], dtype=np.int64)
    scores = [answer(items[row.item], row.label) for row in rows]
    probabilities = np.array([[each.get(label, 0.0) for label in labels] for each in scores])
    made = predictions.Predictions(labels, tuple(row.item for row in rows), truth, probabilities)
    report: dict[str, Any] = single_label.ENTRY.report(made, count=50)
    result = {"format": 1, "status": "succeeded", "error": None, "temperature": temperature, **report}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "predictions.parquet"
        predictions.ENTRY.write(path, made, split)
        return actions.keep(run=run, split=split, result=result, predictions=path, actor=None)


def made_probes(
    evaluation: Evaluation,
    actor: User,
    flips: Sequence[Flip],
    *,
    harmed: str = "typos",
) -> Analysis:
    """Robustness results as the engine reports them: exactly these flips turn a correct prediction wrong.

    harmed: the test with significantly lower scores.
    """
    rows, task = evaluation.rows, evaluation.report["task"]
    first, second = scores = SCORES[task]
    ends = {name: {"low": 0.8, "high": 1.0} for name in scores}
    clean = {first: 0.9, second: 0.9, "intervals": ends}
    probes = {}
    for name in PROBES:
        count = sum(flip.probe == name for flip in flips)
        outcome = (
            {"high": -0.05, "verdict": "worse"} if name == harmed else {"high": 0.01, "verdict": "unclear"}
        )
        change = {
            "baseline": 0.9,
            "candidate": 0.9 - count / rows,
            "difference": -count / rows,
            "low": -0.2,
        } | outcome
        probes[name] = clean | {
            first: 0.9 - count / rows,
            "change": dict.fromkeys(ends, change),
            "broken": count,
            "fixed": 0,
            "flipped": {"value": count / rows, "low": 0.0, "high": 0.2, "count": count},
        }
        if task == "spans":
            probes[name]["lost"] = {"spans": 3, "rows": 2} if name == "half" else {"spans": 0, "rows": 0}
    report = {
        "task": task,
        "scores": list(scores),
        "rows": rows,
        "of": rows,
        "seed": 1,
        "clean": clean,
        "probes": probes,
    }
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "flips.parquet"
        write_flips(path, flips)
        finding = Finding(report, artifacts.put_file(path, media_type=PARQUET))
    return actions.keep_finding(evaluation, Analysis.Kind.ROBUSTNESS, finding, actor=actor)
