"""Grouping the errors of a model by what it holds near each other itself."""

from __future__ import annotations

import numpy as np

from lifecycle.compute import warm
from lifecycle.evaluation import marks, mistakes, queries, rules
from lifecycle.evaluation.findings import Finding
from lifecycle.evaluation.mistakes import Slip
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.context import JobContext
from lifecycle.refusals import Refused
from lifecycle.statistics import clusters
from lifecycle.training.folders import local_folder

MOST = 2_000  # errors that are grouped, the most confident ones
BATCH = 256


def check(evaluation: Evaluation, item: str) -> None:
    """Raises Refused where there is no vector of a text, or there are too few errors to speak of groups."""
    rules.check_grouped(evaluation.report)
    errors = rules.errors(evaluation.report)
    if errors < rules.LEAST_ERRORS:
        raise Refused(
            f"The model made {errors} error{'s' * (errors != 1)} on these rows; groups are looked for from {rules.LEAST_ERRORS} on.",
            next_step="Read them one by one.",
        )


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """{"errors", "taken", "silhouette", "groups": [{"items": digests, nearest to the centre first, "kind", "true", "predicted",
    "pair_rows"}]}.

    taken: errors that were grouped; the rest are the least confident ones, or their texts are gone. kind, true, predicted: the mistake that
    most rows of a group hold, and pair_rows how many, as `mistakes` has them.
    """
    wrong = mistaken(evaluation)
    items = queries.items_by_digest(evaluation, wrong)
    kept = [digest for digest in wrong if digest in items and items[digest].text]
    texts = [items[digest].text[: queries.TEXT_READ] for digest in kept]
    folder, vectors = local_folder("artifacts", evaluation.run.artifact), []
    for start in range(0, len(texts), BATCH):
        ctx.progress(start, len(texts), stage="Reading the errors", unit="texts")
        ctx.raise_if_cancelled()
        vectors += warm.embed(folder, texts[start : start + BATCH])
    if not vectors:
        raise Refused("The texts of all errors are gone, so they cannot be grouped.")
    ctx.progress(len(texts), stage="Grouping")
    found = clusters.group(np.asarray(vectors))
    groups = [
        {"items": [kept[row] for row in rows]} | mistakes.most_frequent(wrong[kept[row]] for row in rows) for rows in found.groups
    ]  # fmt: skip
    counts = {"errors": rules.errors(evaluation.report), "taken": len(kept)}
    return Finding(counts | {"silhouette": round(found.silhouette, 6), "groups": groups})


def mistaken(evaluation: Evaluation) -> dict[str, list[Slip]]:
    """What the most confident wrong answers mistook, by digest of the item."""
    if rules.is_marks(evaluation.report):
        _, found = queries.chosen_marks(evaluation, 0, MOST)
        return {row.item: list(mistakes.of_marks(row, found.labels)) for row in marks.every(found)}
    of = mistakes.of_several if evaluation.task_type.has_thresholds else mistakes.of_one
    return {answer.item: list(of(answer)) for answer in queries.errors_of(evaluation, MOST)}
