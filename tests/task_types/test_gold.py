"""Gold of every type judges annotators and decides nothing; a type without right and wrong has none."""

from __future__ import annotations

from uuid import uuid4

import pytest

from datasets_app.quality.actions.gold import make_gold, retire_gold
from datasets_app.quality.queries.gold import count_gold
from datasets_app.queues.actions.answers import undo
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.mixing import mix_gold
from datasets_app.queues.models import Decision, Gold, Queue, Seat, Slot
from datasets_app.schemas.queries.labels import value_of
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.types import TYPES
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.gold import gold_at, know, mixed_queue, take
from tests.support.labeling import named
from tests.support.unchanged import refused
from tests.task_types.examples import EXAMPLES, values_of
from tests.task_types.labeled import counters

pytestmark = pytest.mark.django_db
WITH_GOLD = [key for key, kind in TYPES.items() if kind.has_gold]
WITHOUT = [key for key in TYPES if key not in WITH_GOLD]
with_gold = pytest.mark.parametrize("key", WITH_GOLD)
without_gold = pytest.mark.parametrize("key", WITHOUT)


@pytest.fixture
def mixed_of_each_type(queue_of_each_type, mia, ravi) -> dict[str, Queue]:
    """A queue over two items of every type that has gold; its third item is gold."""
    made = {}
    for queue in Queue.objects.filter(uuid__in=queue_of_each_type.values()).select_related("dataset"):
        if queue.dataset.task in WITH_GOLD:
            item = queue.dataset.items.order_by("id").last()
            know(item, ravi, values_of(queue.dataset.task)[0], explanation=" By rule 2. ")
            made[queue.dataset.task] = mixed_queue(queue.dataset, mia)
    return made


@pytest.fixture
def mixed(key, mixed_of_each_type) -> Queue:
    return mixed_of_each_type[key]


def first_gold(queue, user) -> Slot:
    """The first item of the person's hand, which is gold."""
    with gold_at(0):
        return claim(queue_id=queue.uuid, actor=user, k=1)[0]


def counts(queue, user) -> tuple[int, int, int]:
    """Annotations of gold by a person, how many were right, and all in the queue."""
    seat = Seat.objects.get(queue=queue, user=user)
    queue.refresh_from_db()
    return seat.gold_done, seat.gold_right, queue.gold_done


def test_what_has_gold_is_known():
    assert WITHOUT == ["generation", "chat", "regression"]


@with_gold
def test_an_annotation_of_gold_is_right_or_wrong_and_decides_nothing(mixed, values, ana, ben):
    gold = Gold.objects.get(item__dataset=mixed.dataset)
    assert (value_of(gold), gold.explanation) == (named(mixed, values[0]), "By rule 2.")
    slot = first_gold(mixed, ana)

    one = take(mixed, ana, slot, values[0])
    other = take(mixed, ben, first_gold(mixed, ben), values[1])

    assert (one.right, other.right) == (True, False)
    assert (counts(mixed, ana), counts(mixed, ben)) == ((1, 1, 2), (1, 0, 2))
    gold.refresh_from_db()
    assert (gold.asked, gold.right) == (2, 1)
    assert counters(mixed) == {"done": 0, "labeled": 0, "disputed": 0, "disputes": 0}
    assert (Seat.objects.get(user=ana).labeled, Decision.objects.count()) == (1, 0)
    slot.refresh_from_db()
    assert (slot.state, slot.annotation) == (Slot.State.DONE, one)


@with_gold
def test_every_value_equals_itself_alone(key, mixed, values, ana):
    slot = first_gold(mixed, ana)

    assert [take(mixed, ana, slot, value).right for value in values] == [True] + [False] * (len(values) - 1)
    assert counts(mixed, ana) == (1, 0, 1)


@with_gold
def test_undo_takes_an_annotation_out_of_the_counts_and_another_takes_its_place(mixed, values, ana):
    slot, gold = first_gold(mixed, ana), Gold.objects.get(item__dataset=mixed.dataset)
    take(mixed, ana, slot, values[1])

    undone = undo(queue_id=mixed.uuid, actor=ana, client_key=uuid4())

    gold.refresh_from_db()
    assert (undone.slot, counts(mixed, ana), gold.asked) == (slot, (0, 0, 0), 0)
    take(mixed, ana, slot, values[0])
    gold.refresh_from_db()
    assert (counts(mixed, ana), gold.asked, gold.right) == ((1, 1, 1), 1, 1)
    take(mixed, ana, slot, values[1])
    gold.refresh_from_db()
    assert (counts(mixed, ana), gold.asked, gold.right) == ((1, 0, 1), 1, 0)
    assert Seat.objects.get(user=ana).labeled == 1


@with_gold
def test_with_results_shown_only_the_first_annotation_counts(mixed, values, ana, mia):
    mix_gold(queue_id=mixed.uuid, actor=mia, rate=30, feedback=True)
    slot = first_gold(mixed, ana)
    take(mixed, ana, slot, values[1])
    undo(queue_id=mixed.uuid, actor=ana, client_key=uuid4())

    take(mixed, ana, slot, values[0])

    assert counts(mixed, ana) == (1, 0, 1)
    assert count_gold(mixed, ana.pk).right == 0


@with_gold
def test_another_value_takes_the_place_of_the_first_and_judges_the_annotations_so_far(
    mixed, values, ana, ravi
):
    first, slot = Gold.objects.get(item__dataset=mixed.dataset), first_gold(mixed, ana)
    set_before = Event.objects.filter(verb=Verb.GOLD_SET).count()
    take(mixed, ana, slot, values[1])
    assert know(slot.item, ravi, values[0], explanation="By rule 2.") == first

    second = know(slot.item, ravi, values[1])

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.retired_by, first.explanation, second.retired_at) == (ravi, "By rule 2.", None)
    assert Decision.objects.count() == 0
    assert (value_of(second), second.asked, second.right) == (named(mixed, values[1]), 1, 1)
    assert Event.objects.filter(verb=Verb.GOLD_SET).count() == set_before + 1
    assert retire_gold(item_id=slot.item.uuid, actor=ravi) == second


@with_gold
def test_what_is_no_annotation_of_the_type_is_no_gold(key, queue, ravi):
    item = queue.dataset.items.order_by("id").first()

    for raw, code in EXAMPLES[key].bad:
        with pytest.raises(Refused) as refusal:
            make_gold(item_id=item.uuid, actor=ravi, value=raw)
        assert "value" in refusal.value.fields, code
    assert not Gold.objects.filter(item=item).exists()


@without_gold
def test_a_type_without_right_and_wrong_refuses_gold(queue, values, mia, ravi):
    item = queue.dataset.items.order_by("id").first()

    with refused(match="no gold items"):
        make_gold(item_id=item.uuid, actor=ravi, value=values[0])
    with refused("gold_rate") as refusal:
        mix_gold(queue_id=queue.uuid, actor=mia, rate=10)
    assert "no correct annotation" in refusal.value.fields["gold_rate"][0]

    queue.refresh_from_db()
    assert queue.gold_rate == 0
