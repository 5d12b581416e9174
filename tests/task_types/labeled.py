"""What annotations left in a queue, labels by name: for the contract suite."""

from __future__ import annotations

from typing import Any

from datasets_app.queues.models import Annotation, Decision, Queue
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.labels import names_ever, value_of
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.values import rename


def counters(queue: Queue) -> dict[str, int]:
    """Annotations, resolved items, open disagreements, and all disagreements."""
    queue.refresh_from_db()
    return {
        "done": queue.slots_done,
        "labeled": queue.items_labeled,
        "disputed": queue.items_disputed,
        "disputes": queue.disputes_total,
    }


def read(queue: Queue, row: Annotation | Decision) -> Value | None:
    """The value of a row."""
    return rename(value_of(row), names_ever(queue.dataset))


def decided(queue: Queue) -> list[tuple[Any, ...]]:
    """The resolved labels of the dataset in the order of its items: value, how it came about, who resolved
    it, and on how many annotations it rests.
    """
    names, rows = names_ever(queue.dataset), current_decisions(queue.dataset).order_by("item_id")
    return [(rename(value_of(row), names), row.how, row.by, row.annotations.count()) for row in rows]


def as_shown(queue: Queue, value: Value) -> Value | None:
    """A value as a page of the queue has it."""
    return rename(value, {label.name: str(label.uuid) for label in queue.schema.labels.all()})
