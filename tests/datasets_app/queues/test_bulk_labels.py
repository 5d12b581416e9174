"""Annotations that tests save in bulk leave the same rows as single ones."""

from __future__ import annotations

import pytest

from datasets_app.queues.models import Annotation, Decision, Dispute, Queue, Seat, Slot
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.labeling import (
    annotate,
    annotate_in_bulk,
    label_items,
    make_dataset,
    make_queue,
    queue_items,
)

pytestmark = pytest.mark.django_db
TEXTS = ["one", "two", "three", "four"]


def rows_of(queue: Queue) -> dict[str, list[tuple]]:
    """All that answers change, but for keys and times."""
    queue.refresh_from_db()
    names = {str(label.stable_id): label.name for label in queue.schema.labels.all()}
    disputes = Dispute.objects.filter(queue=queue).values_list("item__text", "state", "pair", "answers")
    return {
        "answers": sorted(
            Annotation.objects.filter(queue=queue).values_list(
                "item__text", "user", "label__name", "seconds", "action"
            )
        ),
        "slots": sorted(
            Slot.objects.filter(queue=queue).values_list(
                "item__text", "state", "user", "annotation__label__name"
            ),
            key=str,
        ),
        "decisions": sorted(
            Decision.objects.filter(queue=queue).values_list(
                "item__text", "label__name", "how", "by", "annotations__user"
            ),
            key=str,
        ),
        "disputes": sorted(
            (text, state, sorted(names[each] for each in pair.split("|")), count)
            for text, state, pair, count in disputes
        ),
        "seats": sorted(
            Seat.objects.filter(queue=queue).values_list("user", "labeled", "skipped", "seconds")
        ),
        "queue": [
            (
                queue.slots_total,
                queue.slots_done,
                queue.items_total,
                queue.items_labeled,
                queue.items_disputed,
                queue.disputes_total,
                queue.items_agreed,
            )
        ],
    }


@pytest.mark.parametrize(
    "options", [{}, {"overlap": 2}, {"overlap": 2, "acceptance": "reviewer"}, {"overlap": 3}]
)
def test_bulk_rows_equal_those_of_single_annotations(project, mia, ana, ben, ravi, options):
    rows = {
        ana: ["card", "card", "", "billing"],
        ben: ["card", "billing", "card", "billing"],
        ravi: ["card", "card", "card", "card"],
    }
    first, second = (
        make_queue(make_dataset(project, mia, TEXTS, name=name, slug=name), mia, **options)
        for name in ("first", "second")
    )

    label_items(first, {ana: rows[ana]})
    label_items(first, {ben: rows[ben], ravi: rows[ravi]})
    at_once = Event.objects.count()
    for user, labels in rows.items():
        for item, label in zip(queue_items(second), labels, strict=True):
            if label:
                annotate(second, user, item, {"label": label})

    assert rows_of(first) == rows_of(second)
    verbs = list(Event.objects.order_by("id").values_list("verb", flat=True))
    decided = rows_of(first)["decisions"]
    assert (
        verbs[at_once:].count(Verb.UNANIMOUS_RESOLVED)
        == verbs[:at_once].count(Verb.UNANIMOUS_RESOLVED)
        == len({row[0] for row in decided})
    )


def test_second_annotations_are_not_saved_in_bulk(project, mia, ana):
    queue = make_queue(make_dataset(project, mia, TEXTS), mia, overlap=2)
    item, other = queue_items(queue)[:2]
    label_items(queue, {ana: ["card"]})

    assert not annotate_in_bulk(queue, [(ana, other, {"label": "card"}), (ana, item, {"label": "card"})])
    assert Annotation.objects.count() == 1
