"""Pre-label unannotated texts with a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from datasets_app.datasets.models import Dataset
from datasets_app.prelabels.actions.suggestions import suggest_values
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.actions.ordering import REORDERED, reorder
from datasets_app.queues.models import Queue
from datasets_app.schemas.queries.labels import latest_schema
from lifecycle.ground.compute import warm
from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.modeling.evaluation import ports, suggested, suggesters
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.suggestions import Scored
from registry.ground.access.models import User
from registry.ground.access.policy import require
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

KIND = "evaluation.suggest"
ASKED = 1_500  # texts per engine call: loading the model costs as much as a hundred of them
TIMEOUT_SECONDS = 900.0


@transaction.atomic
def suggest(*, dataset: Dataset, model: ports.Model, actor: User, queue: Queue | None = None) -> Job:
    """Pre-label the open items of a queue, or all items of a dataset. If such a job is queued, return it.

    model: from a source in `ports`, for this actor. Raises PermissionDenied, Conflict (a closed queue, or no
    open items), or Refused (another task, another project, no common label).
    """
    require(actor, "labeling.manage", dataset)
    if queue is not None and queue.dataset_id != dataset.pk:
        raise Refused(
            f"{queue.name} is a queue of another dataset.",
            fields={"queue": ["Choose a queue of this dataset."]},
        )
    if queue is not None and (queue.state == Queue.State.CLOSED or queue.slots_done >= queue.slots_total):
        raise Conflict(
            f"{queue.name} has no open items.",
            next_step="Choose a queue with open items, or all items of the dataset.",
        )
    check(dataset, model)
    key = f"{KIND}:{dataset.uuid}:{queue.uuid if queue else 'all'}:{model.digest}"
    args = {
        "dataset": str(dataset.uuid),
        "kind": model.kind,
        "model": str(model.uuid),
        "queue": str(queue.uuid) if queue else None,
    }
    if not Job.objects.filter(key=key, state__in=[State.QUEUED, State.RUNNING]).exists():
        record(
            actor,
            Verb.PRELABELS_REQUESTED,
            dataset,
            project=dataset.project.uuid,
            model=model.name,
            kind=model.kind,
            uuid=model.uuid,
            digest=model.digest,
            queue=queue.uuid if queue else None,
        )
    return enqueue(KIND, actor=actor, project=dataset.project, args=args, subject=dataset, key=key)


def check(dataset: Dataset, model: ports.Model) -> suggested.Match:
    """How the model's labels match the newest schema. Raises Refused if it can't pre-label anything here."""
    if not dataset.task_type.prelabels:
        raise Refused(suggesters.OTHER_TASK, next_step=suggesters.OTHER_TASK_STEP)
    if model.run.project_id != dataset.project_id:
        raise Refused(
            f"{model.name} belongs to another project.", fields={"model": ["Choose a model of this project."]}
        )
    if model.run.task != dataset.task:
        text = f"{model.name} was trained for another task than {dataset}: {dataset.task_type.title.lower()}."
        raise Refused(
            text, next_step="Choose a model that was trained for this task.", fields={"model": [text]}
        )
    match = suggesters.matches(dataset, [model])[0]
    if not match.fits:
        text = f"{model.name} knows none of the labels of {dataset}."
        raise Refused(
            text, next_step="Choose a model that was trained on these labels.", fields={"model": [text]}
        )
    return match


def run_suggest(ctx: JobContext) -> None:
    """The job. Each batch commits with its checkpoint; items that the model has pre-labeled already are
    skipped.
    """
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    queue = Queue.objects.get(uuid=ctx.args["queue"]) if ctx.args["queue"] else None
    shelf = ports.shelves()[ctx.args["kind"]]
    model = shelf.get(UUID(ctx.args["model"]))
    match, schema = check(dataset, model), latest_schema(dataset)
    ids = {label.name: str(label.stable_id) for label in schema.labels.all()} if schema else {}
    known = {label: ids[name] for label, name in match.names.items() if name in ids}
    ctx.progress(0, stage="Preparing model")
    folder = shelf.folder(model)
    state: dict[str, int] = ctx.job.checkpoint or {"after": 0, "done": 0}
    total = queue.items_total - queue.items_labeled if queue else dataset.items_total
    while items := list(suggesters.to_answer(dataset, queue, model.digest, state["after"])[:ASKED]):
        ctx.progress(state["done"], max(total, state["done"]), stage="Reading texts", unit="texts")
        ctx.raise_if_cancelled()
        answers = answered(dataset.task, folder, [text for _, text in items], known)
        written = max(1, suggested.ROWS // max(1, *map(len, answers)))
        for at in range(0, len(items), written):
            keys = [item for item, _ in items[at : at + written]]
            state = {"after": keys[-1], "done": state["done"] + len(keys)}
            rows = [
                (item, *each) for item, scored in zip(keys, answers[at:], strict=False) for each in scored
            ]
            with transaction.atomic():
                ctx.hold()
                keep(dataset, model, rows)
                ctx.checkpoint(state)
            ctx.progress(state["done"], max(total, state["done"]))
            ctx.raise_if_cancelled()
    put_in_order(queue, ctx.job.created_by)


def answered(task: str, folder: Path, texts: list[str], known: Mapping[str, str]) -> list[list[Scored]]:
    """The pre-label of each text. known: stable ids by the model's labels."""
    found: dict[str, Any] = warm.predict(folder, texts, TIMEOUT_SECONDS)
    return [suggestions_of(task).from_model({**answer, **found}, known) for answer in found["answers"]]


def keep(dataset: Dataset, model: ports.Model, rows: Sequence[tuple[int, Value, float | None]]) -> None:
    """Write up to 1,000 pre-labels in the caller's transaction."""
    suggest_values(
        dataset=dataset,
        rows=rows,
        source=Suggestion.Source.RUN,
        source_digest=model.digest,
        source_name=model.name,
    )


def put_in_order(queue: Queue | None, actor: User | None) -> None:
    """Reorder a queue that is ordered by pre-labels, as the requester may."""
    if queue is None or actor is None:
        return
    queue.refresh_from_db()
    if queue.order in REORDERED and queue.state != Queue.State.CLOSED:
        reorder(queue_id=queue.uuid, actor=actor)
