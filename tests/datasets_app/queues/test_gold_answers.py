"""Gold annotations measure annotators, and don't affect decisions, counts, or agreement."""

from uuid import uuid4

import pytest

from datasets_app.quality.actions.gold import retire_gold
from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.queries.quality import report_of
from datasets_app.queues.actions.answers import skip, undo
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Annotation, Decision, Gold, Queue, Seat, Slot
from datasets_app.queues.queries.bench import skipped_open
from datasets_app.queues.queries.decisions import annotators_of, standing_answers
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.review.queries.review import case
from datasets_app.schemas.queries.labels import labels_by_name
from tests.support.gold import gold_at, know, known_dataset, mixed_queue, take, work_off
from tests.support.jobs import run_ok
from tests.support.labeling import make_dataset, make_schema

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia, ravi) -> Queue:
    return mixed_queue(
        known_dataset(project, mia, ravi, ["card", "card", "transfer"], [f"text {n}" for n in range(9)]), mia
    )


def first_gold(queue, user) -> Slot:
    """The first item of the person's hand, which is gold."""
    with gold_at(0):
        return claim(queue_id=queue.uuid, actor=user)[0]


def counts(queue, user) -> tuple[int, int, int]:
    seat = Seat.objects.get(queue=queue, user=user)
    queue.refresh_from_db()
    return seat.gold_done, seat.gold_right, queue.gold_done


def asked(slot) -> tuple[int, int]:
    gold = Gold.objects.get(item=slot.item, retired_at=None)
    return gold.asked, gold.right


def known(slot) -> str:
    return Gold.objects.get(item=slot.item, retired_at=None).label.name


def test_an_ordinary_answer_is_neither_right_nor_wrong(queue, ana):
    with gold_at():
        slot = claim(queue_id=queue.uuid, actor=ana, k=1)[0]

    made = take(queue, ana, slot, {"label": "card"})

    assert (made.right, counts(queue, ana)) == (None, (0, 0, 0))


def test_gold_that_a_reviewer_settled_is_answered_and_undone_like_anything_else(project, mia, ravi, ana, ben):
    dataset = make_dataset(project, mia, ["settled", *(f"text {n}" for n in range(6))])
    make_schema(dataset, mia)
    item = dataset.items.get(text="settled")
    before = open_queue(dataset_id=dataset.uuid, actor=mia, name="Before", source="items", item_ids=[item.pk])
    label = labels_by_name(before.schema)["card"]
    adjudicate(
        queue_id=before.uuid,
        item_id=item.uuid,
        actor=ravi,
        value={"label": str(label.uuid)},
        reason="It names a card.",
    )
    know(item, ravi, {"label": "card"})
    queue = mixed_queue(dataset, mia)
    slot = first_gold(queue, ana)

    take(queue, ana, slot, {"label": "billing"})
    take(queue, ana, slot, {"label": "card"})
    undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())

    assert counts(queue, ana) == (0, 0, 0)
    assert Decision.objects.get().how == Decision.How.ADJUDICATED


def test_an_answer_that_comes_late_is_kept_and_counts(queue, ana):
    slot = first_gold(queue, ana)
    release(queue_id=queue.uuid, actor=ana)

    take(queue, ana, slot, {"label": known(slot)})

    assert counts(queue, ana) == (1, 1, 1)


@pytest.mark.postgres
def test_the_same_submit_twice_counts_once(queue, ana):
    slot, key = first_gold(queue, ana), uuid4()
    for _ in range(2):
        take(queue, ana, slot, {"label": known(slot)}, client_key=key)

    assert (counts(queue, ana), Annotation.objects.count()) == ((1, 1, 1), 1)


@pytest.mark.postgres
def test_skipped_gold_returns_only_on_request(queue, ana, ben):
    slot = first_gold(queue, ana)
    skip(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, client_key=uuid4())
    release(queue_id=queue.uuid, actor=ana)

    assert skipped_open(queue, ana) is True
    assert skipped_open(queue, ben) is False
    assert slot.pk not in [each.pk for each in claim(queue_id=queue.uuid, actor=ben)]
    assert [each.pk for each in claim(queue_id=queue.uuid, actor=ana, skipped=True)] == [slot.pk]
    assert counts(queue, ana) == (0, 0, 0)


def test_a_skip_of_gold_is_undone(queue, ana):
    slot = first_gold(queue, ana)
    skip(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, client_key=uuid4())

    assert undo(queue_id=queue.uuid, actor=ana, client_key=uuid4()).slot == slot
    assert Slot.objects.get(pk=slot.pk).state == Slot.State.LEASED


def test_an_annotation_of_retired_gold_does_not_count(queue, ana, ravi):
    slot = first_gold(queue, ana)
    retire_gold(item_id=slot.item.uuid, actor=ravi)

    made = take(queue, ana, slot, {"label": "billing"})

    assert made.right is False
    assert counts(queue, ana) == (0, 0, 1)
    assert not standing_answers().filter(pk=made.pk).exists(), "It is no ordinary answer either."
    undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())
    assert counts(queue, ana) == (0, 0, 0)


def test_no_figure_of_agreement_and_no_reviewer_sees_answers_to_gold(queue, ana, ben, ravi, mia):
    for person in (ana, ben):
        take(queue, person, first_gold(queue, person), {"label": "billing"})
    with gold_at():
        release(queue_id=queue.uuid, actor=ben)
        work_off(queue, ana, lambda slot: "card", most=3)
    queue.refresh_from_db()
    measure_quality(queue_id=queue.uuid, actor=mia)
    run_ok()

    report, slot = report_of(queue), Slot.objects.filter(is_gold=True).first()
    assert (report.figures["annotations"], report.figures["items"]) == (3, 0)
    assert case(queue, slot.item, ravi).columns == []
    assert annotators_of([slot.item_id]) == set()


@pytest.mark.postgres
def test_another_known_answer_judges_the_answers_so_far_and_the_measure_counts_people_anew(
    queue, ana, ravi, mia
):
    slot = first_gold(queue, ana)
    take(queue, ana, slot, {"label": "billing"})
    with gold_at():
        work_off(queue, ana, lambda each: "card", most=1)

    know(slot.item, ravi, {"label": "billing"})

    assert asked(slot) == (1, 1)
    measure_quality(queue_id=queue.uuid, actor=mia)
    run_ok()
    assert counts(queue, ana)[:2] == (1, 1)
    assert Gold.objects.filter(item=slot.item).count() == 2
