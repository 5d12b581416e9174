"""Export annotations as a file of another labeling tool: requested, created by a job, stored by digest."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.db import transaction

from datasets_app.datasets.importing import label_config
from datasets_app.datasets.importing.readers.jsons import Pairs, json_text
from datasets_app.datasets.models import Dataset
from datasets_app.exchange.exporting import argilla, doccano, label_studio, prodigy
from datasets_app.exchange.exporting.facts import Fact, Object, Sheet, person_as_file
from datasets_app.exchange.models.exports import Export
from datasets_app.exchange.queries import exports as reading
from datasets_app.exchange.queries.exports import Scope
from datasets_app.exchange.rules import ExportFormat, export_formats
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.formats import formats_of
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

TICK = 500
WRITERS = {
    ExportFormat.LABEL_STUDIO: label_studio,
    ExportFormat.PRODIGY: prodigy,
    ExportFormat.ARGILLA: argilla,
}
PEOPLE_FILES = 500  # files of people that one export writes


@transaction.atomic
def export_annotations(*, dataset_id: UUID, actor: User, format: str, queue_id: UUID | None = None) -> Job:
    """Enqueue a job that exports the annotations of a dataset, or of one of its queues, as a file.

    Raises PermissionDenied, or Refused for a format that can't represent the dataset's task.
    """
    dataset = Dataset.objects.select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.export", dataset)
    queue = Queue.objects.get(uuid=queue_id, dataset=dataset) if queue_id else None
    if format not in (known := export_formats(dataset.task)):
        message = f"This dataset's annotations can be exported as {', '.join(each.label for each in known)}."
        raise Refused(message, fields={"format": [message]})
    args = {"dataset": str(dataset.uuid), "queue": str(queue.uuid) if queue else "", "format": format}
    return jobs.enqueue(
        "exchange.export",
        actor=actor,
        project=dataset.project,
        args=args,
        subject=queue or dataset,
        key=f"exchange.export:{queue.uuid if queue else dataset.uuid}:{format}",
    )


def run_export(ctx: JobContext) -> None:
    """The job: write the file, store it, and record it."""
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    queue = Queue.objects.select_related("upload").get(uuid=ctx.args["queue"]) if ctx.args["queue"] else None
    kind = ExportFormat(ctx.args["format"])
    sheet = Sheet(formats_of(dataset.task).tools[kind])
    scope = reading.scope_of(dataset, queue)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"annotations.{kind.ending}"
        found = counted(ctx, scope, kind, sheet)
        if kind == ExportFormat.DOCCANO:
            write_doccano(path, found, sheet, Path(folder))
        else:
            write_objects(path, objects(scope, kind, found, sheet), kind, scope)
        ctx.raise_if_cancelled()
        blob = artifacts.put_file(path, media_type=kind.media)
    with transaction.atomic():
        ctx.hold()
        made = Export.objects.create(
            dataset=dataset,
            queue=queue,
            format=kind,
            blob=blob,
            items=sheet.tasks,
            annotations=sheet.annotations,
            dropped=dict(sheet.dropped),
            created_by=ctx.job.created_by,
        )
        ledger.record(
            ctx.job.created_by,
            Verb.ANNOTATIONS_EXPORTED,
            made,
            project=dataset.project.uuid,
            dataset=dataset.uuid,
            queue=queue.uuid if queue else None,
            format=kind,
            file=blob.digest,
            items=sheet.tasks,
            annotations=sheet.annotations,
        )


Pair = tuple[Fact | None, Pairs | None]


def counted(ctx: JobContext, scope: Scope, kind: ExportFormat, sheet: Sheet) -> Iterator[Pair]:
    """Every item with its original object if the same tool exported it; reports progress."""
    total = scope.queue.items_total if scope.queue else scope.dataset.items_total
    for upload in reading.uploads_in(scope):
        placed = reading.facts(scope, upload)
        if upload.parser == kind:
            pairs: Iterator[Pair] = reading.paired(placed, reading.objects_in(upload))
        else:
            pairs = ((each.fact, None) for each in placed)
        for fact, raw in pairs:
            if sheet.tasks % TICK == 0:
                ctx.progress(sheet.tasks, max(total, sheet.tasks), stage="Writing items", unit="items")
                ctx.raise_if_cancelled()
            if fact is not None:
                sheet.tasks += 1
                sheet.annotations += sum(each.value is not None for each in fact.annotations)
            yield fact, raw


def objects(scope: Scope, kind: ExportFormat, found: Iterator[Pair], sheet: Sheet) -> Iterator[Object]:
    """The objects of the file."""
    writer = WRITERS[kind]
    for fact, raw in found:
        if fact is not None:
            yield from writer.write(fact, raw if raw is not None and writer.keeps(raw) else None, sheet)
        elif raw is not None and scope.is_whole and writer.keeps(raw):
            yield raw


def write_objects(path: Path, found: Iterator[Object], kind: ExportFormat, scope: Scope) -> None:
    """One object per line for Prodigy, else one list; for Label Studio in an archive with its
    configuration.
    """
    if kind == ExportFormat.PRODIGY:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{json_text(each)}\n" for each in found)
    elif kind == ExportFormat.ARGILLA:
        with path.open("wb") as plain:
            write_list(plain, found)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            with packed.open("project.json", "w", force_zip64=True) as member:
                write_list(member, found)
            packed.writestr("config.xml", config_of(scope))


def write_list(file: IO[bytes], found: Iterator[Object]) -> None:
    """A JSON list with one object per line."""
    file.write(b"[")
    for at, each in enumerate(found):
        file.write((",\n" if at else "\n").encode() + json_text(each).encode("utf-8"))
    file.write(b"\n]\n")


def config_of(scope: Scope) -> str:
    """The configuration imported with the files if it covers every label; else an equivalent one."""
    schema = latest_schema(scope.dataset)
    classes = list(labels_by_name(schema)) if schema else []
    texts = {
        upload.report.get("dry_run", {}).get("config", "")
        for upload in reading.uploads_in(scope)
        if upload.parser == "labelstudio"
    }
    if len(texts) == 1 and (text := texts.pop()):
        known = {name for control in label_config.controls(text) for name in control.classes}
        if known >= set(classes):
            return str(text)
    return label_config.compose(scope.dataset.task, classes)


def write_doccano(path: Path, found: Iterator[Pair], sheet: Sheet, folder: Path) -> None:
    """all.jsonl, and a file for each of the first 500 people; annotations of others are counted as
    dropped.
    """
    names: dict[str, str] = {"": "all"}
    with ExitStack() as stack:
        files: dict[str, Any] = {"": stack.enter_context((folder / "all.jsonl").open("w", encoding="utf-8"))}
        for fact, raw in found:
            if fact is None:
                continue  # in another person's file: its entries are annotations here
            for person, line in doccano.lines(fact, raw, sheet):
                if person not in files and len(files) <= PEOPLE_FILES:
                    names[person] = free_name(person_as_file(person), names)
                    files[person] = stack.enter_context(
                        (folder / f"{len(files)}.jsonl").open("w", encoding="utf-8")
                    )
                if person in files:
                    files[person].write(f"{json_text(line)}\n")
                else:
                    sheet.drop(f"Annotations of people beyond the first {PEOPLE_FILES}.")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for at, name in enumerate(names.values()):
            packed.write(folder / (f"{at}.jsonl" if at else "all.jsonl"), f"{name}.jsonl")


def free_name(name: str, taken: dict[str, str]) -> str:
    """A unique name for a person's file."""
    known = {each.casefold() for each in taken.values()}
    return next(
        each
        for each in (name, *(f"{name}-{number}" for number in range(2, len(known) + 3)))
        if each.casefold() not in known
    )
