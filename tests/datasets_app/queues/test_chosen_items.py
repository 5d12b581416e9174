"""Items that were ticked on the items page, or named over the API, become a queue."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Queue
from datasets_app.queues.rules import random_place
from registry.ground.ledger.models import Event
from tests.support.labeling import add_items, make_dataset, make_schema
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
TEXTS = [f"text {n}" for n in range(6)]


@pytest.fixture
def dataset(project, ravi):
    made = make_dataset(project, ravi, TEXTS)
    make_schema(made, ravi)
    return made


def items(dataset, *numbers):
    rows = list(dataset.items.order_by("id"))
    return [rows[number] for number in numbers]


def handed_out(queue, user) -> list[str]:
    return [slot.item.text for slot in claim(queue_id=queue.uuid, actor=user, k=6)]


def test_the_items_page_has_checkboxes_only_for_those_who_open_queues(dataset, ravi, ana, client_for):
    url = reverse("datasets:dataset", args=[dataset.uuid])
    page = client_for(ravi).get(url).content.decode()

    assert (
        '<form id="pick" class="row gap-3" method="get"'
        f' action="{reverse("queues:open", args=[dataset.uuid])}"' in page
    )
    assert page.count('form="pick"') == 6
    assert 'form="pick"' not in client_for(ana).get(url).content.decode()
    assert 'form="pick"' in client_for(ravi).get(url, headers={"HX-Request": "true"}).content.decode()


def test_ticked_items_are_opened_as_a_queue_that_takes_nothing_else(dataset, ravi, ana, client_for):
    client, url = client_for(ravi), reverse("queues:open", args=[dataset.uuid])
    ticked = [str(item.uuid) for item in items(dataset, 4, 1)]
    form = client.get(url, {"item": ticked}).content.decode()
    assert all(f'<input type="hidden" name="item" value="{uuid}"' in form for uuid in ticked)
    assert [source for source in Queue.Source if f'value="{source}"' in form] == ["items"]

    posted = {
        "name": "Looked at twice",
        "source": "items",
        "item": ticked,
        "overlap": "2",
        "hidden_share": "0",
        "order": "given",
    }
    answered = client.post(url, posted)
    queue = Queue.objects.get()
    assert answered["Location"] == reverse("queues:queue", args=[queue.uuid])
    assert (queue.source, queue.items_total, queue.slots_total, queue.filled_at is not None) == (
        "items",
        2,
        4,
        True,
    )
    assert handed_out(queue, ana) == ["text 1", "text 4"]


@pytest.mark.postgres
def test_preselected_items_of_another_dataset_are_ignored(dataset, project, ravi, client_for):
    other = make_dataset(project, ravi, ["elsewhere"], name="Other", slug="other")
    add_items(dataset, ravi, ["not accepted"], imported=False)
    hidden = dataset.items.get(text="not accepted")
    asked = [str(other.items.get().uuid), str(hidden.uuid), "no uuid", "\x00"]

    form = client_for(ravi).get(reverse("queues:open", args=[dataset.uuid]), {"item": asked}).content.decode()
    assert 'name="item"' not in form
    assert ['value="unlabeled"' in form, 'value="items"' in form] == [True, False]
    posted = {"name": "x", "source": "items", "item": asked[:2], "overlap": "1", "hidden_share": "0"}
    assert client_for(ravi).post(reverse("queues:open", args=[dataset.uuid]), posted).status_code == 422
    assert not Queue.objects.exists()


def test_the_form_reports_that_selected_items_need_too_many_annotations(
    dataset, ravi, client_for, monkeypatch
):
    monkeypatch.setattr("datasets_app.queues.actions.opening.BATCH", 5)
    posted = {
        "name": "x",
        "source": "items",
        "item": [str(item.uuid) for item in items(dataset, 0, 1, 2)],
        "overlap": "2",
        "hidden_share": "0",
    }
    refused = client_for(ravi).post(reverse("queues:open", args=[dataset.uuid]), posted)

    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["source"])
    assert not Queue.objects.exists()


@pytest.mark.postgres
def test_items_are_named_over_the_api_in_the_order_in_which_they_are_handed_out(
    dataset, ravi, ana, client_for
):
    asked = [str(item.uuid) for item in items(dataset, 5, 0, 3)]
    body = {"dataset": str(dataset.uuid), "name": "Three", "source": "items", "items": [*asked, asked[0]]}
    made = client_for(ravi).post("/api/v1/labeling/queues/", body, content_type="application/json")

    assert (made.status_code, made.json()["items_total"]) == (201, 3)
    assert handed_out(Queue.objects.get(), ana) == ["text 5", "text 0", "text 3"]
    opened = json.loads(Event.objects.get(verb="labeling.queue_opened").canonical)["payload"]
    assert opened["source"] == "items"


def test_the_api_refuses_items_of_another_dataset_and_opens_nothing(dataset, project, ravi, client_for):
    other = make_dataset(project, ravi, ["elsewhere"], name="Other", slug="other")
    for wanted, field in (([str(other.items.get().uuid)], "items"), ([], "source")):
        body = {"dataset": str(dataset.uuid), "name": "x", "source": "items", "items": wanted}
        refused = client_for(ravi).post("/api/v1/labeling/queues/", body, content_type="application/json")
        assert (refused.status_code, list(refused.json()["fields"])) == (422, [field])
    assert not Queue.objects.exists()
    assert not Event.objects.filter(verb="labeling.queue_opened").exists()


def test_chosen_items_are_handed_out_by_chance_where_that_was_asked_for(dataset, ravi, ana):
    keys = [item.pk for item in items(dataset, 0, 1, 2, 3, 4, 5)]
    queue = open_queue(
        dataset_id=dataset.uuid, actor=ravi, name="By chance", source="items", item_ids=keys, order="random"
    )

    assert handed_out(queue, ana) == [
        TEXTS[keys.index(key)] for key in sorted(keys, key=lambda key: random_place(queue.uuid, key))
    ]


def test_the_same_item_twice_is_refused_and_nothing_is_opened(dataset, ravi):
    key = dataset.items.first().pk
    with refused("source"):
        open_queue(dataset_id=dataset.uuid, actor=ravi, name="x", source="items", item_ids=[key, key])
    assert not Queue.objects.exists()
