"""Gold items are handed out at random places at the queue's rate, and only while other items are left."""

from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from datasets_app.datasets.models import Dataset
from datasets_app.queues import rules
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.actions.managing import close_queue
from datasets_app.queues.actions.mixing import mix_gold
from datasets_app.queues.models import Gold, Queue, Slot
from lifecycle.runtime.refusals import Conflict, Refused
from tests.support.gold import gold_at, know, known_dataset, mixed_queue, take, work_off
from tests.support.labeling import answer, make_dataset, make_queue, make_schema
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project, mia, ravi) -> Dataset:
    return known_dataset(project, mia, ravi, ["card"] * 6, [f"text {n}" for n in range(9)])


@pytest.fixture
def queue(dataset, mia) -> Queue:
    return mixed_queue(dataset, mia)


@pytest.fixture
def of_one(project, mia, ravi) -> Queue:
    """A queue with a single item of gold."""
    return mixed_queue(known_dataset(project, mia, ravi, ["card"], [f"text {n}" for n in range(8)]), mia)


def texts(slots) -> list[str]:
    return [slot.item.text for slot in slots]


def test_gold_is_at_the_places_drawn_for_the_person_without_duplicates(queue, ana, monkeypatch):
    monkeypatch.setattr("datasets_app.queues.actions.mixing.seed_of", lambda queue, user: b"seed of ana")
    drawn = [rules.is_gold_place(b"seed of ana", place, queue.gold_rate) for place in range(14)]

    seen = work_off(queue, ana, lambda slot: "card")

    assert [slot.item.text.startswith("gold") for slot in seen] == drawn
    assert (len({slot.item_id for slot in seen}), sum(drawn)) == (14, 5)
    queue.refresh_from_db()
    assert (queue.slots_done, queue.slots_total, queue.gold_done) == (9, 9, 5)


def test_gold_places_come_by_chance_at_the_rate_for_each_person_and_stay_the_same_when_asked_again():
    ana, ben = b"seed of ana", b"seed of ben"

    places = [place for place in range(2_000) if rules.is_gold_place(ana, place, 10)]

    assert 150 < len(places) < 250
    assert places == [place for place in range(2_000) if rules.is_gold_place(ana, place, 10)]
    assert places != [place for place in range(2_000) if rules.is_gold_place(ben, place, 10)]
    assert len({after - before for before, after in zip(places, places[1:], strict=False)}) > 15


def test_gold_keeps_its_place_after_a_reload(queue, ana):
    with gold_at(0, 2):
        first = texts(claim(queue_id=queue.uuid, actor=ana))
    again = texts(claim(queue_id=queue.uuid, actor=ana))

    assert [text.split()[0] for text in first] == ["gold", "text", "gold", "text", "text"]
    assert again == first


def test_an_item_that_follows_an_answer_can_be_gold(of_one, ana):
    with gold_at(5):
        hand = claim(queue_id=of_one.uuid, actor=ana)
        take(of_one, ana, hand[0], {"label": "card"})
        after = claim(queue_id=of_one.uuid, actor=ana)

    assert texts(after) == ["text 1", "text 2", "text 3", "text 4", "gold 0"]


@pytest.fixture
def of_two(project, mia, ravi) -> Queue:
    """A queue with more gold than other items."""
    return mixed_queue(known_dataset(project, mia, ravi, ["card"] * 4, ["one", "two"]), mia)


@pytest.mark.parametrize("k", [1, 5])
def test_no_gold_is_given_when_nothing_else_is_left(of_two, ana, k):
    queue = of_two

    with gold_at(*range(0, 100, 2)):
        seen = texts(work_off(queue, ana, lambda slot: "card", k=k))

    given = [text.split()[0] for text in seen]
    assert given == (["gold", "one", "gold", "two"] if k == 1 else ["gold", "one", "gold", "two", "gold"])
    assert claim(queue_id=queue.uuid, actor=ana) == []


def test_who_asks_for_one_item_at_a_time_gets_gold_too(queue, ana):
    with gold_at(1, 4):
        seen = [text.split()[0] for text in texts(work_off(queue, ana, lambda slot: "card", k=1, most=7))]

    assert seen == ["text", "gold", "text", "text", "gold", "text", "text"]


def test_a_queue_goes_on_when_its_gold_has_run_out(of_one, ana):
    with gold_at(*range(0, 100, 3)):
        seen = texts(work_off(of_one, ana, lambda slot: "card"))

    assert sorted(seen) == ["gold 0", *(f"text {n}" for n in range(8))]


def test_everybody_gets_gold_of_their_own(of_one, ana, ben):
    with gold_at(1):
        given = [texts(claim(queue_id=of_one.uuid, actor=person, k=3)) for person in (ana, ben)]

    assert [hand[1] for hand in given] == ["gold 0", "gold 0"]
    assert Slot.objects.filter(is_gold=True).count() == 2


def test_no_one_gets_gold_they_set_or_labeled_before(project, mia, ravi, ana):
    dataset = make_dataset(project, mia, ["labeled by ana", "set by ravi", *(f"text {n}" for n in range(20))])
    make_schema(dataset, mia)
    labeled, known = dataset.items.order_by("id")[:2]
    before = make_queue(dataset, mia, name="Before", source="items", item_ids=[labeled.pk])
    answer(before, ana, labeled, "card")
    for item in (labeled, known):
        know(item, ravi, {"label": "card"})
    queue = mixed_queue(dataset, mia)

    with gold_at(0, 1):
        for_ana = texts(claim(queue_id=queue.uuid, actor=ana))
        for_ravi = texts(claim(queue_id=queue.uuid, actor=ravi))

    assert [text for text in for_ana if not text.startswith("text")] == ["set by ravi"]
    assert [text for text in for_ravi if not text.startswith("text")] == []


@pytest.mark.postgres
def test_gold_given_back_stays_its_persons_and_comes_again(of_one, ana, ben):
    queue = of_one
    with gold_at(2, 7):
        first = claim(queue_id=queue.uuid, actor=ana)
        release(queue_id=queue.uuid, actor=ana)
        for_ben = texts(claim(queue_id=queue.uuid, actor=ben, k=1))
        second = claim(queue_id=queue.uuid, actor=ana)

    assert for_ben == ["text 0"]
    assert (first[2].pk, first[2].item.text) == (second[2].pk, "gold 0")
    assert Slot.objects.filter(is_gold=True).count() == 1


def test_gold_with_a_class_that_the_queue_does_not_offer_is_not_given(project, mia, ravi, ana):
    dataset = known_dataset(project, mia, ravi, [], ["known", *(f"text {n}" for n in range(9))])
    queue = make_queue(
        dataset,
        mia,
        source="items",
        item_ids=list(dataset.items.order_by("pk").values_list("pk", flat=True))[1:],
        gold_rate=30,
    )
    make_schema(dataset, mia, ["card", "transfer", "billing", "refund"])
    know(dataset.items.get(text="known"), ravi, {"label": "refund"})

    with gold_at(0, 1):
        given = texts(claim(queue_id=queue.uuid, actor=ana))

    assert given == [f"text {n}" for n in range(5)]


@pytest.mark.parametrize("size", [6, 18])
def test_a_claim_takes_the_same_statements_however_large_queue_and_gold_are(project, mia, ravi, ana, size):
    queue = mixed_queue(
        known_dataset(project, mia, ravi, ["card"] * size, [f"t{n}" for n in range(size)]), mia
    )
    with gold_at():  # gold that comes back would take one more
        claim(queue_id=queue.uuid, actor=ana, k=1)
    release(queue_id=queue.uuid, actor=ana)

    # a place behind the last gold costs one more
    from_the_first = patch("datasets_app.queues.rules.gold_start", return_value=0)
    with gold_at(2, 3), from_the_first, CaptureQueriesContext(connection) as found:
        claim(queue_id=queue.uuid, actor=ana)

    assert len(found) == 18


def test_who_has_judged_all_gold_costs_no_more(of_one, ana):
    with gold_at(0):
        work_off(of_one, ana, lambda slot: "card", most=1)
    release(queue_id=of_one.uuid, actor=ana)

    with gold_at(*range(100)), CaptureQueriesContext(connection) as found:
        hand = claim(queue_id=of_one.uuid, actor=ana)

    assert not [text for text in texts(hand) if text.startswith("gold")]
    assert len(found) <= 19


def test_the_rate_can_be_changed_and_ended(dataset, mia, ana):
    queue = mixed_queue(dataset, mia, rate=0)

    with gold_at(*range(100)):
        none = texts(claim(queue_id=queue.uuid, actor=ana, k=2))
        mix_gold(queue_id=queue.uuid, actor=mia, rate=10)
        some = texts(claim(queue_id=queue.uuid, actor=ana, k=4))

    assert none == ["text 0", "text 1"]
    assert [text.split()[0] for text in some] == ["text", "text", "gold", "gold"]


def test_a_rate_that_is_none_and_a_closed_queue_are_refused(project, mia, ravi):
    queue = mixed_queue(known_dataset(project, mia, ravi, [], ["one"]), mia, rate=0)

    with pytest.raises(Refused) as rate:
        mix_gold(queue_id=queue.uuid, actor=mia, rate=31)
    close_queue(queue_id=queue.uuid, actor=mia)
    with refused(
        by=Conflict,
        naming=(
            queue.name,
            "closed",
        ),
    ):
        mix_gold(queue_id=queue.uuid, actor=mia, rate=10)

    assert rate.value.fields["gold_rate"] == ["The share of gold items must be between 0 and 30 %."]
    queue.refresh_from_db()
    assert (queue.gold_rate, Gold.objects.count()) == (0, 0)
