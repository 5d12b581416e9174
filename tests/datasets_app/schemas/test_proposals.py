"""Annotators propose changes to the guideline; label managers include them in a version, or decline them with
a reason.
"""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.queues.models import Queue
from datasets_app.schemas.actions.proposals import decline_proposal, propose_change
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.models import GuidelineProposal, LabelSchema
from datasets_app.schemas.queries.labels import names_in
from datasets_app.schemas.queries.proposals import open_proposals, shown
from datasets_app.schemas.rules import LabelSpec
from lifecycle.ground.notices.models import Notice
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.labeling import LABELS, label_items, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
State = GuidelineProposal.State


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)


def ids(queue, *names) -> list[str]:
    known = {name: key for key, name in names_in(queue.schema).items()}
    return [known[name] for name in names]


def propose(queue, actor, text="Fees are billing.", **options) -> GuidelineProposal:
    item = queue_items(queue)[0]
    version = queue.schema.version
    return propose_change(
        dataset_id=queue.dataset.uuid, actor=actor, text=text, item_id=item.uuid, version=version, **options
    )


def publish(queue, actor, guideline, accepting=(), **options) -> LabelSchema:
    labels = [LabelSpec(name) for name in LABELS]
    return publish_schema(
        dataset_id=queue.dataset.uuid,
        actor=actor,
        labels=labels,
        guideline=guideline,
        accepting=accepting,
        **options,
    )


def url(name, queue, *more):
    return reverse(name, args=[queue.dataset.uuid, *more])


def test_a_proposal_is_about_a_version_its_labels_and_an_item(queue, ana):
    made = propose(queue, ana, labels=ids(queue, "billing", "card"))

    assert (made.schema, made.item, made.state) == (queue.schema, queue_items(queue)[0], State.OPEN)
    assert made.labels == ids(queue, "billing", "card")
    event = Event.objects.get(verb=Verb.CHANGE_PROPOSED)
    assert (event.actor, event.object_id) == (str(ana.uuid), str(made.uuid))
    assert "Fees" not in event.canonical
    assert propose(queue, ana, labels=ids(queue, "billing", "card")) == made  # sent twice
    assert Event.objects.filter(verb=Verb.CHANGE_PROPOSED).count() == 1


def test_invalid_proposals_are_refused_and_change_nothing(queue, project, mia, ana, aida, otto):
    other = make_queue(make_dataset(project, mia, ["three"], name="Other", slug="other"), mia)
    dataset, foreign = queue.dataset.uuid, queue_items(other)[0].uuid
    wrong = [
        {"text": " "},
        {"text": "x" * 2_001},
        {"text": "A rule.", "labels": [uuid4()]},
        {"text": "A rule.", "version": 9},
        {"text": "A rule.", "item_id": foreign},
    ]

    for given in wrong:
        with pytest.raises(Refused):
            propose_change(dataset_id=dataset, actor=ana, **given)
    for person in (aida, otto):
        with pytest.raises(PermissionDenied):
            propose(queue, person)

    assert GuidelineProposal.objects.count() == 0


def test_a_version_includes_proposals_and_their_authors_are_notified(queue, ana, ben, mia):
    included, remaining = propose(queue, ana), propose(queue, ben, "Cards are cards.")

    schema = publish(queue, mia, "Fees are billing.", accepting=[included.uuid], seen=1)

    included.refresh_from_db()
    remaining.refresh_from_db()
    assert (included.state, included.accepted_in, included.closed_by, remaining.state) == (
        State.ACCEPTED,
        schema,
        mia,
        State.OPEN,
    )
    notice = Notice.objects.get()
    assert (notice.user, notice.text) == (ana, "Version 2 of the guideline of Inbox includes your proposal.")
    assert notice.url == f"{url('schemas:schema_version', queue, 2)}#proposal-{included.uuid}"
    assert Event.objects.get(verb=Verb.PROPOSAL_ADOPTED).object_id == str(included.uuid)


def test_an_unchanged_version_cant_include_proposals(queue, ana, mia):
    made = propose(queue, ana)

    with refused("accepting"):
        publish(queue, mia, "", accepting=[made.uuid])

    made.refresh_from_db()
    assert (made.state, LabelSchema.objects.count(), Notice.objects.count()) == (State.OPEN, 1, 0)


def test_answered_proposals_and_those_of_another_dataset_arent_included(queue, project, ana, mia):
    declined = propose(queue, ana)
    decline_proposal(proposal_id=declined.uuid, actor=mia, reason="It is there already.")
    other = make_queue(make_dataset(project, mia, ["three"], name="Other", slug="other"), mia)
    foreign = propose(other, ana)

    for proposal in (declined, foreign):
        with pytest.raises(Conflict):
            publish(queue, mia, "Fees are billing.", accepting=[proposal.uuid])

    assert LabelSchema.objects.filter(dataset=queue.dataset).count() == 1
    assert GuidelineProposal.objects.filter(state=State.ACCEPTED).count() == 0


def test_a_proposal_is_declined_with_a_reason_for_its_author(queue, ana, ravi, client_for):
    made = propose(queue, ana)

    decline_proposal(proposal_id=made.uuid, actor=ravi, reason="Rule 3 says so.")

    made.refresh_from_db()
    assert (made.state, made.reason, made.closed_by) == (State.DECLINED, "Rule 3 says so.", ravi)
    notice = Notice.objects.get(user=ana)
    page = client_for(ana).get(notice.url).content
    assert f'id="proposal-{made.uuid}"'.encode() in page
    assert b"Rule 3 says so." in page
    assert Event.objects.get(verb=Verb.PROPOSAL_DECLINED).object_id == str(made.uuid)
    with refused(by=Conflict, naming=("declined",)):
        decline_proposal(proposal_id=made.uuid, actor=ravi, reason="Once more.")
    made.refresh_from_db()
    assert (made.reason, Notice.objects.count()) == ("Rule 3 says so.", 1)


def test_declining_needs_a_reason_and_permission_to_manage_labels(queue, ana, ravi):
    made = propose(queue, ana)

    with refused("reason"):
        decline_proposal(proposal_id=made.uuid, actor=ravi, reason=" ")
    with pytest.raises(PermissionDenied):
        decline_proposal(proposal_id=made.uuid, actor=ana, reason="No.")

    made.refresh_from_db()
    assert (made.state, made.reason) == (State.OPEN, "")


def test_the_review_prefills_the_disputed_labels(queue, ana, ben, ravi, client_for):
    label_items(queue, {ana: ["card"], ben: ["billing"]})
    given = {"queue": queue.uuid, "item": queue_items(queue)[0].uuid}

    page = client_for(ravi).get(url("queues:propose", queue), given | {"back": "review"})
    blind = client_for(ana).get(url("queues:propose", queue), given | {"back": "review"})

    assert sorted(page.context["form"].initial["labels"]) == sorted(ids(queue, "billing", "card"))
    assert "labels" not in blind.context["form"].initial  # annotators don't see other people's annotations


@pytest.mark.postgres
def test_the_form_creates_a_proposal_and_returns_to_the_review(queue, ana, ben, ravi, client_for):
    label_items(queue, {ana: ["card"], ben: ["billing"]})
    item = queue_items(queue)[0]
    sent = {
        "text": "Fees are billing.",
        "labels": ids(queue, "billing"),
        "queue": queue.uuid,
        "item": item.uuid,
        "back": "review",
    }

    empty = client_for(ravi).post(url("queues:propose", queue), sent | {"text": ""})
    done = client_for(ravi).post(url("queues:propose", queue), sent)

    assert (empty.status_code, list(empty.context["form"].errors)) == (422, ["text"])
    assert done["Location"] == f"{reverse('review:review', args=[queue.uuid])}?item={item.uuid}"
    assert GuidelineProposal.objects.get().labels == ids(queue, "billing")


@pytest.mark.postgres
def test_label_managers_include_and_decline_proposals_on_the_label_page(queue, ana, ben, mia, client_for):
    included, declined = (
        propose(queue, ana, labels=ids(queue, "billing")),
        propose(queue, ben, "Cards are cards."),
    )
    shown = client_for(mia).get(url("schemas:schema", queue))
    page = shown.content
    assert {each.proposal for each in shown.context["proposals"]} == {included, declined}
    assert b'id="proposals"' in page
    assert f'value="{included.uuid}"'.encode() in page

    client_for(mia).post(reverse("schemas:decline_proposal", args=[declined.uuid]), {"reason": "They are."})
    sent = {"classes": "billing\ncard", "guideline": "Fees.", "seen": 1, "accepting": [str(included.uuid)]}
    # a dropped label needs confirmation; the selection stays
    dropping = client_for(mia).post(url("schemas:schema", queue), sent)
    client_for(mia).post(url("schemas:schema", queue), sent | {"dropping": "transfer"})

    assert dropping.status_code == 422
    assert dropping.context["ticked"] == [str(included.uuid)]
    included.refresh_from_db()
    assert included.accepted_in.version == 2
    second = client_for(ben).get(url("schemas:schema_version", queue, 2))
    history = second.content
    assert [each.proposal for each in second.context["accepted"]] == [included]
    assert b"Fees are billing." in history
    assert b"Cards are cards." not in history


def test_others_see_only_their_own_proposals(queue, ana, ben, client_for):
    propose(queue, ana)

    assert b"Fees are billing." in client_for(ana).get(url("schemas:schema", queue)).content
    assert b"Fees are billing." not in client_for(ben).get(url("schemas:schema", queue)).content


def test_people_who_may_not_read_samples_see_proposals_without_examples(queue, ana, lee, client_for):
    propose(queue, ana)

    page = client_for(lee).get(url("schemas:schema", queue)).content

    assert b"Fees are billing." in page
    assert queue_items(queue)[0].digest[:8].encode() in page
    assert b">one<" not in page


@pytest.mark.parametrize("count", [1, 4])
def test_proposals_take_a_constant_number_of_queries(queue, ana, mia, count, django_assert_num_queries):
    for n in range(count):
        propose(queue, ana, f"Rule {n}.", labels=ids(queue, "billing"))

    with django_assert_num_queries(3):
        assert len(shown(queue.dataset, open_proposals(queue.dataset), mia)) == count


def test_the_form_refuses_items_outside_its_queue(queue, project, mia, ana, client_for):
    item = queue_items(queue)[0].uuid
    other = make_queue(make_dataset(project, mia, ["three"], name="Other", slug="other"), mia)
    narrow = make_queue(
        queue.dataset, mia, name="Narrow", source="items", item_ids=[queue_items(queue)[1].pk]
    )

    for given in ({"item": item}, {"queue": other.uuid, "item": item}, {"queue": narrow.uuid, "item": item}):
        answer = client_for(ana).post(url("queues:propose", queue), {"text": "A rule."} | given)
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["item"])

    assert not GuidelineProposal.objects.exists()


@pytest.mark.postgres
def test_the_api_proposes_lists_declines_and_publishes(queue, ana, ben, mia, client_for):
    where = reverse("api-labeling-proposals", args=[queue.dataset.uuid])

    def post(person, address, **data):
        return client_for(person).post(address, data, content_type="application/json")

    first = post(ana, where, text="Fees are billing.", labels=ids(queue, "billing")).json()
    second = post(ben, where, text="Cards are cards.").json()
    assert [row["by"] for row in client_for(mia).get(where).json()["results"]] == ["ben", "ana"]
    assert [row["by"] for row in client_for(ana).get(where, {"state": "open"}).json()["results"]] == ["ana"]

    decline = reverse("api-labeling-decline-proposal", args=[second["uuid"]])
    assert post(ben, decline, reason="No.").status_code == 403
    assert post(mia, decline, reason="They are.").json()["state"] == "declined"
    schemas = reverse("api-labeling-schemas", args=[queue.dataset.uuid])
    labels = [{"name": name} for name in LABELS]
    assert post(mia, schemas, labels=labels, guideline="Fees.", accepting=[first["uuid"]]).status_code == 201
    assert client_for(ana).get(where).json()["results"][0]["accepted_in"] == 2
