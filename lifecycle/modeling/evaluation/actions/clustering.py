"""Cluster the errors of a model by its own embeddings."""

from __future__ import annotations

import numpy as np

from lifecycle.ground.compute import warm
from lifecycle.ground.jobs.context import JobContext
from lifecycle.modeling.evaluation import queries, rules
from lifecycle.modeling.evaluation.findings import Finding
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.rows import check_groupable, rows_for
from lifecycle.modeling.evaluation.task_types.rows import most_frequent
from lifecycle.modeling.training.folders import local_folder
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import clusters

MOST = 2_000  # clustered errors, the most confident ones
BATCH = 256


def check(evaluation: Evaluation, item: str) -> None:
    """Raise Refused if there are no text embeddings, or too few errors to cluster."""
    check_groupable(evaluation)
    errors = rules.errors(evaluation.report)
    if errors < rules.LEAST_ERRORS:
        raise Refused(
            f"The model made {errors} error{'s' * (errors != 1)} on these rows; clustering needs at least"
            f" {rules.LEAST_ERRORS}.",
            next_step="Review them one by one.",
        )


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """{"errors", "taken", "silhouette", "groups": [{"items": digests, nearest to the centre first, "kind",
    "true", "predicted", "pair_rows"}]}.

    taken: the number of clustered errors; the rest are the least confident ones, or their texts were erased.
    kind, true, predicted: the most frequent error of a group, as in `Slip`; pair_rows: the number of its
    rows.
    """
    rows = rows_for(evaluation)
    wrong = {row.item: list(rows.slips(row)) for row in rows.first(evaluation, MOST)}  # the errors of each
    items = queries.items_by_digest(evaluation, wrong)
    kept = [digest for digest in wrong if digest in items and items[digest].text]
    texts = [items[digest].text[: queries.TEXT_READ] for digest in kept]
    folder, vectors = local_folder("artifacts", evaluation.run.artifact), []
    for start in range(0, len(texts), BATCH):
        ctx.progress(start, len(texts), stage="Reading errors", unit="texts")
        ctx.raise_if_cancelled()
        vectors += warm.embed(folder, texts[start : start + BATCH])
    if not vectors:
        raise Refused("The texts of all errors were erased, so they can't be clustered.")
    ctx.progress(len(texts), stage="Clustering")
    found = clusters.group(np.asarray(vectors))
    groups = [
        {"items": [kept[at] for at in group]} | most_frequent(wrong[kept[at]] for at in group)
        for group in found.groups
    ]
    counts = {"errors": rules.errors(evaluation.report), "taken": len(kept)}
    return Finding(counts | {"silhouette": round(found.silhouette, 6), "groups": groups})
