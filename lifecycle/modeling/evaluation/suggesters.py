"""Models for pre-labels of a dataset, how their labels match, and which items to pre-label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Substr

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Queue, Slot
from datasets_app.schemas.models import Label
from datasets_app.schemas.queries.changes import present_ids
from datasets_app.schemas.queries.labels import latest_schema
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import ports, suggested
from lifecycle.modeling.evaluation.queries import TEXT_READ
from lifecycle.modeling.training import queries as training
from lifecycle.modeling.training.folders import local_folder
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.addresses import find_url
from registry.ground.access.models import Project
from registry.ground.access.policy import Person

KINDS_LIMIT = 30  # newest models offered per kind
OTHER_TASK = "Pre-labeling with models isn't available for this dataset's task."
OTHER_TASK_STEP = "Import a file with pre-labels, or send them through the API."


class Runs:
    """Succeeded runs as models."""

    label = "Runs"

    def models(self, user: Person, project: Project) -> list[ports.Model]:
        """The newest runs with an artifact."""
        rows = training.runs(user).filter(project=project, state=RunState.SUCCEEDED, artifact__isnull=False)
        return [
            self.of(run)
            for run in rows.select_related("snapshot__schema", "snapshot__dataset", "artifact")[:KINDS_LIMIT]
        ]

    def get(self, uuid: UUID, user: Person | None = None) -> ports.Model:
        """One run with an artifact. Raises Refused."""
        rows = training.runs(user) if user is not None else Run.objects.all()
        run = (
            rows.select_related("snapshot__schema", "snapshot__dataset", "artifact", "project")
            .filter(uuid=uuid)
            .first()
        )
        if run is None:
            raise Refused("Run not found.", fields={"model": ["Choose a run that you can access."]})
        if run.state != RunState.SUCCEEDED or run.artifact is None:
            text = f"{run} has no model because it is {run.get_state_display().lower()}."
            raise Refused(text, next_step="Choose a run that succeeded.", fields={"model": [text]})
        return self.of(run)

    def folder(self, model: ports.Model) -> Path:
        """Its artifact in a local folder, by digest."""
        return local_folder("artifacts", model.run.artifact)

    def of(self, run: Run) -> ports.Model:
        """The run as a model. It has an artifact."""
        digest = run.artifact.root_digest if run.artifact else ""
        return ports.Model("run", run.uuid, str(run), run, digest, find_url("training:detail", uuid=run.uuid))


def offered(user: Person, dataset: Dataset) -> dict[str, list[ports.Model]]:
    """The models of each kind, by its label, trained for the dataset's task in its project."""
    shelves = ports.shelves().values() if dataset.task_type.prelabels else ()
    found = {shelf.label: shelf.models(user, dataset.project) for shelf in shelves}
    return {
        kind: [model for model in models if model.run.task == dataset.task] for kind, models in found.items()
    }


def get_model(user: Person, kind: str, uuid: UUID) -> ports.Model:
    """A model that the user may use. Raises Refused."""
    shelf = ports.shelves().get(kind)
    if shelf is None:
        raise Refused(
            "Unknown kind of model.", fields={"model": [f"Choose one of {', '.join(ports.shelves())}."]}
        )
    return shelf.get(uuid, user)


def matches(dataset: Dataset, models: Sequence[ports.Model]) -> list[suggested.Match]:
    """How the labels of each of these models match the newest schema; a constant number of queries."""
    schema = latest_schema(dataset)
    classes = {label.stable_id: label.name for label in schema.labels.all()} if schema else {}
    ids: dict[int, dict[str, UUID]] = defaultdict(dict)
    for version, name, stable in Label.objects.filter(schema__dataset=dataset).values_list(
        "schema", "name", "stable_id"
    ):
        ids[version][name] = stable
    merged = present_ids(dataset.pk)
    found = []
    for model in models:
        snapshot = model.run.snapshot
        stable_ids = ids[snapshot.schema_id] if snapshot.dataset_id == dataset.pk else {}
        found.append(suggested.match(model.run.spec.get("labels", []), stable_ids, classes, merged))
    return found


def to_answer(
    dataset: Dataset, queue: Queue | None, digest: str, after: int
) -> QuerySet[Item, tuple[int, str]]:
    """(key, text) of the items after this key that this model hasn't pre-labeled, by key: open ones of a
    queue, or all visible ones.
    """
    items = Item.objects.filter(dataset=dataset, upload__state=UploadState.IMPORTED, pk__gt=after)
    if queue is not None:
        waiting = Slot.objects.filter(
            queue=queue, item=OuterRef("pk"), state__in=[Slot.State.OPEN, Slot.State.LEASED]
        )
        items = items.filter(Exists(waiting))
    known = Suggestion.objects.filter(item=OuterRef("pk"), source_digest=digest)
    return (
        items.filter(~Exists(known))
        .order_by("id")
        .annotate(head=Substr("text", 1, TEXT_READ))
        .values_list("pk", "head")
    )


def suggesting_job(dataset: Dataset) -> Job | None:
    """The newest pre-labeling job of a dataset."""
    return jobs.of_subject(dataset).filter(kind="evaluation.suggest").first()


def open_queues(dataset: Dataset) -> QuerySet[Queue]:
    """The queues of a dataset with open items, newest first."""
    return (
        dataset.queues.exclude(state=Queue.State.CLOSED)
        .filter(slots_done__lt=F("slots_total"))
        .order_by("-id")
    )
