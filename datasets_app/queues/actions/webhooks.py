"""Send labels and annotations to webhooks: `item.labeled` and `decision.changed`, many in one message.

Annotations and decisions are append-only, so their keys serve as the queue; labeling writes nothing extra.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from datasets_app.datasets.models import Dataset
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.queries.labels import names_ever, value_of
from lifecycle.ground.notices import delivery
from lifecycle.ground.notices.models import Channel, Cursor
from lifecycle.runtime.task_types.values import labels_of
from lifecycle.ui.addresses import find_url
from lifecycle.ui.numbers import count

LABELED, CHANGED = "item.labeled", "decision.changed"
SETTLE = timedelta(seconds=30)  # no annotation and no batch of decisions takes longer to commit
READ, MESSAGE, EACH_TIME = 1_000, 200, 100_000


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of rows. rows: the rows to send, with what a message needs. dataset: returns a row's dataset.
    event: returns its content.
    """

    word: str
    noun: str
    rows: QuerySet[Any]
    dataset: Callable[[Any], Dataset]
    event: Callable[[Any, Mapping[str, str]], dict[str, Any]]


def send_labels(now: datetime) -> int:
    """Post new annotations and decisions to the webhooks that subscribe to them. Returns how many rows were
    sent. A row is sent once, at least half a minute after it was written, in key order; up to 100,000 of each
    kind per call. Rows older than the first webhook aren't sent.
    """
    wanted = [
        (row.project_id, set(row.wants))
        for row in Channel.objects.filter(is_on=True).only("project_id", "wants")
    ]
    sent = 0
    for stream in STREAMS:
        projects = {project for project, words in wanted if stream.word in words}
        read = sent_now = 0
        while read < EACH_TIME:
            found, posted = send_batch(stream, projects, now)
            read, sent_now = read + found, sent_now + posted
            if found < READ:
                break
        sent += sent_now
    return sent


@transaction.atomic
def send_batch(stream: Stream, projects: set[int], now: datetime) -> tuple[int, int]:
    """Send the next batch of a stream: (rows read, rows sent). Its cursor moves in the transaction that
    writes the messages.
    """
    Cursor.objects.get_or_create(reader=f"labeling.{stream.word}", defaults={"position": newest(stream)})
    cursor = Cursor.objects.select_for_update().get(reader=f"labeling.{stream.word}")
    if not projects:
        cursor.position = max(cursor.position, newest(stream))
        cursor.save(update_fields=["position"])
        return 0, 0
    written = (
        stream.rows.model.objects.filter(pk__gt=cursor.position)
        .order_by("pk")
        .values_list("pk", "created_at")[:READ]
    )
    ready = [pk for pk, _ in takewhile(lambda row: not now - SETTLE < row[1] <= now, written)]
    if not ready:
        return 0, 0
    before, cursor.position = cursor.position, ready[-1]
    cursor.save(update_fields=["position"])
    wanted: dict[Dataset, list[Any]] = defaultdict(list)
    for row in stream.rows.filter(pk__gt=before, pk__lte=cursor.position).order_by("pk"):
        if stream.dataset(row).project_id in projects:
            wanted[stream.dataset(row)].append(row)
    for dataset, mine in wanted.items():
        names = names_ever(dataset)
        for at in range(0, len(mine), MESSAGE):
            post(stream, dataset, mine[at : at + MESSAGE], names, now)
    return len(ready), sum(len(mine) for mine in wanted.values())


def newest(stream: Stream) -> int:
    """The key of the newest row; 0 if there is none."""
    return stream.rows.model.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def post(
    stream: Stream, dataset: Dataset, rows: Sequence[Any], names: Mapping[str, str], now: datetime
) -> None:
    """Send one message about up to 200 rows of a dataset."""
    text = f"{count(len(rows))} {stream.noun}{'' if len(rows) == 1 else 's'} in {dataset.name}"
    about = {
        "dataset": str(dataset.uuid),
        "count": len(rows),
        "events": [stream.event(row, names) for row in rows],
    }
    delivery.broadcast(
        dataset.project,
        stream.word,
        key=f"{stream.word}:{rows[0].pk}-{rows[-1].pk}",
        subject=text,
        text=f"{text}.",
        url=find_url("datasets:dataset", uuid=dataset.uuid),
        data={"event": stream.word, **about},
        now=now,
    )


def labeled(row: Annotation, names: Mapping[str, str]) -> dict[str, Any]:
    """An annotation, a skip, or an undo. Excludes the annotator and the text; the API has them for those with
    access.
    """
    return {
        "annotation": str(row.uuid),
        "action": row.action,
        "queue": str(row.queue.uuid),
        **item_of(row),
        "labels": labels(row, names) if row.action == Annotation.Action.LABEL else [],
    }


def changed(row: Decision, names: Mapping[str, str]) -> dict[str, Any]:
    """A decision, or the withdrawal of the one it supersedes."""
    return {
        "decision": str(row.uuid),
        "digest": row.digest,
        "how": row.how,
        "queue": str(row.queue.uuid) if row.queue else None,
        "supersedes": row.supersedes.digest if row.supersedes else None,
        **item_of(row),
        "labels": labels(row, names),
    }


def item_of(row: Annotation | Decision) -> dict[str, Any]:
    """The item and the time of a row."""
    return {
        "item": str(row.item.uuid),
        "item_digest": row.item.digest,
        "at": row.created_at.isoformat(timespec="seconds"),
    }


def labels(row: Annotation | Decision, names: Mapping[str, str]) -> list[str]:
    """The current names of the labels that a row uses; none for tasks without labels."""
    return [names[key] for key in labels_of(value_of(row)) if key in names]


# not imported, not gold
SENDABLE = Annotation.objects.exclude(queue__source=Queue.Source.IMPORTED).filter(right__isnull=True)
ANSWERS = SENDABLE.select_related("item", "label", "queue__dataset__project")
DECISIONS = Decision.objects.select_related("item__dataset__project", "label", "queue", "supersedes").exclude(
    how=Decision.How.IMPORTED
)
STREAMS = (
    Stream(LABELED, "answer", ANSWERS, lambda row: row.queue.dataset, labeled),
    Stream(CHANGED, "decision", DECISIONS, lambda row: row.item.dataset, changed),
)
