"""Read dataset versions and their rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.models.schemas import Label, LabelSchema
from datasets_app.schemas.queries.labels import names_in
from datasets_app.snapshots import manifest
from datasets_app.snapshots.formats import formats_for
from datasets_app.snapshots.manifest import ManifestRow
from datasets_app.snapshots.models import Snapshot, SplitAssignment
from datasets_app.snapshots.rules import Anchor, ExportFormat, Reason, Row
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types import values
from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.formats import Unlearnable
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts

BATCH = 1_000
AT_ONCE = 4_000  # keys in one statement, which may name them several times: SQLite takes 32,766 values


class Cut(NamedTuple):
    """The state that a version shows: decisions up to this key, the imported uploads, and the number of
    items.
    """

    decision: int
    uploads: list[int]
    items: int


class ItemParts(NamedTuple):
    """The fields of an item that rows need, read without model instances: a file may have millions of
    items.
    """

    digest: str
    text: str
    content: dict[str, Any] | None
    external_id: str
    group: str
    event_time: datetime | None
    metadata: dict[str, Any]


class TextRow(NamedTuple):
    """A row of a version with its item."""

    row: ManifestRow
    item: ItemParts


def snapshots(user: User) -> QuerySet[Snapshot]:
    """The snapshots that the user may see, newest first."""
    return (
        policy.visible_to(user, Snapshot, "snapshots.view")
        .select_related("dataset__project", "schema", "created_by")
        .order_by("-id")
    )


def get_snapshot(user: User, uuid: UUID) -> Snapshot:
    """One snapshot that the user may see. Raises Http404."""
    rows = Snapshot.objects.select_related("dataset__project", "schema", "created_by", "manifest", "parent")
    return policy.get_visible(user, rows, "snapshots.view", uuid=uuid)


def latest(dataset: Dataset) -> Snapshot | None:
    """The newest snapshot of a dataset."""
    return Snapshot.objects.filter(dataset=dataset).order_by("-number").first()


def freezing_now(dataset: Dataset) -> Job | None:
    """The unfinished freeze of a dataset."""
    return next(
        (job for job in jobs.of_subject(dataset).filter(kind="snapshots.create")[:5] if not job.is_finished),
        None,
    )


# ── Rows of a version ───────────────────────────────────────────────────────
def open_snapshot(snapshot: Snapshot) -> Iterator[ManifestRow]:
    """All rows of a version, ordered by item digest, in constant memory; no texts."""
    with artifacts.local_copy(snapshot.manifest.digest) as path:
        yield from manifest.read(path)


def rows_of(snapshot: Snapshot, split: str) -> Iterator[ManifestRow]:
    """The rows of one split, in order; no texts."""
    return (row for row in open_snapshot(snapshot) if row.split == split)


class Newer(NamedTuple):
    """Some rows that only the newer version has. items: keys of new items; decisions: uuids of other
    decisions on items in both.
    """

    items: list[int]
    decisions: list[str]


def newer(snapshot: Snapshot, before: Snapshot | None = None, split: str = "") -> Iterator[Newer]:
    """Rows of a version, or of one of its splits, that `before` lacks, AT_ONCE at a time; all rows if there
    is no `before`.

    Raises Refused if an item is missing from the database, since its contributors are unknown then.
    """
    other = artifacts.local_copy(before.manifest.digest) if before else nullcontext()
    with artifacts.local_copy(snapshot.manifest.digest) as path, other as known:
        for items, decisions in manifest.newer(path, known, split):
            for at in range(0, max(len(items), len(decisions)), AT_ONCE):
                uuids = items[at : at + AT_ONCE]
                keys = (
                    list(Item.objects.filter(uuid__in=uuids).order_by().values_list("pk", flat=True))
                    if uuids
                    else []
                )
                if len(keys) < len(uuids):
                    raise Refused(
                        f"Items of {snapshot} are missing from the database.",
                        next_step="Restore the database from its backup.",
                    )
                yield Newer(keys, decisions[at : at + AT_ONCE])


def with_items(snapshot: Snapshot, rows: Iterator[ManifestRow]) -> Iterator[TextRow]:
    """Each of these rows with its item, read in batches; rows ordered by digest read adjacent items."""
    items = Item.objects.filter(dataset=snapshot.dataset_id)
    while batch := list(islice(rows, BATCH)):
        found = items.filter(digest__in=[row.item for row in batch]).values_list(*ItemParts._fields)
        parts = {each[0]: ItemParts._make(each) for each in found}
        for row in batch:
            yield TextRow(row, parts[row.item])


def with_values(
    snapshot: Snapshot, rows: Iterator[ManifestRow]
) -> Iterator[tuple[ManifestRow, ItemParts, Any]]:
    """Each of these rows with its item and its resolved label: a label name, or the content of the task's
    value with label names; None if the text written by annotators was erased.
    """
    kind, found = snapshot.dataset.task_type, with_items(snapshot, rows)
    if not kind.writes_text:
        yield from (
            (row, item, row.label if kind.one_label else json.loads(row.label)) for row, item in found
        )
        return
    while batch := list(islice(found, BATCH)):
        known = dict(
            Decision.objects.filter(uuid__in=[row.decision_uuid for row, _ in batch]).values_list(
                "uuid", "value"
            )
        )
        for row, item in batch:
            value = known[UUID(row.decision_uuid)]
            yield row, item, value[kind.answers.name] if value else None


def engine_rows(
    snapshot: Snapshot, split: str, rows: Iterable[ManifestRow] | None = None
) -> Iterator[dict[str, Any]]:
    """One split, or some of its rows, in the engine's format: "id", the item digest; "cluster", shared by
    rows that were split together; and the fields of the task's `engine_row`. A row that can't be trained on
    has "id" and "left_out", the reason. Erased rows are skipped. rows: in the order of the split.
    """
    kind, formats = snapshot.dataset.task_type, formats_of(snapshot.dataset.task)
    for row, item, label in with_values(
        snapshot, iter(rows) if rows is not None else rows_of(snapshot, split)
    ):
        if label is None:
            continue
        try:
            found = formats.engine_row(ItemContent(item.text, item.content or {}), {kind.answers.name: label})
        except Unlearnable as error:
            yield {"id": row.item, "left_out": str(error)}
            continue
        if found is not None:  # runs are identified by the bytes of these lines, hence the two orders
            before, behind = (
                ({}, {"cluster": row.cluster}) if kind.has_labels else ({"cluster": row.cluster}, {})
            )
            yield {"id": row.item, **before, **found, **behind}


def learned_rows(
    snapshot: Snapshot, split: str, rows: Iterable[ManifestRow] | None = None
) -> Iterator[dict[str, Any]]:
    """As `engine_rows`, without rows that can't be trained on."""
    return (row for row in engine_rows(snapshot, split, rows) if "left_out" not in row)


def learned_rows_of(snapshot: Snapshot, digests: Sequence[str]) -> dict[str, dict[str, Any]]:
    """A few of the `learned_rows` of a snapshot, by the digest of the item; missing ones are left out."""
    with artifacts.local_copy(snapshot.manifest.digest) as path:
        rows = manifest.find_all(path, digests) if digests else []
    return {each["id"]: each for each in learned_rows(snapshot, "", rows)}


def write_split(snapshot: Snapshot, split: str, path: Path, rows: Iterable[ManifestRow] | None = None) -> int:
    """Write `engine_rows`, as `write_lines` does."""
    return write_lines(path, engine_rows(snapshot, split, rows))


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines. Returns their number, without rows that can't be trained on."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            count += "left_out" not in row
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count


def items_at(snapshot: Snapshot, split: str, numbers: Collection[int]) -> dict[int, str]:
    """The item digests of some rows of a split by number, in the order of `write_split` if nothing was
    erased.
    """
    if not numbers:
        return {}
    with artifacts.local_copy(snapshot.manifest.digest) as path:
        return manifest.items_at(path, split, numbers)


def labels_of(snapshot: Snapshot) -> list[str]:
    """The names of the labels that have rows in the snapshot, in the order of its schema."""
    used = snapshot.counts["labels"]
    names = (
        Label.objects.filter(schema=snapshot.schema_id).order_by("position").values_list("name", flat=True)
    )
    return [name for name in names if name in used]


def export_formats(snapshot: Snapshot) -> list[ExportFormat]:
    """The formats that can represent the labels of a version."""
    return formats_for(snapshot.dataset.task, list(snapshot.counts["labels"]))


def contains(snapshot: Snapshot, item: Item) -> ManifestRow | None:
    """The row of an item in a version; None if it isn't in it."""
    with artifacts.local_copy(snapshot.manifest.digest) as path:
        return manifest.find(path, item.digest)


def snapshots_with(item: Item) -> list[tuple[Snapshot, ManifestRow]]:
    """Every version with an item, newest first, with its row."""
    first = SplitAssignment.objects.filter(item=item).values_list("snapshot__number", flat=True).first()
    if first is None:
        return []
    later = (
        Snapshot.objects.filter(dataset=item.dataset_id, number__gte=first)
        .select_related("manifest", "dataset")
        .order_by("-number")
    )
    return [(snapshot, row) for snapshot in later if (row := contains(snapshot, item))]


# ── Reading for a new version ───────────────────────────────────────────────
def has_decisions(dataset: Dataset) -> bool:
    """Whether any visible item is decided."""
    return current_decisions(dataset).exists()


def cut_of(dataset: Dataset) -> Cut:
    """The current state as a cut that can be read again later."""
    newest = Decision.objects.order_by("-id").values_list("pk", flat=True).first() or 0
    uploads = list(
        dataset.uploads.filter(state=UploadState.IMPORTED).order_by("id").values_list("pk", flat=True)
    )
    return Cut(newest, uploads, Dataset.objects.values_list("items_total", flat=True).get(pk=dataset.pk))


def newest_schema(dataset: Dataset) -> LabelSchema | None:
    """The present version of the labels."""
    return LabelSchema.objects.filter(dataset=dataset).order_by("-version").first()


def decided_rows(dataset: Dataset, cut: Cut, schema: LabelSchema) -> Iterator[tuple[int, Row | Reason]]:
    """The key of every labeled item at the cut with its row, by pages; Reason.REMOVED if its label is no
    longer in the schema.

    Labels have the names of this schema.
    """
    names, kind = names_in(schema), dataset.task_type
    current = Q(superseded_by__isnull=True) | Q(superseded_by__gt=cut.decision)
    rows = Decision.objects.filter(current, pk__lte=cut.decision).exclude(how=Decision.How.WITHDRAWN)
    decisions = rows.filter(item__dataset=dataset, item__upload__in=cut.uploads).order_by("item_id")
    columns = (
        "item_id",
        "item__digest",
        "item__uuid",
        "digest",
        "uuid",
        "label__stable_id",
        "value",
        "item__normal_digest",
        "item__group",
        "item__assignment__split",
        "item__split",
    )
    after = 0
    while page := list(decisions.filter(item_id__gt=after).values_list(*columns)[:BATCH]):
        after = page[-1][0]
        for key, item, item_uuid, decision, uuid, stable_id, value, normal, group, kept, declared in page:
            named = values.rename(values.value_of(stable_id, value), names)
            if named is None:
                yield key, Reason.REMOVED
            else:
                label, labels = (
                    kind.answers.frozen(named),
                    (None if kind.one_label else tuple(sorted(set(values.labels_of(named))))),
                )
                yield (
                    key,
                    Row(
                        item,
                        str(item_uuid),
                        decision,
                        str(uuid),
                        label,
                        normal,
                        group,
                        kept or "",
                        declared,
                        labels,
                    ),
                )


def anchors(dataset: Dataset) -> Iterator[Anchor]:
    """The text, group, and split of every item with a saved split, by pages."""
    columns = ("pk", "item__normal_digest", "item__group", "split")
    rows = SplitAssignment.objects.filter(item__dataset=dataset).order_by("pk")
    after = 0
    while page := list(rows.filter(pk__gt=after).values_list(*columns)[:BATCH]):
        after = page[-1][0]
        for _, normal, group, split in page:
            yield Anchor(normal, group, split)
