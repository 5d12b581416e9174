"""Membership inference: whether the loss of a row reveals that the model was trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.manifest import ManifestRow
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.context import JobContext
from lifecycle.modeling.evaluation import queries, rules
from lifecycle.modeling.evaluation.child import carried_out
from lifecycle.modeling.evaluation.findings import Finding
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.rows import rows_for
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.engine import row_losses
from lifecycle.runtime.engine.spec import Base, PredictSpec
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import clustered, membership
from lifecycle.runtime.task_types.contents.dialogue import is_quiet

SEED = 1


def check(evaluation: Evaluation, item: str) -> None:
    """Raise Refused if either side has too few rows."""
    trained = evaluation.run.snapshot.counts["splits"].get("train", 0)
    refuse_few(min(trained, evaluation.rows))


def refuse_few(rows: int) -> None:
    """Raise Refused below the minimum number of rows per side."""
    if rows < rules.LEAST_ROWS:
        raise Refused(
            f"Only {rows} rows per set can be compared; the test needs {rules.LEAST_ROWS}.",
            next_step="Create a dataset version with more rows, then train and evaluate on it.",
        )


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """The report of the attack, with "duplicates" (held-out rows excluded because their normalised text was
    trained on) and mean losses.

    As many training rows as evaluated ones are sampled with a seed, without those that have no loss; the
    losses of evaluated rows are the stored ones. Rows that were split together, such as near duplicates, are
    one cluster.
    """
    ctx.progress(0, stage="Sampling rows")
    run, answered = evaluation.run, queries.losses_of(evaluation)
    trained = [row.item for row in snapshots.rows_of(run.snapshot, "train")]
    normal = queries.normal_digests(evaluation, [*answered, *trained])
    known = {normal[digest] for digest in trained if digest in normal}
    ctx.raise_if_cancelled()
    cluster_of = {row.item: row.cluster for row in measured(evaluation.snapshot, evaluation.split)}
    ctx.raise_if_cancelled()
    fresh = [
        digest
        for digest in answered
        if digest in cluster_of and digest in normal and normal[digest] not in known
    ]
    train_rows = [row for row in measured(run.snapshot, "train") if row.item in normal]
    rows = min(len(train_rows), len(fresh), rows_for(evaluation).compared)
    refuse_few(rows)
    random = np.random.default_rng(SEED)
    others = {fresh[at]: answered[fresh[at]] for at in sorted(random.choice(len(fresh), rows, replace=False))}
    members = losses(
        ctx, run, [train_rows[at] for at in sorted(random.choice(len(train_rows), rows, replace=False))]
    )
    refuse_few(len(members))
    cluster_in_train = {row.item: row.cluster for row in train_rows}
    clusters = [
        clustered.numbered(groups[item] for item in side)
        for groups, side in ((cluster_in_train, members), (cluster_of, others))
    ]
    ctx.progress(len(members), len(members), stage="Comparing losses", unit="rows")
    about = {
        "duplicates": sum(normal.get(digest) in known for digest in answered),
        "mean_losses": {
            name: float(np.mean(list(side.values())))
            for name, side in (("members", members), ("others", others))
        },
    }
    return Finding(membership.attack(list(members.values()), list(others.values()), *clusters) | about)


def measured(snapshot: Snapshot, split: str) -> list[ManifestRow]:
    """The rows of a split that have a loss: without chats whose last response isn't trained on."""
    rows = list(snapshots.rows_of(snapshot, split))
    if not snapshot.dataset.task_type.writes_text:
        return rows
    split_rows = snapshots.learned_rows(snapshot, split)
    learned = {row["id"] for row in split_rows if not ("messages" in row and is_quiet(row["messages"][-1]))}
    return [row for row in rows if row.item in learned]


def losses(ctx: JobContext, run: Run, rows: Sequence[ManifestRow]) -> dict[str, float]:
    """The loss of each of these training rows that has one, by item digest, from the graph used in the
    evaluation.
    """

    def prepare(folder: Path, base: Base) -> PredictSpec:
        snapshots.write_split(run.snapshot, "train", folder / "data.jsonl", rows)
        return PredictSpec(artifact="artifact", base=base)

    with carried_out(ctx, "losses", run, prepare) as (folder, _):
        return row_losses.read(folder / "losses.parquet")
