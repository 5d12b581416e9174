"""Asking whether rows tell by their loss that a model was trained on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datasets_app.snapshots import queries as snapshots
from lifecycle.compute import warm
from lifecycle.engine import membership
from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.findings import Finding
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.context import JobContext
from lifecycle.refusals import Refused
from lifecycle.training.folders import local_folder

MOST = 10_000  # rows of each side
BATCH = 500
SEED = 1
Row = tuple[str, str]  # an item's digest and its true label


def check(evaluation: Evaluation, item: str) -> None:
    """Raises Refused where a text has not one class, or there are too few rows of either side to say anything."""
    rules.check_one(evaluation.report)
    trained = evaluation.run.snapshot.counts["splits"].get("train", 0)
    refuse_few(min(trained, evaluation.rows))


def refuse_few(rows: int) -> None:
    """Raises Refused below the least number of rows of each side."""
    if rows < rules.LEAST_ROWS:
        raise Refused(
            f"There are {rows} rows to compare with as many others; it takes {rules.LEAST_ROWS} of each.",
            next_step="Freeze a snapshot with more rows, train and evaluate on it.",
        )


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """The report of the attack, with "duplicates" (held-out rows left out, as their normalised text was trained on) and mean losses.

    Equal numbers of training rows and of the evaluated rows, drawn by a seed; the training rows are answered by the graph that serves.
    """
    answers = {answer.item: answer for answer in rules.answers(queries.predictions_of(evaluation))}
    trained = [(row.item, row.label) for row in snapshots.rows_of(evaluation.run.snapshot, "train")]
    normal = queries.normal_digests(evaluation, [*answers, *(digest for digest, _ in trained)])
    known = {normal[digest] for digest, _ in trained if digest in normal}
    fresh = [digest for digest in answers if digest in normal and normal[digest] not in known]
    rows = min(len(trained), len(fresh), MOST)
    refuse_few(rows)
    random = np.random.default_rng(SEED)
    others = [answers[fresh[at]].loss for at in sorted(random.choice(len(fresh), rows, replace=False))]
    members = losses(ctx, evaluation, [trained[at] for at in sorted(random.choice(len(trained), rows, replace=False))])
    refuse_few(len(members))
    ctx.progress(rows, stage="Comparing the losses")
    about = {
        "duplicates": sum(normal.get(digest) in known for digest in answers),
        "mean_losses": {"members": float(np.mean(members)), "others": float(np.mean(others))},
    }
    return Finding(membership.attack(members, others[: len(members)]) | about)


def losses(ctx: JobContext, evaluation: Evaluation, rows: Sequence[Row]) -> list[float]:
    """The loss of the model on each row whose text is still there, in batches."""
    folder, found = local_folder("artifacts", evaluation.run.artifact), []
    for start in range(0, len(rows), BATCH):
        ctx.progress(start, len(rows), stage="Answering training rows", unit="rows")
        ctx.raise_if_cancelled()
        batch = rows[start : start + BATCH]
        items = queries.items_by_digest(evaluation, [digest for digest, _ in batch])
        kept = [(items[digest].text, label) for digest, label in batch if digest in items and items[digest].text]
        answered = warm.predict(folder, [text[: queries.TEXT_READ] for text, _ in kept])
        number = {label: at for at, label in enumerate(answered["labels"])}
        found += [
            rules.loss(answer["probabilities"][number[label]]) for answer, (_, label) in zip(answered["answers"], kept, strict=True)
        ]  # fmt: skip
    return found
