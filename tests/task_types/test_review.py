"""Disagreements about items of every type are settled, sent back, and taken up again by the same rules."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from django.urls import reverse

from datasets_app.queues.actions.claims import claim
from datasets_app.queues.models import Comment, Decision, Dispute, Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.decisions import annotators_of
from datasets_app.queues.task_types.by_key import widget_of
from datasets_app.review.actions.reviews import adjudicate, return_to_annotators, undo_decision
from datasets_app.review.queries.review import case
from datasets_app.schemas.queries.labels import names_in
from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.task_types.answers import canonical
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.values import words
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.labeling import adjudicators_of, annotate, annotate_items, make_queue, named, queue_items
from tests.support.unchanged import refused
from tests.task_types.examples import values_of
from tests.task_types.labeled import as_shown, counters, decided

pytestmark = pytest.mark.django_db


@pytest.fixture
def disputed_of_each_type(queue_of_each_type, ana, ben) -> dict[str, UUID]:
    """The queue of every type: Ana and Ben differ on its first item and agree on the second."""
    for key, (one, other, *_) in ((key, values_of(key)) for key in queue_of_each_type):
        queue = Queue.objects.get(uuid=queue_of_each_type[key])
        annotate_items(queue, {ana: [one, one], ben: [other, one]})
    return queue_of_each_type


@pytest.fixture
def disputed(key, disputed_of_each_type) -> Queue:
    return Queue.objects.select_related("dataset", "schema").get(uuid=disputed_of_each_type[key])


def settle(queue, actor, value, **options) -> Decision:
    """Decide the first item."""
    item = queue_items(queue)[0]
    return adjudicate(
        queue_id=queue.uuid, item_id=item.uuid, actor=actor, value=named(queue, value), **options
    )


# ── Disagreements ───────────────────────────────────────────────────────────
def test_a_reviewer_sees_each_annotation_in_words_without_its_author(key, disputed, values, ravi, client_for):
    item, names = queue_items(disputed)[0], names_in(disputed.schema)

    page = client_for(ravi).get(reverse("review:review", args=[disputed.uuid]), {"item": item.uuid})

    found, pair = page.context["case"], [named(disputed, value) for value in values[:2]]
    assert [(each.letter, each.value, each.posted, each.words) for each in found.columns] == [
        (letter, value, canonical(value), words(value, names, item.text))
        for letter, value in zip("AB", pair, strict=True)
    ]
    assert (found.current, found.likely, found.own) == (None, "", False)
    merged = type_of(key).answers.merge(pair)
    assert (found.merged and found.merged.posted) == (
        canonical(merged) if merged is not None and merged not in pair else None
    )
    assert found.fields == widget_of(key).fields(pair[0], item.text, names)
    assert re.search(r"\b(ana|ben)\b", page.content.decode(), re.IGNORECASE) is None


def test_accepting_an_annotation_settles_the_dispute(disputed, values, ravi):
    decision = settle(disputed, ravi, values[1])

    assert decided(disputed) == [(values[1], "adjudicated", ravi, 2), (values[0], "unanimous", None, 2)]
    assert counters(disputed) == {"done": 4, "labeled": 2, "disputed": 0, "disputes": 1}
    ended = Dispute.objects.get(queue=disputed)
    assert (ended.state, ended.decision) == (Dispute.State.SETTLED, decision)
    event = Event.objects.get(verb=Verb.LABEL_RESOLVED)
    assert (event.actor, event.object_id) == (str(ravi.uuid), str(decision.uuid))


def test_another_value_needs_a_reason(disputed, values, ravi):
    with refused("reason", match="reason is needed"):
        settle(disputed, ravi, values[2])
    settle(disputed, ravi, values[2], reason="By the guideline.")

    assert decided(disputed)[0] == (values[2], "adjudicated", ravi, 2)
    assert Decision.objects.get(how="adjudicated").reason == "By the guideline."


def test_the_page_settles_without_a_script(disputed, values, ravi, client_for):
    item, client = queue_items(disputed)[0], client_for(ravi)
    page = client.get(reverse("review:review", args=[disputed.uuid]))
    assert 'id="decide"' in page.content.decode()
    found = page.context["case"]
    sent = {"item": item.uuid, "value": found.columns[1].posted, "seen": found.seen}

    page = client.post(reverse("review:adjudicate", args=[disputed.uuid]), sent, follow=True)

    assert decided(disputed)[0] == (values[1], "adjudicated", ravi, 2)
    assert page.context["queue"].items_disputed == 0
    assert 'id="decide"' not in page.content.decode()
    assert f'action="{reverse("review:undo_decision", args=[disputed.uuid])}"' in page.content.decode()


def test_no_one_resolves_an_item_they_annotated(queue, values, ana, ravi):
    item = queue_items(queue)[0]
    for person, value in ((ana, values[0]), (ravi, values[1])):
        annotate(queue, person, item, value)

    with refused(match="You annotated this item yourself"):
        settle(queue, ravi, values[0])

    assert counters(queue) == {"done": 2, "labeled": 0, "disputed": 1, "disputes": 1}


@pytest.mark.postgres
def test_a_stale_page_decides_nothing(disputed, values, ravi, ana):
    item = queue_items(disputed)[0]
    seen = case(disputed, item, ravi).seen
    annotate(disputed, ana, item, values[2])

    with pytest.raises(Conflict, match="changed while you were reading"):
        settle(disputed, ravi, values[0], seen=seen)

    assert not Decision.objects.filter(how="adjudicated").exists()


def test_a_returned_item_comes_first_to_the_same_people_with_comment_and_value(
    disputed, values, ravi, ana, ben
):
    item = queue_items(disputed)[0]
    sent = {"queue_id": disputed.uuid, "item_id": item.uuid, "actor": ravi}
    with refused("text", match="comment is empty"):
        return_to_annotators(**sent, comment=" ")
    assert counters(disputed)["done"] == 4

    assert return_to_annotators(**sent, comment="Read rule 2.") == 2

    assert counters(disputed) == {"done": 2, "labeled": 1, "disputed": 0, "disputes": 0}
    assert Comment.objects.get().text == "Read rule 2."
    for person, value in ((ana, values[0]), (ben, values[1])):
        slots = claim(queue_id=disputed.uuid, actor=person, k=1)
        (shown,) = bench_items(disputed, slots, person)
        assert (shown["text"], shown["note"]) == (item.text, "Read rule 2.")
        assert shown["previous"] == as_shown(disputed, value)
    for person in (ana, ben):
        annotate(disputed, person, item, values[1])
    assert decided(disputed)[0] == (values[1], "unanimous", None, 2)
    assert counters(disputed)["labeled"] == 2


@pytest.mark.postgres
def test_an_undone_decision_is_disputed_again(disputed, values, ravi):
    settle(disputed, ravi, values[0])

    item = undo_decision(queue_id=disputed.uuid, actor=ravi)

    assert item == queue_items(disputed)[0]
    assert decided(disputed) == [(values[0], "unanimous", None, 2)]
    assert counters(disputed) == {"done": 4, "labeled": 1, "disputed": 1, "disputes": 1}


def test_decisions_chain_and_a_rule_never_overrules_a_person(single_queue, values, mia, ana, ravi):
    queue, item = single_queue, queue_items(single_queue)[0]
    annotate(queue, ana, item, values[0])
    settle(queue, ravi, values[1], reason="By the guideline.")
    again = make_queue(queue.dataset, mia, name="Again", source="all")

    annotate(again, ana, item, values[2])

    first, second = Decision.objects.order_by("id")
    assert (second.supersedes, first.digest == second.digest) == (first, False)
    assert (adjudicators_of([item.pk]), annotators_of([item.pk])) == ({ravi.pk}, {ana.pk})
    assert decided(queue) == [(values[1], "adjudicated", ravi, 1)]
    assert counters(again) == {"done": 1, "labeled": 0, "disputed": 1, "disputes": 1}
