"""Ranking datasets, their versions, and synthetic predictions, for tests."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.statistics import bootstrap
from lifecycle.runtime.task_types.by_key.predictions import file_of
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers
from registry.ground.access.models import Project, User
from tests.support.datasets import import_texts, make_dataset
from tests.support.snapshots import freeze

SHARES = {"train": 60, "validation": 20, "test": 20}
ASKED = (
    "my card is lost",
    "where is my card",
    "money back please",
    "refund my order",
    "card stolen please help",
)
GOOD, BAD = ("card help please", "refund again thanks"), ("late", "not arrived where is the order")


def preferences(project: Project, user: User, *, rows: int = 40, name: str = "") -> Dataset:
    """Pairs of which the first or the second is better, in turn; every tenth is a tie, every eleventh both
    bad. user: may upload.
    """
    dataset = make_dataset(project, user, name, task="preference")
    texts = []
    for at in range(rows):
        better, worse = f"{GOOD[at % 2]} {at}", f"{BAD[at % 2]} {at}"
        choice = "tie" if at % 10 == 9 else "neither" if at % 11 == 10 else "second" if at % 2 else "first"
        texts.append(
            (f"{ASKED[at % 5]} {at}", *((worse, better) if choice == "second" else (better, worse)), choice)
        )
    import_texts(dataset, texts, user, header=("prompt", "response_a", "response_b", "choice"))
    return dataset


def rankings(project: Project, user: User, *, rows: int = 40, name: str = "") -> Dataset:
    """Three responses a row, the best of which is first, second, or third in turn."""
    dataset = make_dataset(project, user, name, task="ranking")
    texts = []
    for at in range(rows):
        responses = [f"{GOOD[0]} {at}", f"{GOOD[1]} {at}", f"{BAD[0]} {at}"]
        order = [(each + at) % 3 for each in range(3)]
        texts.append((f"{ASKED[at % 5]} {at}", json.dumps(responses), json.dumps(order)))
    import_texts(dataset, texts, user, header=("prompt", "responses", "ranking"))
    return dataset


def ranking_snapshot(project: Project, user: User, task: str = "preference", **options: Any) -> Snapshot:
    """A dataset version with rows in all three splits."""
    shares = options.pop("shares", SHARES)
    return freeze(
        (preferences if task == "preference" else rankings)(project, user, **options), user, shares=shares
    )


def made_up(run: Run, split: str, quality: float, seed: int) -> RankedAnswers:
    """Predictions of a synthetic run: with `quality` 1 every pair is correct, with 0 half of them."""
    rows = list(snapshots.learned_rows(run.snapshot, split))
    truth = [Ranked.of(row["responses"], row["ranks"]) for row in rows]
    draw = np.random.default_rng(seed)
    strengths = [
        -2.0 * quality * np.array(each.ranks) + (1 - quality) * draw.normal(size=len(each.ranks))
        for each in truth
    ]
    return RankedAnswers.of([row["id"] for row in rows], ranking.padded(strengths, np.nan), truth)


def report_of(made: RankedAnswers) -> dict[str, Any]:
    """The engine's report of answers."""
    return ranking.ENTRY.report(made, count=200)


def make_evaluation(
    run: Run, split: str = "test", *, quality: float = 0.8, seed: int = 1, by: User | None = None
) -> Evaluation:
    """An evaluation of a succeeded run from made-up answers, with the baselines of place and length."""
    made = made_up(run, split, quality, seed)
    rows = list(snapshots.learned_rows(run.snapshot, split))
    texts = [Ranked.of(row["responses"], row["ranks"]) for row in rows]
    report = report_of(made) | {"task": run.task}
    longer = ranking.padded([[10.0 * len(text) for text in each.responses] for each in texts], np.nan)
    first = ranking.padded([[-1.0 * at for at in range(len(each.ranks))] for each in texts], np.nan)
    found = {
        name: bootstrap.summary(ranking.score(each, texts), count=200, seed=1)
        for name, each in (("first", first), ("longer", longer))
    }
    shown = {
        name: [score for score in ("pair_accuracy", "best_first") if score in each]
        for name, each in found.items()
    }
    baselines = {
        name: (
            {score: each[score] for score in shown[name]}
            | {"intervals": {score: each["intervals"][score] for score in shown[name]}}
        )
        for name, each in found.items()
    }
    result = {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "temperature": 1.0,
        "graph": "fp32",
        **report,
        "baselines": baselines,
    }
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "predictions.parquet"
        file_of(run.task).write(path, made, split)
        return evaluation.keep(run=run, split=split, result=result, predictions=path, actor=by)
