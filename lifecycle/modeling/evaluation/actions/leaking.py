"""Asking whether rows tell by their loss that a model was trained on them."""

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
    """Raises Refused where there are too few rows of either side to say anything."""
    trained = evaluation.run.snapshot.counts["splits"].get("train", 0)
    refuse_few(min(trained, evaluation.rows))


def refuse_few(rows: int) -> None:
    """Raises Refused below the least number of rows of each side."""
    if rows < rules.LEAST_ROWS:
        raise Refused(
            f"Only {rows} rows per set can be compared; the test needs {rules.LEAST_ROWS}.",
            next_step="Create a dataset version with more rows, then train and evaluate on it.",
        )


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """The report of the attack, with "duplicates" (held-out rows left out, as their normalised text was trained on) and mean losses.

    As many training rows as evaluated ones, drawn by a seed, less those that have no loss; of the evaluated it is the one that was kept.
    Rows that were split together, such as near duplicates, are one cluster.
    """
    ctx.progress(0, stage="Sampling rows")
    run, answered = evaluation.run, queries.losses_of(evaluation)
    trained = [row.item for row in snapshots.rows_of(run.snapshot, "train")]
    normal = queries.normal_digests(evaluation, [*answered, *trained])
    known = {normal[digest] for digest in trained if digest in normal}
    ctx.raise_if_cancelled()
    cluster_of = {row.item: row.cluster for row in measured(evaluation.snapshot, evaluation.split)}
    ctx.raise_if_cancelled()
    fresh = [digest for digest in answered if digest in cluster_of and digest in normal and normal[digest] not in known]
    learnt = [row for row in measured(run.snapshot, "train") if row.item in normal]
    rows = min(len(learnt), len(fresh), rows_for(evaluation).compared)
    refuse_few(rows)
    random = np.random.default_rng(SEED)
    others = {fresh[at]: answered[fresh[at]] for at in sorted(random.choice(len(fresh), rows, replace=False))}
    members = losses(ctx, run, [learnt[at] for at in sorted(random.choice(len(learnt), rows, replace=False))])
    refuse_few(len(members))
    cluster_in_train = {row.item: row.cluster for row in learnt}
    clusters = [clustered.numbered(of[item] for item in side) for of, side in ((cluster_in_train, members), (cluster_of, others))]
    ctx.progress(len(members), len(members), stage="Comparing losses", unit="rows")
    about = {
        "duplicates": sum(normal.get(digest) in known for digest in answered),
        "mean_losses": {name: float(np.mean(list(side.values()))) for name, side in (("members", members), ("others", others))},
    }
    return Finding(membership.attack(list(members.values()), list(others.values()), *clusters) | about)


def measured(snapshot: Snapshot, split: str) -> list[ManifestRow]:
    """The rows of a split whose loss is measured on what a model learns of them: no dialogue whose last answer is read and not learned."""
    rows = list(snapshots.rows_of(snapshot, split))
    if not snapshot.dataset.task_type.writes_text:
        return rows
    said = snapshots.learned_rows(snapshot, split)
    learnt = {row["id"] for row in said if not ("messages" in row and is_quiet(row["messages"][-1]))}
    return [row for row in rows if row.item in learnt]


def losses(ctx: JobContext, run: Run, rows: Sequence[ManifestRow]) -> dict[str, float]:
    """The loss of each of these training rows that has one, by item digest, by the graph that answered in the evaluation."""

    def prepare(folder: Path, base: Base) -> PredictSpec:
        snapshots.write_split(run.snapshot, "train", folder / "data.jsonl", rows)
        return PredictSpec(artifact="artifact", base=base)

    with carried_out(ctx, "losses", run, prepare) as (folder, _):
        return row_losses.read(folder / "losses.parquet")
