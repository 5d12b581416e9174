"""The order, due date, and annotators of an open queue can change; assigned items stay assigned."""

from __future__ import annotations

import json
from datetime import date

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.prelabels.actions import suggestions
from datasets_app.queues.actions import ordering
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.actions.managing import change_queue, close_queue
from datasets_app.queues.models import Queue
from datasets_app.queues.rules import random_place
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, answer, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
TEXTS = [f"text {n}" for n in range(8)]


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, TEXTS), mia)


def change(queue, actor, *, order="given", due_on=None, people=()) -> Queue:
    return change_queue(queue_id=queue.uuid, actor=actor, order=order, due_on=due_on, people=people)


def handed_out(queue, user, k=8) -> list[str]:
    return [slot.item.text for slot in claim(queue_id=queue.uuid, actor=user, k=k)]


def suggest(queue, scores, digest="a" * 64):
    rows = [(item.pk, "card", score) for item, score in zip(queue_items(queue), scores, strict=True)]
    suggestions.suggest(
        dataset=queue.dataset, rows=rows, source="run", source_digest=digest, source_name="run 7"
    )


def changes() -> list[dict]:
    rows = Event.objects.filter(verb="labeling.queue_changed").order_by("id")
    return [json.loads(event.canonical)["payload"] for event in rows]


@pytest.mark.postgres
def test_what_is_open_is_put_in_each_order_and_back_again(queue, mia, ana):
    suggest(queue, [0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    by_chance = sorted(
        TEXTS, key=lambda text: random_place(queue.uuid, queue.dataset.items.get(text=text).pk)
    )
    for order, expected in (("uncertain", TEXTS[::-1]), ("random", by_chance), ("given", TEXTS)):
        change(queue, mia, order=order)
        run_ok("default")
        assert handed_out(queue, ana) == expected
        release(queue_id=queue.uuid, actor=ana)


def test_assigned_items_stay_assigned_and_come_first(queue, mia, ana, ben):
    suggest(queue, [0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert handed_out(queue, ana, 2) == ["text 0", "text 1"]

    change(queue, mia, order="uncertain")
    run_ok("default")

    assert handed_out(queue, ana, 3) == ["text 0", "text 1", "text 7"]
    assert handed_out(queue, ben, 2) == ["text 6", "text 5"]


def test_removed_annotators_keep_their_items_and_get_no_new_ones(queue, mia, ana, ben):
    held = claim(queue_id=queue.uuid, actor=ana, k=2)
    change(queue, mia, people=[ben])

    assert handed_out(queue, ana, 5) == ["text 0", "text 1"]
    answer(queue, ana, held[0].item, "card")
    answer(queue, ana, held[1].item, "card")
    with pytest.raises(Conflict):
        claim(queue_id=queue.uuid, actor=ana)
    assert handed_out(queue, ben, 2) == ["text 2", "text 3"]
    assert queue.annotations.count() == 2


def test_a_change_is_audited_with_old_and_new_values_and_a_repeat_is_not(queue, mia, ana):
    change(queue, mia, order="random", due_on=date(2030, 5, 1), people=[ana])
    change(queue, mia, order="random", due_on=date(2030, 5, 1), people=[ana])

    assert [(each["old"], each["new"]) for each in changes()] == [
        (
            {"order": "given", "due_on": None, "people": []},
            {"order": "random", "due_on": "2030-05-01", "people": [str(ana.uuid)]},
        )
    ]
    assert Job.objects.filter(kind="queues.reorder").count() == 1


def test_a_new_day_alone_orders_nothing(queue, mia):
    change(queue, mia, due_on=date(2030, 5, 1))
    assert Queue.objects.get().due_on == date(2030, 5, 1)
    assert not Job.objects.filter(kind="queues.reorder").exists()


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"order": "alphabetical"}, "order"), ({"order": "model"}, "order"), ({"people": ["otto"]}, "people")],
)
def test_invalid_settings_are_refused_and_change_nothing(queue, mia, request, asked, field):
    people = [request.getfixturevalue(name) for name in asked.pop("people", [])]
    with pytest.raises(Refused) as refusal:
        change(queue, mia, people=people, **asked, due_on=date(2030, 5, 1))

    assert list(refusal.value.fields) == [field]
    found = Queue.objects.get()
    assert (found.order, found.due_on, found.people.count()) == ("given", None, 0)
    assert changes() == []
    assert not Job.objects.filter(kind="queues.reorder").exists()


def test_too_few_people_for_the_overlap_are_refused(project, mia, ana):
    queue = make_queue(make_dataset(project, mia, TEXTS), mia, overlap=2)
    with refused("people"):
        change(queue, mia, people=[ana])
    assert (changes(), Queue.objects.get().people.count()) == ([], 0)


@pytest.mark.postgres
def test_a_closed_queue_and_an_unfit_role_change_nothing(queue, mia, ana):
    with pytest.raises(PermissionDenied):
        change(queue, ana, order="random")
    close_queue(queue_id=queue.uuid, actor=mia)
    with refused(by=Conflict):
        change(queue, mia, order="random")
    assert Queue.objects.get().order == "given"


def test_a_job_of_an_order_that_is_no_longer_wanted_leaves_the_slots_alone(queue, mia, monkeypatch):
    change(queue, mia, order="random")
    change(queue, mia, order="given")
    run_ok("default")
    assert set(queue.slots.values_list("priority", flat=True)) == {0}


@pytest.mark.postgres
def test_a_batch_during_which_the_order_is_changed_is_taken_back(queue, mia, monkeypatch):
    change(queue, mia, order="random")
    before = sorted(queue.slots.values_list("pk", "priority"))
    put = ordering.put_in_place

    def meanwhile(batch, places):
        put(batch, places)
        Queue.objects.update(order="given")

    monkeypatch.setattr(ordering, "put_in_place", meanwhile)
    run_ok("default")

    assert sorted(queue.slots.values_list("pk", "priority")) == before


def test_a_queue_that_is_still_being_filled_goes_on_in_the_new_order(project, mia, monkeypatch):
    monkeypatch.setattr("datasets_app.queues.actions.opening.AT_ONCE", 1)
    dataset = make_dataset(project, mia, TEXTS)
    queue = make_queue(dataset, mia)
    add_items(dataset, mia, ["one more"])
    change(queue, mia, order="random")
    run_ok("default")

    assert dict(queue.slots.values_list("item", "priority")) == {
        item.pk: random_place(queue.uuid, item.pk) for item in queue_items(queue)
    }


# ── Pages and API ───────────────────────────────────────────────────────────
@pytest.mark.postgres
def test_the_page_changes_a_queue_and_shows_errors(queue, mia, ana, client_for):
    client, url = client_for(mia), reverse("queues:change_queue", args=[queue.uuid])
    page = reverse("queues:queue", args=[queue.uuid])
    assert f'action="{url}"' in client.get(page).content.decode()
    assert f'action="{url}"' not in client_for(ana).get(page).content.decode()
    assert 'value="model"' not in client.get(page).content.decode()
    assert 'value="random"' in client.get(page).content.decode()

    sent = client.post(url, {"order": "random", "due_on": "2030-05-01", "people": [str(ana.uuid)]})
    assert (sent.status_code, sent["Location"]) == (302, page)
    found = Queue.objects.get()
    assert (found.order, found.due_on, list(found.people.all())) == ("random", date(2030, 5, 1), [ana])
    refused = client.post(url, {"order": "random", "due_on": "no day"})
    assert (refused.status_code, list(refused.context["change"].errors)) == (422, ["due_on"])
    assert 'id="change_due_on_error"' in refused.content.decode()
    assert list(Queue.objects.get().people.all()) == [ana]


@pytest.mark.postgres
def test_the_api_changes_a_queue(queue, mia, ana, ravi, client_for):
    url = f"/api/v1/labeling/queues/{queue.uuid}/"
    body = {"order": "disputed", "due_on": None, "people": [str(ana.uuid)]}
    done = client_for(mia).put(url, body, content_type="application/json")
    assert (done.status_code, done.json()["order"]) == (200, "disputed")
    wrong = client_for(mia).put(url, {**body, "people": [str(queue.uuid)]}, content_type="application/json")
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["people"])
    assert client_for(ana).put(url, body, content_type="application/json").status_code == 403
    assert list(Queue.objects.get().people.all()) == [ana]
