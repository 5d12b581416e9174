"""Grouping the errors of a model by what it holds near each other itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from lifecycle.compute import warm
from lifecycle.engine import clusters
from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.findings import Finding
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.context import JobContext
from lifecycle.refusals import Refused
from lifecycle.training.folders import local_folder

MOST = 2_000  # errors that are grouped, the most confident ones
BATCH = 256


def check(evaluation: Evaluation, item: str) -> None:
    """Raises Refused where a text has not one class, or there are too few errors to speak of groups."""
    rules.check_one(evaluation.report)
    errors = rules.errors(evaluation.report)
    if errors < rules.LEAST_ERRORS:
        raise Refused(
            f"The model made {errors} error{'s' * (errors != 1)} on these rows; groups are looked for from {rules.LEAST_ERRORS} on.",
            next_step="Read them one by one.",
        )


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """{"errors", "taken", "silhouette", "groups": [{"items": digests, nearest to the centre first, "true", "predicted", "pair_rows"}]}.

    taken: errors that were grouped; the rest are the least confident ones, or their texts are gone. The pair is the most frequent one.
    """
    wrong = queries.errors_of(evaluation, MOST)
    items = queries.items_by_digest(evaluation, [answer.item for answer in wrong])
    kept = [answer for answer in wrong if answer.item in items and items[answer.item].text]
    texts = [items[answer.item].text[: queries.TEXT_READ] for answer in kept]
    folder = local_folder("artifacts", evaluation.run.artifact)
    vectors: list[list[float]] = []
    for start in range(0, len(texts), BATCH):
        ctx.progress(start, len(texts), stage="Reading the errors", unit="texts")
        ctx.raise_if_cancelled()
        vectors += warm.embed(folder, texts[start : start + BATCH])
    if not vectors:
        raise Refused("The texts of all errors are gone, so they cannot be grouped.")
    ctx.progress(len(texts), stage="Grouping")
    found = clusters.group(np.asarray(vectors))
    groups = [described([kept[row] for row in rows]) for rows in found.groups]
    counts = {"errors": rules.errors(evaluation.report), "taken": len(kept)}
    return Finding(counts | {"silhouette": round(found.silhouette, 6), "groups": groups})


def described(answers: list[rules.Answer]) -> dict[str, Any]:
    """A group with its most frequent pair of classes; of two equally frequent ones the first by name."""
    pairs = Counter((*answer.true, *answer.predicted) for answer in answers)
    (true, predicted), rows = min(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    return {"items": [answer.item for answer in answers], "true": true, "predicted": predicted, "pair_rows": rows}
