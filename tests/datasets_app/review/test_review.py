"""Reviewers settle disagreements, never their own answers, and their decisions are in the trail."""

import re

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.prelabels.actions.suggestions import suggest
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.actions.managing import prefer
from datasets_app.queues.models import Comment, Decision, Dispute, Queue, Slot
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.decisions import current_decision, current_decisions
from datasets_app.review.actions.reviews import decide, return_to_annotators, undo_decision
from datasets_app.review.queries.review import case, pair_history
from datasets_app.schemas.queries.labels import names_in
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.labeling import answer, label_items, label_value, make_dataset, make_queue, queue_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia, ana, lee) -> Queue:
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)
    label_items(queue, {ana: ["card", "card"], lee: ["billing", "card"]})
    return queue


def label(queue, name):
    return queue.schema.labels.get(name=name)


def settle(queue, actor, name="card", **options):
    item = queue_items(queue)[0]
    return decide(
        queue_id=queue.uuid, item_id=item.uuid, actor=actor, value=label_value(label(queue, name)), **options
    )


def test_accepting_an_answer_settles_the_dispute(queue, ravi):
    decision = settle(queue, ravi)

    queue.refresh_from_db()
    assert (decision.how, decision.by, decision.annotations.count()) == ("adjudicated", ravi, 2)
    assert (queue.items_decided, queue.items_disputed, queue.disputes_total) == (2, 0, 1)
    assert Dispute.objects.get().state == Dispute.State.SETTLED
    event = Event.objects.get(verb=Verb.LABEL_RESOLVED)
    assert (event.actor, event.object_id) == (str(ravi.uuid), str(decision.uuid))


def test_another_class_needs_a_reason(queue, ravi):
    with pytest.raises(Refused, match="reason is needed"):
        settle(queue, ravi, "transfer")

    assert Decision.objects.filter(how="adjudicated").count() == 0
    assert settle(queue, ravi, "transfer", reason="It is a transfer.").label.name == "transfer"


def test_no_one_resolves_items_they_annotated(project, mia, ana, ravi):
    queue = make_queue(make_dataset(project, mia, ["one"]), mia, overlap=2)
    label_items(queue, {ana: ["card"], ravi: ["billing"]})

    with pytest.raises(Refused, match="You annotated this item yourself"):
        settle(queue, ravi)

    queue.refresh_from_db()
    assert (Decision.objects.count(), queue.items_disputed) == (0, 1)


@pytest.mark.parametrize("person", ["ana", "mia", "lee", "gita", "otto", "omar"])
def test_only_adjudicators_settle(queue, person, request):
    with pytest.raises(PermissionDenied):
        settle(queue, request.getfixturevalue(person))

    assert Decision.objects.filter(how="adjudicated").count() == 0


@pytest.mark.postgres
def test_a_stale_page_decides_nothing(queue, ravi, ana, lee):
    item = queue_items(queue)[0]
    seen = case(queue, item, ravi).seen
    answer(queue, ana, item, "transfer")

    with pytest.raises(Conflict, match="changed while you were reading"):
        settle(queue, ravi, seen=seen)

    assert Decision.objects.filter(how="adjudicated").count() == 0


def test_a_returned_item_comes_first_to_the_same_people_with_the_comment(queue, ravi, ana, lee):
    item = queue_items(queue)[0]

    assert (
        return_to_annotators(queue_id=queue.uuid, item_id=item.uuid, actor=ravi, comment="Read rule 2.") == 2
    )

    queue.refresh_from_db()
    assert (queue.slots_done, queue.items_disputed, queue.disputes_total) == (2, 0, 0)
    slots = claim(queue_id=queue.uuid, actor=ana)
    shown = bench_items(queue, slots, ana)
    assert [(row["text"], row["note"], row["previous"]) for row in shown] == [
        ("one", "Read rule 2.", label_value(label(queue, "card")))
    ]
    assert release(queue_id=queue.uuid, actor=ana) == 0

    label_items(queue, {ana: ["billing"], lee: ["billing"]}, [item])
    assert [d.label.name for d in current_decisions(queue.dataset).filter(item=item)] == ["billing"]
    assert queue.items_decided == 2


def test_returning_needs_a_comment(queue, ravi):
    item = queue_items(queue)[0]

    with pytest.raises(Refused, match="comment is empty"):
        return_to_annotators(queue_id=queue.uuid, item_id=item.uuid, actor=ravi, comment=" ")

    assert Slot.objects.filter(state=Slot.State.DONE).count() == 4
    assert Comment.objects.count() == 0


@pytest.mark.postgres
def test_an_undone_decision_is_disputed_again(queue, ravi):
    settle(queue, ravi)

    item = undo_decision(queue_id=queue.uuid, actor=ravi)

    queue.refresh_from_db()
    assert item == queue_items(queue)[0]
    assert (queue.items_decided, queue.items_disputed, queue.disputes_total) == (1, 1, 1)
    assert current_decision(item) is None


def test_the_pair_remembers_how_it_was_settled(queue, ravi):
    settle(queue, ravi)
    history = pair_history(queue, Dispute.objects.get().pair, names_in(queue.schema))

    assert (history.total, history.settled, history.leading, history.leading_count) == (1, 1, "card", 1)


def test_the_page_settles_without_a_script_and_goes_on(queue, ravi, client_for):
    client = client_for(ravi)
    item = queue_items(queue)[0]
    page = client.get(reverse("review:review", args=[queue.uuid]))
    assert page.status_code == 200
    assert 'id="decide"' in page.content.decode()
    assert not re.search(r"\bana\b", page.content.decode(), re.IGNORECASE)

    sent = {"item": item.uuid, "label": label(queue, "card").uuid, "seen": page.context["case"].seen}
    answer_ = client.post(reverse("review:decide", args=[queue.uuid]), sent, follow=True)

    undo = f'action="{reverse("review:undo_decision", args=[queue.uuid])}"'
    assert (answer_.context["queue"].items_disputed, undo in answer_.content.decode()) == (0, True)
    assert 'id="decide"' not in answer_.content.decode()
    assert current_decision(item).label.name == "card"


def test_an_unknown_typed_label_is_a_field_error(queue, ravi, client_for):
    item = queue_items(queue)[0]
    answer_ = client_for(ravi).post(
        reverse("review:decide", args=[queue.uuid]), {"item": item.uuid, "other": "crad", "reason": "x"}
    )

    assert (answer_.status_code, list(answer_.context["form"].errors)) == (422, ["other"])
    assert current_decision(item) is None


def test_an_analyst_gets_403_and_a_stranger_404(queue, ana, otto, client_for):
    url = reverse("review:review", args=[queue.uuid])

    assert client_for(ana).get(url).status_code == 403
    assert client_for(otto).get(url).status_code == 404


@pytest.mark.postgres
def test_a_reviewer_sees_first_what_the_queue_wants_shown_first(queue, mia, ravi):
    item = queue_items(queue)[0]
    for at, (source, name, suggested) in enumerate(
        (("run", "Run 7", "card"), ("model", "Model 2", "billing"))
    ):
        suggest(
            dataset=queue.dataset,
            rows=[(item.pk, suggested, 0.9)],
            source=source,
            source_digest=str(at) * 64,
            source_name=name,
        )

    shown = [case(queue, item, ravi).source]
    queue = prefer(queue_id=queue.uuid, actor=mia, source="run")
    shown.append(case(queue, item, ravi).source)

    assert shown == ["Model 2", "Run 7"]
