"""The built-in model: trains while people label, orders queues by its least confident items, and suggests
labels.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction

from datasets_app.assist import embeddings, uncertainty
from datasets_app.assist.models.learning import Fit, QueueOrder
from datasets_app.assist.queries import learning
from datasets_app.datasets.models import Dataset
from datasets_app.prelabels.actions.suggestions import suggest_values
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues import rules
from datasets_app.queues.actions.ordering import put_in_place, reset_cursors
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.rules import BATCH
from lifecycle.ground.compute.child import run_child
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.engine.base import BaseFolder
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

PROGRAM = (sys.executable, "-m", "datasets_app.assist.learning")
PROGRAM_FILE = Path(__file__).parents[1] / "learning.py"  # not imported here: it loads scikit-learn
SEED = 1
# items at the front of a queue that get pre-labels: twice the annotations until the next fit
AHEAD, AHEAD_LIMIT = 200, 1_000
WRITTEN = BATCH // 3  # items whose pre-labels are saved at a time, each with up to three labels


@transaction.atomic
def learn(*, queue_id: UUID, actor: User) -> Job:
    """Start training the built-in model of a queue's dataset. Returns the queued or running job if there is
    one.

    Raises PermissionDenied, or Conflict for a queue that is closed or in another order.
    """
    queue = Queue.objects.select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.manage", queue)
    if queue.order != Queue.Order.MODEL or queue.state == Queue.State.CLOSED:
        raise Conflict(
            f"{queue.name} is closed or isn't ordered by the built-in model.",
            next_step="Open a queue with that order.",
        )
    running = learning.learn_job(queue.dataset)
    if running and not running.is_finished:
        return running
    ledger.record(
        actor, Verb.BUILT_IN_REQUESTED, queue, project=queue.dataset.project.uuid, dataset=queue.dataset.uuid
    )
    return enqueue(queue, actor)


def learn_due(now: datetime) -> int:
    """Start training the built-in models of datasets with enough new annotations. Returns how many."""
    due = [dataset for dataset in learning.learners() if learning.is_due(dataset, now)]
    for dataset in due:
        with transaction.atomic():
            enqueue(learning.model_queues(dataset).select_related("dataset__project")[:1].get(), None)
    return len(due)


def enqueue(queue: Queue, actor: User | None) -> Job:
    """Enqueue the training job of a queue's dataset; never a second one at the same time."""
    kind, dataset = learning.LEARN, queue.dataset
    args = {"dataset": str(dataset.uuid), "queue": str(queue.uuid)}
    return jobs.enqueue(
        kind, actor=actor, project=dataset.project, args=args, subject=dataset, key=f"{kind}:{dataset.uuid}"
    )


# ── The job ─────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Pool:
    """Open slots of a queue to score with one fit. slots: (slot, item). after: the last slot, 0 if all were
    read.
    """

    queue: Queue
    slots: list[tuple[int, int]]
    items: list[int]
    after: int


def run_learn(ctx: JobContext) -> None:
    """Train on all labels of a dataset, then order its queues. Safe to repeat: it retrains and overwrites
    places.
    """
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    began = time.monotonic()
    ctx.checkpoint({})  # of an earlier attempt, whose folder no longer exists
    ctx.progress(0, stage="Reading labels")
    annotations, train = learning.annotations_in(dataset), learning.training_set(dataset)
    before = learning.last_fit(dataset)
    fit = Fit(
        dataset=dataset,
        edition=before.edition + 1 if before else 1,
        annotations=annotations,
        rows=len(train.rows),
        created_by=ctx.job.created_by,
        features=Fit.Features.WORDS,
        figures={"counts": dict(train.counts), "total": train.total, "pairs": [], "pools": {}},
        seconds=0.0,
    )
    if not uncertainty.enough(train.counts.values()):
        ctx.raise_if_cancelled()
        keep(ctx, fit, began)
        return
    base = embeddings.packaged_base()
    describe(fit, train, base)
    pools = [pool_of(queue, before) for queue in learning.model_queues(dataset)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        classes = write_folder(ctx, folder, dataset, train, pools, base)
        result = run_child(ctx, "fit", folder, lambda _: None, program=PROGRAM, grace_seconds=5.0)
        ctx.raise_if_cancelled()
        if not result.ok:
            raise Refused(result.message, next_step=result.next_step)
        fit.figures |= {
            "right": result.data["right"],
            "folds": result.data["folds"],
            "pools": {str(pool.queue.uuid): pool.after for pool in pools},
            "pairs": [[classes[one], classes[other], rows] for one, other, rows in result.data["pairs"]],
        }
        keep(ctx, fit, began)
        scores = [
            json.loads(line) for line in (folder / "scores.jsonl").read_text(encoding="utf-8").splitlines()
        ]
    apply(ctx, fit, pools, scores, classes)


def describe(fit: Fit, train: learning.TrainingSet, base: BaseFolder | None) -> None:
    """Set a fit's features and digests. base: None for TF-IDF features."""
    if base is not None:
        fit.features, fit.base_name, fit.base_digest = Fit.Features.VECTORS, base.name, base.digest
    fit.rows_digest = train.digest
    made = {
        "program": program_digest(),
        "rows": fit.rows_digest,
        "features": fit.features,
        "base": fit.base_digest,
        "seed": SEED,
    }
    fit.digest = digest_of(made | {"dataset": str(fit.dataset.uuid)})


@cache
def program_digest() -> str:
    """sha256 of the program that fits, in hex."""
    return hashlib.sha256(PROGRAM_FILE.read_bytes()).hexdigest()


def pool_of(queue: Queue, before: Fit | None) -> Pool:
    """The slots of a queue to score: all open ones, or in a large queue those after the last fit's."""
    after = before.figures["pools"].get(str(queue.uuid), 0) if before else 0
    slots = learning.pool(queue, after) or learning.pool(queue, 0)
    reached = slots[-1][0] if len(slots) == learning.POOL_LIMIT else 0
    return Pool(queue, slots, list(dict.fromkeys(item for _, item in slots)), reached)


def write_folder(
    ctx: JobContext,
    folder: Path,
    dataset: Dataset,
    train: learning.TrainingSet,
    pools: Sequence[Pool],
    base: BaseFolder | None,
) -> list[str]:
    """Write the program's input files. Returns the stable ids of the classes, in the order of their
    numbers.
    """
    classes = sorted(train.counts)
    numbers = {key: number for number, key in enumerate(classes)}
    spec = {
        "features": Fit.Features.VECTORS if base else Fit.Features.WORDS,
        "classes": len(classes),
        "seed": SEED,
        "many": not dataset.task_type.one_label,
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    open_items = list(dict.fromkeys(item for pool in pools for item in pool.items))
    total = len(train.rows) + len(open_items)
    done = 0
    for name, items in (("train", [row.item for row in train.rows]), ("pool", open_items)):
        texts = learning.texts_of(items)
        rows: list[dict[str, Any]] = (
            [{} for _ in items] if base else [{"text": texts[item][1]} for item in items]
        )
        if base is not None:

            def report(number: int, before: int = done) -> None:
                ctx.progress(before + number, total, stage="Reading texts", unit="texts")
                ctx.raise_if_cancelled()

            np.save(folder / f"{name}.npy", embeddings.vectors(base, [texts[item] for item in items], report))
        if name == "train":
            for row, each in zip(rows, train.rows, strict=True):
                row["labels"] = [numbers[key] for key in each.classes]
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        done += len(items)
    return classes


def keep(ctx: JobContext, fit: Fit, began: float) -> None:
    """Save a fit, with an audit event if it was trained."""
    fit.seconds = round(time.monotonic() - began, 1)
    with transaction.atomic():
        ctx.hold()
        fit.save(force_insert=True)
        if fit.digest:
            ledger.record(
                ctx.job.created_by,
                Verb.BUILT_IN_TRAINED,
                fit,
                project=fit.dataset.project.uuid,
                dataset=fit.dataset.uuid,
                edition=fit.edition,
                rows=fit.rows,
                rows_digest=fit.rows_digest,
                digest=fit.digest,
            )


# ── What follows from a fit ─────────────────────────────────────────────────
def apply(
    ctx: JobContext, fit: Fit, pools: Sequence[Pool], scores: Sequence[dict[str, Any]], classes: Sequence[str]
) -> None:
    """Order each queue and suggest labels for its first items. scores: in the order of the pools' distinct
    items. classes: stable ids, by number.
    """
    by_item = dict(zip(dict.fromkeys(item for pool in pools for item in pool.items), scores, strict=True))
    for pool in pools:
        chance = [rules.random_place(pool.queue.uuid, item) for item in pool.items]
        ordered = [
            pool.items[at]
            for at in uncertainty.order([by_item[item]["margin"] for item in pool.items], chance)
        ]
        suggest_for(ctx, fit, ordered, by_item, classes)
        put_in_order(ctx, fit, pool, ordered)


def suggest_for(
    ctx: JobContext,
    fit: Fit,
    ordered: Sequence[int],
    scores: dict[int, dict[str, Any]],
    classes: Sequence[str],
) -> None:
    """Save pre-labels of the items to be handed out before the next fit."""
    before = learning.before_of(fit)
    ahead = min(AHEAD_LIMIT, max(AHEAD, 2 * (uncertainty.next_fit_at(before) - fit.annotations)))
    of_label, name = suggestions_of(fit.dataset.task).of_label, f"Built-in model, {fit.rows:,} labeled texts"
    for at in range(0, min(ahead, len(ordered)), WRITTEN):
        items = ordered[at : min(at + WRITTEN, ahead)]
        rows = [
            (item, of_label(classes[number]), score)
            for item in items
            for number, score in scores[item]["best"]
        ]
        with transaction.atomic():
            ctx.hold()
            source = Suggestion.Source.BUILT_IN
            suggest_values(
                dataset=fit.dataset, rows=rows, source=source, source_digest=fit.digest, source_name=name
            )
        ctx.raise_if_cancelled()


def put_in_order(ctx: JobContext, fit: Fit, pool: Pool, ordered: Sequence[int]) -> None:
    """Save the places of a queue's open slots, in batches; annotators then start at the front."""
    places = {item: place for place, item in enumerate(ordered)}
    for at in range(0, len(pool.slots), BATCH):
        with transaction.atomic():
            ctx.hold()
            put_in_place(pool.slots[at : at + BATCH], places)
        ctx.progress(
            min(at + BATCH, len(pool.slots)),
            len(pool.slots),
            stage=f"Reordering {pool.queue.name}",
            unit="slots",
        )
        ctx.raise_if_cancelled()
    reset_cursors(pool.queue)
    QueueOrder.objects.update_or_create(queue=pool.queue, defaults={"fit": fit})
