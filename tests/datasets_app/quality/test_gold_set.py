"""Making gold: from review, from an item's page, by sampling labeled items, over the API; and retiring it."""

import json
from importlib import import_module

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.quality.actions.gold import make_golds, retire_gold, sample_gold
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.models import Decision, Gold, Queue
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema, value_of
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.gold import gold_at, know, known_dataset, mixed_queue, take
from tests.support.labeling import (
    add_items,
    answer,
    label_items,
    make_annotator,
    make_dataset,
    make_queue,
    make_schema,
    queue_items,
)
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project, mia):
    made = make_dataset(project, mia, [f"text {n}" for n in range(12)])
    make_schema(made, mia)
    return made


def adjudicate_items(queue, ravi, labels) -> None:
    """Adjudicate the first items of a queue as a reviewer."""
    known = labels_by_name(queue.schema)
    for item, label in zip(queue_items(queue), labels, strict=False):
        value = {"label": str(known[label].uuid)}
        adjudicate(queue_id=queue.uuid, item_id=item.uuid, actor=ravi, value=value, reason="It says so.")


def test_only_adjudicators_and_leads_make_gold(dataset, ana, mia, lee):
    item = dataset.items.order_by("id").first()

    for person in (ana, mia):
        with pytest.raises(PermissionDenied):
            know(item, person, {"label": "card"})
    assert Gold.objects.count() == 0
    assert know(item, lee, {"label": "card"}).set_by == lee


def test_an_explanation_that_is_too_long_is_refused(dataset, ravi):
    item = dataset.items.order_by("id").first()

    with refused("explanation", naming=("1,000",)):
        know(item, ravi, {"label": "card"}, explanation="x" * 1_001)

    assert Gold.objects.count() == 0


def test_an_item_that_is_not_imported_yet_is_unknown(dataset, mia, ravi):
    item = add_items(dataset, mia, ["on its way"], imported=False)[0]

    with refused():
        know(item, ravi, {"label": "card"})

    assert Gold.objects.count() == 0


def test_taken_back_gold_is_no_longer_mixed_in(project, mia, ravi, ana):
    dataset = known_dataset(project, mia, ravi, ["card"], [f"text {n}" for n in range(9)])
    queue, item = mixed_queue(dataset, mia), dataset.items.get(text="gold 0")

    assert retire_gold(item_id=item.uuid, actor=ravi).retired_by == ravi
    assert retire_gold(item_id=item.uuid, actor=ravi) is None

    with gold_at(*range(9)):
        assert not any(slot.is_gold for slot in claim(queue_id=queue.uuid, actor=ana))
    assert Event.objects.filter(verb=Verb.GOLD_REMOVED).count() == 1


@pytest.mark.postgres
def test_a_sample_fills_each_class_up_from_what_reviewers_decided(dataset, mia, ravi, ana):
    queue = make_queue(dataset, mia, overlap=2)
    label_items(queue, {ana: ["billing"] * 8})
    adjudicate_items(queue, ravi, ["card"] * 5 + ["transfer"] * 2)

    made = sample_gold(dataset_id=dataset.uuid, actor=ravi, per_label=3)
    again = sample_gold(dataset_id=dataset.uuid, actor=ravi, per_label=4)

    assert sorted(gold.label.name for gold in made) == ["card"] * 3 + ["transfer"] * 2
    assert [gold.label.name for gold in again] == ["card"]
    assert all(
        value_of(gold) == value_of(Decision.objects.get(item=gold.item)) for gold in Gold.objects.all()
    )
    assert [
        json.loads(event.canonical)["payload"]["items"]
        for event in Event.objects.filter(verb=Verb.GOLD_SAMPLED).order_by("id")
    ] == [
        5,
        1,
    ]


def test_what_annotators_or_a_rule_decided_is_not_drawn(dataset, mia, ravi, ana):
    label_items(make_queue(dataset, mia), {ana: ["billing"] * 6})

    assert sample_gold(dataset_id=dataset.uuid, actor=ravi, per_label=5) == []
    assert Event.objects.filter(verb=Verb.GOLD_SAMPLED).count() == 0


def test_many_at_once_leave_gold_as_it_is_and_refuse_what_is_not_in_the_dataset(dataset, project, mia, ravi):
    ids = {label.name: str(label.stable_id) for label in latest_schema(dataset).labels.all()}
    first, second = dataset.items.order_by("id")[:2]
    other = make_dataset(project, mia, ["elsewhere"], slug="other", name="Other").items.get()
    kept = know(first, ravi, {"label": "card"})
    rows = [(first, {"label": ids["billing"]}), (second, {"label": ids["billing"]})]

    made = make_golds(dataset_id=dataset.uuid, actor=ravi, rows=rows)
    with refused():
        make_golds(dataset_id=dataset.uuid, actor=ravi, rows=[(other, {"label": ids["card"]})])

    assert [gold.item for gold in made] == [second]
    assert list(Gold.objects.order_by("id").values_list("item_id", "label__name")) == [
        (first.pk, "card"),
        (second.pk, "billing"),
    ]
    assert kept.retired_at is None


@pytest.mark.postgres
def test_a_reviewer_makes_gold_while_they_settle(dataset, mia, ravi, ana, ben, client_for):
    queue = make_queue(dataset, mia, overlap=2)
    item = queue_items(queue)[0]
    answer(queue, ana, item, "card")
    answer(queue, ben, item, "billing")
    form = {
        "item": item.uuid,
        "label": queue.schema.labels.get(name="card").uuid,
        "reason": "It names a card.",
        "gold": "yes",
    }

    page = client_for(ravi).get(reverse("review:review", args=[queue.uuid])).content
    client_for(ravi).post(reverse("review:adjudicate", args=[queue.uuid]), form)

    assert b'name="gold"' in page
    gold = Gold.objects.get()
    assert (gold.item, gold.label.name, gold.explanation, gold.set_by) == (
        item,
        "card",
        "It names a card.",
        ravi,
    )
    assert Decision.objects.get().label.name == "card"


@pytest.mark.postgres
def test_the_page_of_an_item_sets_changes_and_takes_back(dataset, ravi, client_for):
    client, item = client_for(ravi), dataset.items.order_by("id").first()
    url, labels = reverse("quality:gold_item", args=[item.uuid]), labels_by_name(latest_schema(dataset))

    assert client.post(url, {"label": labels["card"].stable_id, "explanation": "Because."}).status_code == 302
    assert client.get(url).context["offered"][0][2] == "card"
    assert client.post(url, {"value": '{"label": "nothing"}'}).status_code == 422
    assert client.post(url, {}).status_code == 422
    assert (Gold.objects.get().label.name, Gold.objects.get().explanation) == ("card", "Because.")
    assert client.post(reverse("quality:retire_gold", args=[item.uuid])).status_code == 302
    assert Gold.objects.get().retired_by == ravi


def test_the_list_marks_suspicious_gold_with_its_most_frequent_wrong_label(
    project, mia, ravi, client_for, django_assert_max_num_queries
):
    dataset = known_dataset(project, mia, ravi, ["card", "card"], [f"text {n}" for n in range(30)])
    queue = mixed_queue(dataset, mia)
    for n in range(5):
        person = make_annotator(project, f"p{n}")
        for slot in hand(queue, person):
            take(
                queue,
                person,
                slot,
                {
                    "label": (
                        "card" if slot.item.text == "gold 0" or n == 0 else "billing" if n < 4 else "transfer"
                    )
                },
            )

    with django_assert_max_num_queries(32):
        page = client_for(ravi).get(reverse("quality:gold", args=[dataset.uuid]))
    lines = {line.gold.item.text: line for line in page.context["lines"]}
    suspect = (
        client_for(ravi)
        .get(reverse("quality:gold", args=[dataset.uuid]), {"state": "suspect"})
        .context["lines"]
    )

    assert [
        (lines[text].gold.right, lines[text].gold.asked, lines[text].suspect) for text in ("gold 0", "gold 1")
    ] == [
        (5, 5, False),
        (1, 5, True),
    ]
    assert (lines["gold 0"].wrong, lines["gold 1"].wrong) == (None, ("billing", 3))
    assert [line.gold.item.text for line in suspect] == ["gold 1"]


def hand(queue, person):
    with gold_at(0, 1):
        return [slot for slot in claim(queue_id=queue.uuid, actor=person) if slot.is_gold]


def test_the_list_is_paged_and_filtered(project, mia, ravi, lee, client_for, monkeypatch):
    monkeypatch.setattr(import_module("datasets_app.quality.views.gold"), "GOLD_PAGE", 3)
    dataset = known_dataset(project, mia, ravi, ["card"] * 5 + ["transfer"] * 2, ["text"])
    url, card = (
        reverse("quality:gold", args=[dataset.uuid]),
        labels_by_name(latest_schema(dataset))["card"].stable_id,
    )

    first = client_for(lee).get(url, {"class": card})
    second = client_for(lee).get(f"{url}{first.context['page']['next']}")

    assert [len(page.context["lines"]) for page in (first, second)] == [3, 2]
    assert b"gold 4" not in first.content  # a lead does not read samples
    assert len(client_for(ravi).get(url, {"state": "retired"}).context["lines"]) == 0
    assert len(client_for(ravi).get(url, {"state": "new"}).context["lines"]) == 3


@pytest.mark.postgres
def test_programs_do_the_same(dataset, mia, ravi, ana, client_for):
    client, item = client_for(ravi), dataset.items.order_by("id").first()
    label = labels_by_name(latest_schema(dataset))["card"]
    url = reverse("api-labeling-gold", args=[dataset.uuid])
    sent = {"item": str(item.uuid), "label": str(label.uuid), "explanation": "Because."}

    made = client.post(url, sent, content_type="application/json")
    listed = client.get(url).json()
    refused = client_for(ana).get(url).status_code
    sampled = client.post(
        reverse("api-labeling-sample-gold", args=[dataset.uuid]),
        {"per_label": 5},
        content_type="application/json",
    ).json()
    retired = client.post(
        reverse("api-labeling-retire-gold", args=[dataset.uuid]),
        {"item": str(item.uuid)},
        content_type="application/json",
    )
    queue = make_queue(dataset, mia)
    mixed = client.post(
        reverse("api-labeling-mix-gold", args=[queue.uuid]),
        {"gold_rate": 12},
        content_type="application/json",
    ).json()

    assert (made.status_code, made.json()["value"]) == (201, {"label": str(label.stable_id)})
    assert [(row["item"], row["asked"], row["right"]) for row in listed["results"]] == [
        (str(item.uuid), 0, 0)
    ]
    assert (refused, sampled, retired.json()) == (403, {"made": 0}, {"retired": True})
    assert (mixed["gold_rate"], Queue.objects.get().gold_rate) == (12, 12)


@pytest.mark.postgres
def test_a_queue_is_opened_with_gold_and_changed_on_its_page(dataset, mia, client_for):
    client = client_for(mia)
    form = {
        "name": "Mixed",
        "source": "all",
        "overlap": 1,
        "hidden_share": 20,
        "gold_rate": 10,
        "gold_feedback": "on",
        "gold_minimum": 80,
    }

    client.post(reverse("queues:open", args=[dataset.uuid]), form)
    queue = Queue.objects.get()
    assert (queue.gold_rate, queue.gold_feedback, queue.gold_minimum, queue.gold_holds) == (
        10,
        True,
        80,
        False,
    )
    page = client.get(reverse("queues:queue", args=[queue.uuid]))
    mix = page.context["mix"]
    assert [mix[name].value() for name in ("gold_rate", "gold_feedback", "gold_minimum")] == [10, True, 80]
    assert f'action="{reverse("quality:mix_gold", args=[queue.uuid])}"' in page.content.decode()
    client.post(reverse("quality:mix_gold", args=[queue.uuid]), {"gold_rate": 5})

    queue.refresh_from_db()
    assert (queue.gold_rate, queue.gold_feedback, queue.gold_minimum) == (5, False, None)
    assert client.post(reverse("quality:mix_gold", args=[queue.uuid]), {"gold_rate": 50}).status_code == 422
    assert Event.objects.filter(verb=Verb.GOLD_MIXED).count() == 1
