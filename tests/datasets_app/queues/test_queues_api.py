"""Queues over REST: found by dataset, name and state, read with their people, paused, resumed and closed."""

import pytest
from django.urls import reverse

from datasets_app.queues.actions.managing import pause_queue
from datasets_app.queues.models import Queue
from datasets_app.review.actions.checks import start_check
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.labeling import label_items, make_dataset, make_queue

pytestmark = pytest.mark.django_db
LIST = "api-labeling-queues"


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["one", "two"]), mia)


def move(client, queue, name):
    return client.post(reverse(f"api-labeling-{name}-queue", args=[queue.uuid]))


def test_queues_are_found_by_dataset_project_name_and_state(project, queue, mia, client_for):
    other = make_queue(make_dataset(project, mia, ["three"], name="Outbox", slug="outbox"), mia)
    pause_queue(queue_id=other.uuid, actor=mia)

    def found(**filters):
        return [row["uuid"] for row in client_for(mia).get(reverse(LIST), filters).json()["results"]]

    first, second = str(queue.uuid), str(other.uuid)
    assert found() == [second, first]
    assert found(name="Batch 1", project=project.uuid) == [second, first]
    assert found(dataset=queue.dataset.uuid) == [first]
    assert found(state="paused") == [second]
    assert found(name="Batch 2") == []
    wrong = client_for(mia).get(reverse(LIST), {"state": "lost", "dataset": "x"})
    assert (wrong.status_code, sorted(wrong.json()["fields"])) == (400, ["dataset", "state"])


def test_one_queue_lists_its_assigned_annotators(queue, mia, ana, ben, client_for):
    named = make_queue(queue.dataset, mia, name="Batch 2", people=[ben, ana])

    found = client_for(ana).get(reverse("api-labeling-queue", args=[named.uuid])).json()
    free = client_for(ana).get(reverse("api-labeling-queue", args=[queue.uuid])).json()

    assert [(each["uuid"], each["username"]) for each in found["people"]] == [
        (str(ana.uuid), "ana"),
        (str(ben.uuid), "ben"),
    ]
    assert (found["source"], free["people"]) == ("unlabeled", [])


def test_whom_a_queue_can_be_opened_for_is_listed_by_name(queue, mia, ana, ben, aida, client_for):
    found = client_for(mia).get(reverse("api-labeling-annotators", args=[queue.dataset.uuid]))

    assert [each["username"] for each in found.json()] == ["ana", "ben", "mia"]


@pytest.mark.postgres
def test_a_queue_is_paused_resumed_and_closed_each_once_however_often_it_is_sent(queue, mia, client_for):
    client = client_for(mia)

    states = [
        move(client, queue, name).json()["state"] for name in ("pause", "pause", "resume", "close", "close")
    ]

    assert states == ["paused", "paused", "open", "closed", "closed"]
    assert Event.objects.filter(verb=Verb.QUEUE_CHANGED).count() == 2
    assert Event.objects.filter(verb=Verb.QUEUE_CLOSED).count() == 1
    again = move(client, queue, "resume")
    assert (again.status_code, again.json()["message"]) == (
        409,
        "This queue is closed and can no longer become open. Reload the page.",
    )


@pytest.mark.parametrize(("name", "status"), [("ana", 403), ("gita", 403), ("otto", 404)])
def test_others_change_no_queue_and_list_no_one(queue, name, status, client_for, request):
    client = client_for(request.getfixturevalue(name))
    before = Event.objects.count()

    assert [move(client, queue, each).status_code for each in ("pause", "resume", "close")] == [status] * 3
    assert client.get(reverse("api-labeling-annotators", args=[queue.dataset.uuid])).status_code == status
    queue.refresh_from_db()
    assert (queue.state, Event.objects.count()) == ("open", before)


def test_waiting_items_are_returned_with_the_open_check(project, mia, ana, ben, ravi, client_for):
    queue = make_queue(make_dataset(project, mia, ["a", "b", "c"]), mia, overlap=2, acceptance="reviewer")
    label_items(queue, {ana: ["card"] * 3, ben: ["card"] * 3})
    where = f"/api/v1/labeling/queues/{queue.uuid}/checks/"

    assert client_for(ravi).get(where).json() == {"waiting": 3, "check": None}
    check = start_check(queue_id=queue.uuid, actor=ravi, size=2, tolerated=0)

    found = client_for(ravi).get(where).json()
    assert (found["waiting"], found["check"]["uuid"], len(found["check"]["to_review"])) == (
        3,
        str(check.uuid),
        2,
    )
    assert client_for(ana).get(where).status_code == 403
