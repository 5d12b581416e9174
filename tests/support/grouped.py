"""Evaluations of every task whose rows stand in channels, for tests of groups: half of what comes by phone is
answered wrongly.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from datasets_app.datasets.models import Dataset, Item
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import actions
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.statistics import bootstrap
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.predictions import file_of
from lifecycle.runtime.task_types.generation import measures as text_scores
from lifecycle.runtime.task_types.generation import predictions as text_answers
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.runtime.task_types.generation.measures import TextAnswers
from lifecycle.runtime.task_types.multi_label import measures as label_sets
from lifecycle.runtime.task_types.multi_label import predictions
from lifecycle.runtime.task_types.multi_label.measures import SetPredictions
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers
from lifecycle.runtime.task_types.spans import predictions as span_predictions
from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.tagging import Found
from registry.ground.access.models import Project, User
from tests.support import spans
from tests.support.datasets import import_texts, make_dataset
from tests.support.generation import make_decoder, make_generation_run
from tests.support.snapshots import freeze
from tests.support.training import make_run

CHANNELS = {"mail": 60, "phone": 40, "app": 10}
HEADERS = {
    "multi_label": ("text", "label"),
    "spans": ("text", "spans"),
    "preference": ("prompt", "response_a", "response_b", "choice"),
    "ranking": ("prompt", "responses", "ranking"),
    "generation": ("instruction", "output", "input"),
}
LABELS = ("card", "refund")
FIRST_TRAINED = 900  # rows with this number or above are training rows


def row_of(task: str, at: int) -> tuple[str, ...]:
    """One row of the task; its text ends in its number."""
    text = f"card with refund {at}"
    if task == "multi_label":
        return text, json.dumps(
            (LABELS[:1], LABELS, LABELS[1:], LABELS)[at % (4 if at >= FIRST_TRAINED else 2)]
        )
    if task == "spans":
        return text, json.dumps(
            [{"start": 0, "end": 4, "label": "thing"}, {"start": 10, "end": 16, "label": "wish"}]
        )
    if task == "preference":
        return text, f"help {at}", f"late {at}", "first"
    if task == "ranking":
        return text, json.dumps([f"help {at}", f"wait {at}", f"late {at}"]), json.dumps([0, 1, 2])
    return text, f"answer number {at}", f"answer number {at} stands here" if at % 2 else ""


def grouped_snapshot(project: Project, user: User, task: str) -> Snapshot:
    """The rows of CHANNELS as test rows, in turn right and to be answered wrongly, and eight rows each to
    train on and to validate.
    """
    dataset: Dataset = make_dataset(project, user, task=task)
    channels = [name for name, count in CHANNELS.items() for _ in range(count)]
    rows = [(*row_of(task, at), channel, "test") for at, channel in enumerate(channels)]
    rows += [
        (*row_of(task, FIRST_TRAINED + at), "mail", split)
        for at, split in enumerate(["train"] * 8 + ["validation"] * 8)
    ]
    import_texts(dataset, rows, user, header=(*HEADERS[task], "channel", "split"))
    return freeze(dataset, user)


def grouped_evaluation(project: Project, user: User, task: str, scratch: Path | None = None) -> Evaluation:
    """An evaluation on them: every other row by phone is wrong, each in the way of its task, and no other.
    user: engineer or lead.

    scratch: as make_decoder has it.
    """
    snapshot = grouped_snapshot(project, user, task)
    if task == "generation":
        run = make_generation_run(snapshot, user, make_decoder(project, user, scratch), splits=())
    else:
        run = make_run(snapshot, user, splits=())
    items = {item.digest: item for item in Item.objects.filter(dataset=snapshot.dataset_id)}
    ids = [row.item for row in snapshots.rows_of(snapshot, "test")]
    wrong = [is_wrong(items[digest]) for digest in ids]
    report, write = {"multi_label": of_sets, "spans": of_spans, "generation": of_texts}.get(
        task, of_rankings
    )(run, wrong)
    result = {"format": 1, "status": "succeeded", "error": None, "temperature": 1.0, **report}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.parquet"
        write(path)
        return actions.keep(run=run, split="test", result=result, predictions=path, actor=None)


def is_wrong(item: Item) -> bool:
    """Whether the item came by phone and its number is odd."""
    return item.metadata["channel"] == "phone" and int(item.text.split()[3]) % 2 == 1


def of_sets(run: Run, wrong: list[bool]) -> tuple[dict[str, Any], Any]:
    """The second of two labels is missed."""
    labels, rows = tuple(run.spec["labels"]), list(snapshots.rows_of(run.snapshot, "test"))
    truth = np.array([[label in json.loads(row.label) for label in labels] for row in rows])
    probabilities = np.where(truth, 0.9, 0.1)
    probabilities[np.ix_(wrong, [labels.index("refund")])] = 0.2
    made = SetPredictions(labels, tuple(row.item for row in rows), truth, probabilities, (0.5,) * len(labels))
    return label_sets.ENTRY.report(made, count=50), lambda path: predictions.ENTRY.write(path, made, "test")


def of_spans(run: Run, wrong: list[bool]) -> tuple[dict[str, Any], Any]:
    """Of two spans the second is missed."""
    labels, rows = tuple(run.spec["labels"]), list(snapshots.rows_of(run.snapshot, "test"))
    truth = tuple(
        tuple((each["start"], each["end"], labels.index(each["label"])) for each in json.loads(row.label))
        for row in rows
    )
    found = tuple(
        tuple(Found(*span, 0.9) for span in some[: 1 if missed else 2])
        for some, missed in zip(truth, wrong, strict=True)
    )
    zeros = np.zeros(len(rows))
    made = SpanPredictions(labels, tuple(row.item for row in rows), truth, found, zeros + 0.5, zeros + 5)
    return spans.report_of(made), lambda path: span_predictions.ENTRY.write(path, made, "test")


def of_rankings(run: Run, wrong: list[bool]) -> tuple[dict[str, Any], Any]:
    """The first two responses stand the wrong way round."""
    rows = list(snapshots.learned_rows(run.snapshot, "test"))
    truth = [Ranked.of(row["responses"], row["ranks"]) for row in rows]
    strengths = -2.0 * np.array([each.ranks for each in truth], dtype=np.float64)
    for row in np.flatnonzero(wrong):
        strengths[row, np.argsort(truth[row].ranks)[:2]] = strengths[row, np.argsort(truth[row].ranks)[1::-1]]
    made = RankedAnswers.of([row["id"] for row in rows], strengths, truth)
    return measures_of(run.task).report(made, count=50), lambda path: file_of(run.task).write(
        path, made, "test"
    )


def of_texts(run: Run, wrong: list[bool]) -> tuple[dict[str, Any], Any]:
    """The answer is of other words."""
    rows = list(snapshots.learned_rows(run.snapshot, "test"))
    references, contexts = [row["answer"] for row in rows], [row.get("context", "") for row in rows]
    answers = [
        "please look again" if missed else each for each, missed in zip(references, wrong, strict=True)
    ]
    scored = text_scores.score_texts(
        answers, references, contexts, np.ones(len(rows)), np.full(len(rows), 4.0)
    )
    ids, targets = tuple(row["id"] for row in rows), tuple(map(text_answers.target_of, references, contexts))
    made = TextAnswers(
        ids, targets, tuple(answers), scored, (verbatim.NONE,) * len(rows), (False,) * len(rows)
    )
    report = {
        "task": "generation",
        "rows": len(rows),
        "with_context": sum(map(bool, contexts)),
        "max_new_tokens": run.spec["max_new_tokens"],
        "dialogues": 0,
        "left_out": {},
        "truncation": dict.fromkeys(("prompts", "answers"), 0),
        "cut_answers": text_answers.cut_report([False] * len(rows), None),
        "references": {},
        "copied": None,
        **bootstrap.summary(scored, count=50, seed=1),
    }
    return report, lambda path: text_answers.ENTRY.write(path, made, "test")
