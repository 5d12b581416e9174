"""Compare the rows of corrected label files with the items and decisions of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from datasets_app.datasets.importing import own, readers
from datasets_app.datasets.importing.readers import Reading, Row
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState, place
from datasets_app.exchange import correcting
from datasets_app.exchange.correcting import Facts, Outcome
from datasets_app.exchange.models.corrections import Correction
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.queries.decisions import standing_answers
from datasets_app.schemas.models.schemas import Label, LabelChange
from datasets_app.schemas.queries.changes import present_labels
from datasets_app.schemas.queries.labels import chunks, labels_by_id, latest_schema, value_of
from datasets_app.schemas.rules import BATCH
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types import values
from lifecycle.runtime.task_types.answers import DROPPED, NO_LABELS, ItemContent, Labels, Value
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.inputs import BadInput, Cell, CellKind
from registry.ground.access import policy
from registry.ground.access.models import User

PAGE = 30
LABELS = ("label", "labels", "spans", "completion")  # columns of the resolved label in exports


class Line(NamedTuple):
    """One row of a file: the digests and the label; or `fault`, why it can't be read. where: such as Line 7.
    in_sheet: whether spreadsheets write such files.
    """

    line: int
    where: str
    item: str
    decision: str
    label: str
    fault: str = ""
    in_sheet: bool = False


@dataclass(frozen=True, slots=True)
class Classes:
    """The labels of a dataset. names: every current or former name → stable id. labels: the newest, by stable
    id.
    """

    names: Mapping[str, str]
    labels: Mapping[str, Label]

    def words(self, value: Value | None) -> str:
        """The value as text, without what annotators wrote."""
        if value is None:
            return "unlabeled"
        if values.type_in(value).has_labels:
            found = sorted(
                self.labels[key].name if key in self.labels else DROPPED for key in values.labels_of(value)
            )
            return ", ".join(found) or NO_LABELS
        return "a text" if values.type_in(value).writes_text else values.words(value, {})


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a row. current: the newest decision of its item. unknown: an unknown label name.
    message: the error.
    """

    line: Line
    outcome: Outcome
    item: Item | None = None
    value: Value | None = None
    current: Decision | None = None
    facts: Facts | None = None
    unknown: str = ""
    message: str = ""


def corrections(dataset: Dataset) -> QuerySet[Correction]:
    """The files of a dataset, newest first."""
    return (
        Correction.objects.filter(dataset=dataset)
        .select_related("uploaded_by", "accepted_by")
        .order_by("-id")
    )


def get_correction(user: User, uuid: UUID) -> Correction:
    """One file that the user may see. Raises Http404."""
    rows = Correction.objects.select_related("dataset__project", "blob", "uploaded_by", "accepted_by")
    return policy.get_visible(user, rows, "labeling.view", uuid=uuid)


def may_discard(user: User, correction: Correction) -> bool:
    """Whether the user may discard the file: as its uploader or an ML lead."""
    return correction.uploaded_by_id == user.pk or policy.can(
        user, "labeling.discard_corrections", correction
    )


def writing_now(dataset: Dataset) -> Correction | None:
    """The file whose labels are being written."""
    return Correction.objects.filter(dataset=dataset, state=Correction.State.WRITING).first()


def is_overtaken(correction: Correction) -> bool:
    """Whether a label was merged, split, or retired since the upload: its rows may map to other labels than
    checked.
    """
    later = LabelChange.objects.filter(
        schema__dataset=correction.dataset_id, schema__created_at__gt=correction.created_at
    )
    return later.exists()


# ── Rows of a file ──────────────────────────────────────────────────────────
def label_column(columns: Sequence[str], task: str) -> str:
    """The column of the resolved label: one of LABELS, or named as the task's values are. Raises Refused if
    the file isn't an export.
    """
    own_name = type_of(task).answers.name
    names = LABELS if own_name in formats_of(task).item_roles else (*LABELS, own_name)
    found = next((name for name in names if name in columns), "")
    missing = [name for name in (own.ITEM, own.DECISION) if name not in columns] + (
        [] if found else ["label"]
    )
    if missing:
        message = f"The file has no column {' and no column '.join(missing)}, which identifies rows."
        raise Refused(
            message,
            next_step=(
                "Export the dataset version as CSV, Excel, JSONL, or Parquet, correct its labels, and keep"
                " these columns."
            ),
        )
    return found


def lines_of(path: Path, reading: Reading, task: str) -> Iterator[list[Line]]:
    """The rows of a file in batches of at most 1,000. Raises Refused if the file isn't an export."""
    header = readers.header(path, reading)
    for problem in header.problems:
        if problem.blocks:
            raise Refused(problem.sentence, next_step=problem.fix)
    column = label_column(header.columns, task)
    rows = (
        line_of(row, column, reading.parser)
        for row in readers.read_rows(path, reading)
        if isinstance(row, Row) or not row.notice
    )
    while batch := list(islice(rows, BATCH)):
        yield batch


def line_of(row: Row | Problem, column: str, parser: str) -> Line:
    """One row."""
    where = f"{place(parser)} {row.line:,}"
    if isinstance(row, Problem):
        return Line(row.line, where, "", "", "", row.sentence)
    cells = own.restored(row.values) if parser in own.SHEETS else row.values
    return Line(
        row.line,
        where,
        cells.get(own.ITEM, "").strip(),
        cells.get(own.DECISION, "").strip(),
        cells.get(column, ""),
        in_sheet=parser in own.SHEETS,
    )


# ── Rows against the database ───────────────────────────────────────────────
def classes_of(dataset: Dataset) -> Classes:
    """The labels of the newest version, under current and former names; merged ones map to their
    successor.
    """
    schema = latest_schema(dataset)
    labels = labels_by_id(schema) if schema else {}
    every = list(Label.objects.filter(schema__dataset=dataset).order_by("schema__version", "id"))
    present = present_labels(every) if every else {}
    ends = {label.name: str(present.get(label.stable_id, label).stable_id) for label in every}
    return Classes({name: key for name, key in ends.items() if key in labels}, labels)


def resolve(correction: Correction, lines: Sequence[Line], actor: User, classes: Classes) -> list[Found]:
    """The outcome of each row of a batch if this person accepts it. A constant number of queries for up to
    500 rows.
    """
    dataset = correction.dataset
    items: dict[str, Item] = {}
    for digests in text_chunks({line.item for line in lines if line.item}):
        rows = Item.objects.filter(dataset=dataset, digest__in=digests, upload__state=UploadState.IMPORTED)
        items |= {item.digest: item for item in rows}
    keys = sorted(item.pk for item in items.values())
    newest: dict[int, Decision] = {}
    answered: set[int] = set()
    for ids in chunks(keys):
        newest |= {
            each.item_id: each
            for each in Decision.objects.filter(item_id__in=ids, superseded_by=None).select_related(
                "label", "queue"
            )
        }
        answered |= set(
            standing_answers().filter(item_id__in=ids, user=actor).values_list("item_id", flat=True)
        )
    exported = exported_values(lines, items, newest)
    return [
        found_of(correction, line, items.get(line.item), newest, answered, exported, classes)
        for line in lines
    ]


def exported_values(
    lines: Sequence[Line], items: Mapping[str, Item], newest: Mapping[int, Decision]
) -> dict[tuple[int, str], Value]:
    """Older labels that rows refer to, by item and digest."""
    older = {
        line.decision
        for line in lines
        if line.decision
        and (item := items.get(line.item))
        and (item.pk not in newest or newest[item.pk].digest != line.decision)
    }
    keys = {item.pk for item in items.values()}
    found: dict[tuple[int, str], Value] = {}
    for digests in text_chunks(older):
        rows = Decision.objects.filter(item_id__in=keys, digest__in=digests).select_related("label")
        found |= {(row.item_id, row.digest): value_of(row) for row in rows}
    return found


def text_chunks(texts: set[str]) -> Iterator[list[str]]:
    """Lists short enough for one statement."""
    source = iter(sorted(texts))
    while some := list(islice(source, 500)):
        yield some


def found_of(
    correction: Correction,
    line: Line,
    item: Item | None,
    newest: Mapping[int, Decision],
    answered: set[int],
    exported: Mapping[tuple[int, str], Value],
    classes: Classes,
) -> Found:
    """One row."""
    if line.fault:
        return Found(line, Outcome.UNREADABLE, message=line.fault)
    if item is None:
        message = (
            f"{line.where}: item {line.item[:12]}… doesn't exist."
            if line.item
            else f"{line.where} has no item."
        )
        return Found(line, Outcome.UNKNOWN_ITEM, message=message)
    try:
        value, unknown = read_label(correction.dataset.task, line.label, item, classes)
    except BadInput as error:
        return Found(line, Outcome.UNREADABLE, item, message=f"{line.where}: {error.message}")
    if value is None:
        return Found(line, Outcome.UNKNOWN_LABEL, item, unknown=unknown)
    current = newest.get(item.pk)
    holds = current is not None and current.how != Decision.How.WITHDRAWN
    facts = Facts(
        exported.get((item.pk, line.decision)),
        value_of(current) if current and holds else None,
        current.digest if current else "",
        own=item.pk in answered,
        written=current is not None and current.file_id == correction.blob_id,
    )
    if line.in_sheet and correction.dataset.task_type.writes_text:
        value = correcting.before_sheets(value, line.label, facts)
    return Found(line, correcting.judge(value, line.decision, facts), item, value, current, facts)


def read_label(task: str, cell: str, item: Item, classes: Classes) -> tuple[Value | None, str]:
    """The value of a label cell; or None and the unknown label name. Raises BadInput."""
    answers, about = type_of(task).answers, ItemContent(item.text, item.content or {})
    raw = answers.from_cell(Cell(CellKind.COLUMN, cell), about)
    if raw is None:
        raise BadInput("no_label", "The row has no label.")
    value = answers.parse(raw, about, Labels.any())
    unknown = next((name for name in sorted(set(values.labels_of(value))) if name not in classes.names), "")
    return (None, unknown[:120]) if unknown else (answers.rename(value, classes.names), "")
