"""Annotations for exports, in batches with a constant number of statements each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from django.db.models import Exists, OuterRef

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.importing import readers
from datasets_app.datasets.importing.readers import tools
from datasets_app.datasets.importing.readers.jsons import Pairs
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.exchange.exporting.facts import Fact, Guess, ItemAnnotation, Ruling
from datasets_app.exchange.models.exports import Export
from datasets_app.prelabels.models import Suggestion
from datasets_app.prelabels.queries import live
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.queues.queries.decisions import standing
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.labels import value_of
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.values import rename
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts

BATCH = 500
HALF = 0.5  # minimum score of a pre-label in a multi-label task


class Scope(NamedTuple):
    """The exported items: of a dataset, or of a queue. names: label names by stable id, including retired
    labels.
    """

    dataset: Dataset
    queue: Queue | None
    names: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether it covers whole uploads, with rows that aren't items."""
        return self.queue is None or self.queue.source == Queue.Source.IMPORTED


class Placed(NamedTuple):
    """An item's facts, and its position in its file."""

    place: tuple[str, int]
    fact: Fact


def exports(dataset: Dataset, queue: Queue | None) -> list[Export]:
    """The newest files of a dataset, or of one of its queues."""
    rows = Export.objects.filter(dataset=dataset, **({"queue": queue} if queue else {}))
    return list(rows.select_related("blob", "created_by", "dataset", "queue").order_by("-id")[:20])


def scope_of(dataset: Dataset, queue: Queue | None) -> Scope:
    """The scope, with the latest name of every label."""
    rows = (
        Label.objects.filter(schema__dataset=dataset)
        .order_by("schema__version")
        .values_list("stable_id", "name")
    )
    return Scope(dataset, queue, {str(stable): name for stable, name in rows})


def uploads_in(scope: Scope) -> list[Upload]:
    """The uploads whose items are exported, oldest first."""
    rows = (
        scope.dataset.uploads.filter(state=UploadState.IMPORTED)
        .select_related("blob", "dataset")
        .order_by("id")
    )
    return list(rows.filter(pk=scope.queue.upload_id or 0) if scope.queue and scope.is_whole else rows)


def facts(scope: Scope, upload: Upload) -> Iterator[Placed]:
    """The items of one upload with all their annotations, in the order of its file."""
    items = Item.objects.filter(upload=upload).order_by("id")
    if scope.queue is not None and not scope.is_whole:
        items = items.filter(
            Exists(Slot.objects.filter(queue=scope.queue, item=OuterRef("pk"), is_gold=False))
        )
    question = next((column for column, role in upload.mapping.items() if role == Role.LABEL), "")
    after = 0
    while batch := list(items.filter(pk__gt=after)[:BATCH]):
        after = batch[-1].pk
        ids = [item.pk for item in batch]
        annotations, guesses, rulings = (
            annotations_of(scope, upload, ids),
            guesses_of(scope, ids),
            rulings_of(scope, ids),
        )
        for item in batch:
            yield Placed(
                (item.member, item.line),
                Fact(
                    uuid=str(item.uuid),
                    external_id=item.external_id,
                    text=item.text,
                    content=item.content or {},
                    metadata=item.metadata,
                    annotations=annotations[item.pk],
                    guesses=guesses[item.pk],
                    ruling=rulings.get(item.pk),
                    question=question,
                    about=about(item),
                ),
            )


def about(item: Item) -> dict[str, str]:
    """Further properties of an item that are set."""
    when = item.event_time.isoformat() if item.event_time else ""
    found = {"item": str(item.uuid), "split": item.split, "group": item.group, "time": when}
    return {name: value for name, value in found.items() if value}


def annotations_of(scope: Scope, upload: Upload, ids: Sequence[int]) -> dict[int, list[ItemAnnotation]]:
    """Current annotations and skips by item, oldest first, without those of gold items."""
    rows = Annotation.objects.filter(item_id__in=ids, replaced_by__isnull=True, right__isnull=True).exclude(
        action=Annotation.Action.UNDO
    )
    if scope.queue is not None and not scope.is_whole:
        rows = rows.filter(queue=scope.queue)
    found: dict[int, list[ItemAnnotation]] = defaultdict(list)
    for row in rows.select_related("user", "label", "queue").order_by("id"):
        value = None if row.action == Annotation.Action.SKIP else named(row, scope.names)
        from_file = row.queue.source == Queue.Source.IMPORTED and row.queue.upload_id == upload.pk
        person = person_of(row.user)
        found[row.item_id].append(
            ItemAnnotation(str(row.uuid), person, value, row.seconds, row.created_at, row.gold, from_file)
        )
    return found


def named(row: Annotation | Decision, names: Mapping[str, str]) -> Value:
    """The value of a row, with label names."""
    value = rename(value_of(row), names)
    if value is None:
        raise ValueError("A label has no name in any version.")
    return value


def person_of(user: User | None) -> str:
    """A person's name in a file: as in the imported file, the e-mail address, or the user name."""
    if user is None:
        return "rule"
    return (user.first_name if user.is_placeholder else user.email) or user.username


def rulings_of(scope: Scope, ids: Sequence[int]) -> dict[int, Ruling]:
    """Current labels by item."""
    rows = standing().filter(item_id__in=ids).select_related("by", "label")
    return {
        row.item_id: Ruling(
            str(row.uuid),
            named(row, scope.names),
            person_of(row.by),
            row.created_at,
            by_hand=row.how == Decision.How.ADJUDICATED,
            of_file=row.how == Decision.How.IMPORTED and row.queue_id is None,
        )
        for row in rows
    }


def guesses_of(scope: Scope, ids: Sequence[int]) -> dict[int, list[Guess]]:
    """Pre-labels by item, one per source, oldest first: the best label, the likely labels, or the value."""
    sources: dict[tuple[int, str], list[Suggestion]] = defaultdict(list)
    for row in live(Suggestion.objects.filter(item_id__in=ids)).select_related("label").order_by("id"):
        sources[row.item_id, row.source_digest].append(row)
    found: dict[int, list[Guess]] = defaultdict(list)
    for (item, _), rows in sources.items():
        if (guess := guess_of(scope, rows)) is not None:
            found[item].append(guess)
    return found


def guess_of(scope: Scope, rows: Sequence[Suggestion]) -> Guess | None:
    """The pre-label of one source for one item, from its rows."""
    best = max(rows, key=lambda row: row.score or 0)
    name, from_file = best.source_name or best.get_source_display(), best.source == Suggestion.Source.IMPORT
    if best.value is not None:
        spans = best.value.get("spans")
        bare = (
            {"spans": [{key: each[key] for key in ("start", "end", "label")} for each in spans]}
            if spans
            else best.value
        )
        value = rename(bare, scope.names)
    elif not scope.dataset.task_type.one_label:
        likely = [
            row.label for row in rows if row.label is not None and (row.score is None or row.score >= HALF)
        ]
        value = {"labels": sorted(label.name for label in likely)}
    else:
        value = {"label": best.label.name} if best.label else None
    return Guess(name, value, best.score, from_file) if value is not None else None


def objects_in(upload: Upload) -> Iterator[tuple[tuple[str, int], Pairs]]:
    """The objects of an upload from a labeling tool, unchanged, with their positions."""
    reading = datasets.reading_of(upload)
    with artifacts.local_copy(upload.blob.digest) as path:
        for member in readers.open_source(path).members:
            for number, found in tools.records(member, reading):
                if not isinstance(found, Problem):
                    yield (member.name, number), found


def paired(
    placed: Iterator[Placed], objects: Iterator[tuple[tuple[str, int], Pairs]]
) -> Iterator[tuple[Fact | None, Pairs | None]]:
    """Items with their original objects; objects without an item are duplicates or couldn't be parsed."""
    waiting = next(placed, None)
    for place, found in objects:
        if waiting is not None and waiting.place == place:
            yield waiting.fact, found
            waiting = next(placed, None)
        else:
            yield None, found
    while waiting is not None:
        yield waiting.fact, None
        waiting = next(placed, None)
