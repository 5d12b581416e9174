"""Finds the nearest training items of a prediction, and the words that it depends on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from datasets_app.datasets.models import Item
from datasets_app.queues.models import Decision
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.queries import contains, write_lines
from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation.child import carried_out
from lifecycle.modeling.evaluation.rules import report_of
from lifecycle.modeling.evaluation.task_types.by_key.rows import rows_of
from lifecycle.modeling.evaluation.task_types.rows import refuse_wordless
from lifecycle.modeling.training.folders import local_folder
from lifecycle.modeling.training.models import Run
from lifecycle.roof.trace import attributions, neighbours
from lifecycle.roof.trace.models import Attribution, Neighbour
from lifecycle.runtime.engine.spec import Base, ExplainSpec
from lifecycle.runtime.refusals import Refused
from monitoring.traffic.models import Prediction
from registry.catalog.actions import materialise
from registry.catalog.rules import task_type
from registry.ground.access import policy
from registry.ground.access.models import User

COUNT = 10


def find_neighbours(*, prediction: Prediction, actor: User) -> Job:
    """Enqueue the search; a second call for the same prediction returns the same job. Raises Refused without
    a text or prediction.
    """
    policy.require(actor, "trace.view", prediction)
    if prediction.version is None:
        raise Refused("No version answered this request, so it has no nearest items.")
    if prediction.text is None:
        raise Refused("This request's text is no longer stored, so nearest items can't be found.")
    project = prediction.endpoint.model.project
    key = f"trace.neighbours:{prediction.uuid}"
    return enqueue(
        "trace.neighbours",
        actor=actor,
        project=project,
        args={"prediction": str(prediction.uuid)},
        subject=prediction,
        key=key,
    )


def keep_neighbours(ctx: JobContext, prediction_id: UUID) -> None:
    """Find and save the ten nearest training items of a prediction. Idempotent."""
    rows = Prediction.objects.select_related("version__model", "version__folder", "version__run__snapshot")
    prediction = rows.get(uuid=prediction_id)
    version, text = prediction.version, prediction.text
    if version is None or text is None or Neighbour.objects.filter(prediction=prediction).exists():
        return

    def progress(done: int) -> None:
        ctx.raise_if_cancelled()
        ctx.progress(
            done,
            version.run.snapshot.counts["splits"].get("train"),
            stage="Embedding training items",
            unit="items",
        )

    found = neighbours.find(
        materialise(version), version.root_digest, version.run.snapshot, text, COUNT, progress
    )
    items = {str(item.uuid): item for item in Item.objects.filter(uuid__in=[uuid for uuid, _ in found])}
    learned = decisions_in(version.run.snapshot, items.values())
    Neighbour.objects.bulk_create(
        Neighbour(
            prediction=prediction, item=items[uuid], decision=learned[uuid], rank=rank, similarity=similarity
        )
        for rank, (uuid, similarity) in enumerate(found, start=1)
    )


def decisions_in(snapshot: Snapshot, items: Iterable[Item]) -> dict[str, Decision]:
    """The decision that each of these items had in the snapshot, by the item's uuid."""
    uuids = [row.decision_uuid for item in items if (row := contains(snapshot, item))]
    return {
        str(decision.item.uuid): decision
        for decision in Decision.objects.filter(uuid__in=uuids).select_related("item")
    }


def attribute_words(*, prediction: Prediction, actor: User) -> Job:
    """Enqueue word attribution; a second call for the same prediction returns the same job. Raises Refused
    where there is no prediction, or no text with words.
    """
    policy.require(actor, "traffic.read_texts", prediction.endpoint)
    if prediction.version is None:
        raise Refused("No version answered this request, so there's nothing to explain.")
    refuse_wordless(attributions.asked(attributions.row_of(prediction)))
    return enqueue(
        "trace.attribution",
        actor=actor,
        project=prediction.endpoint.model.project,
        args={"prediction": str(prediction.uuid)},
        subject=prediction,
        key=f"trace.attribution:{prediction.uuid}",
    )


def keep_attribution(ctx: JobContext, prediction_id: UUID) -> None:
    """Find and save how much each word of a request changes its prediction. Idempotent."""
    rows = Prediction.objects.select_related("version__run__base__folder", "version__run__artifact")
    prediction = rows.get(uuid=prediction_id)
    version = prediction.version
    if version is None or Attribution.objects.filter(prediction=prediction).exists():
        return
    row, run = attributions.row_of(prediction), version.run
    task = task_type(version.facts)
    if task.writes_text:
        report = of_response(ctx, run, row, ended=prediction.label != attributions.CUT_OFF)
    else:
        ctx.progress(0, stage="Computing word effects")
        report = rows_of(task.key).explain(local_folder("artifacts", run.artifact), row)
    Attribution.objects.create(prediction=prediction, report=report)


def of_response(ctx: JobContext, run: Run, row: dict[str, Any], *, ended: bool) -> dict[str, Any]:
    """Attribution of a generated text, in a separate process that may take minutes."""

    def prepare(folder: Path, base: Base) -> ExplainSpec:
        write_lines(folder / "data.jsonl", iter([row]))
        return ExplainSpec(artifact="artifact", base=base, ended=ended)

    with carried_out(ctx, "explain", run, prepare) as (_, found):
        return report_of(found)
