"""Nothing visible to annotators distinguishes gold from other items: not before annotating, and in a blind
queue not afterwards.
"""

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.urls import reverse

from datasets_app.datasets.models import Item
from datasets_app.datasets.selection import Selection
from datasets_app.prelabels.actions.suggestions import suggest
from datasets_app.queues.actions.answers import skip
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.actions.comments import comment, flag
from datasets_app.queues.actions.managing import close_queue
from datasets_app.queues.masks import mask, unmask
from datasets_app.queues.models import Comment, Queue, Slot
from datasets_app.queues.queries.bench import bench_items
from tests.support.gold import gold_at, know, known_dataset, mixed_queue, take
from tests.support.labeling import add_items, answer, make_dataset, make_schema

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia, ravi) -> Queue:
    return mixed_queue(
        known_dataset(project, mia, ravi, ["card"] * 6, [f"text {n}" for n in range(20)]), mia, overlap=2
    )


def shape(value: object) -> object:
    """A JSON value with nothing left but how it is made."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return re.sub(r"[0-9a-f]", "0", value) if isinstance(value, str) else type(value).__name__


def hand(queue, user, *places) -> list[dict]:
    with gold_at(*places):
        slots = claim(queue_id=queue.uuid, actor=user)
    return bench_items(queue, slots, user)


@pytest.mark.postgres
def test_an_item_on_the_bench_and_over_the_api_looks_like_any_other(queue, ana, client_for):
    items = hand(queue, ana, 2)

    assert [item["text"].split()[0] for item in items] == ["text", "text", "gold", "text", "text"]
    looks = [shape({key: value for key, value in item.items() if key != "text"}) for item in items]
    assert looks == [looks[0]] * 5
    assert len({item["token"] for item in items}) == 1
    answered = (
        client_for(ana)
        .post(reverse("api-labeling-claim", args=[queue.uuid]), {}, content_type="application/json")
        .json()
    )
    assert len({tuple(sorted(each)) for each in answered}) == 1
    assert "gold" not in str(
        [{key: value for key, value in each.items() if key != "text"} for each in answered]
    )


def test_the_page_names_no_gold_but_in_the_texts(queue, ana, client_for):
    hand(queue, ana, 0, 2)

    html = client_for(ana).get(reverse("queues:bench", args=[queue.uuid])).content.decode()

    assert re.findall(r"[^\s]*gold[^\s]*", re.sub(r"gold \d", "", html)) == []


def test_slot_numbers_do_not_reveal_new_slots(queue, ana):
    numbers = [item["slot"] for item in hand(queue, ana, 2)]
    keys = [unmask(number, "slot") for number in numbers]

    assert max(keys) == keys[2]
    assert numbers == [mask(key, "slot") for key in keys]
    assert all(number > 1_000_000 for number in numbers)
    assert len({mask(key, "slot") for key in range(5_000)}) == 5_000
    assert [unmask(number, "slot") for number in (-1, 2**48, 2**70)] == [0, 0, 0]


def test_each_answer_moves_the_counts_alike(queue, ana, client_for):
    client, moved = client_for(ana), []
    hand(queue, ana, 1, 3)
    items = bench_items(queue, claim(queue_id=queue.uuid, actor=ana), ana)
    for item in items[:4]:
        form = {
            "slot": item["slot"],
            "label": queue.schema.labels.get(name="card").uuid,
            "client_key": uuid4(),
            "have": item["slot"],
        }
        with gold_at():
            saved = client.post(
                reverse("queues:submit", args=[queue.uuid]), form, headers={"accept": "application/json"}
            ).json()
        seen = client.get(reverse("api-labeling-queue", args=[queue.uuid])).json()
        page = client.get(reverse("queues:queue", args=[queue.uuid])).context["queue"]
        moved.append(
            (
                saved["done"],
                saved["total"],
                seen["slots_done"],
                seen["slots_total"],
                seen["items_labeled"],
                page.slots_done,
                sorted(saved),
            )
        )

    assert [row[0] for row in moved] == [row[2] for row in moved] == [row[5] for row in moved] == [1, 2, 3, 4]
    assert {(*row[1:2], *row[3:5], tuple(row[6])) for row in moved} == {
        (57, 57, 0, ("annotation", "closed", "done", "items", "seconds_left", "total", "version"))
    }
    assert [Slot.objects.filter(is_gold=gold, state=Slot.State.DONE).count() for gold in (True, False)] == [
        2,
        2,
    ]


def test_who_manages_the_queue_sees_what_is_really_needed(queue, ana, mia, client_for):
    items = hand(queue, ana, 0)
    take(queue, ana, Slot.objects.get(pk=unmask(items[0]["slot"], "slot")), {"label": "card"})

    seen = client_for(mia).get(reverse("api-labeling-queue", args=[queue.uuid])).json()

    assert (seen["slots_done"], seen["slots_total"]) == (0, 40)


@pytest.mark.postgres
def test_the_end_depends_on_needed_annotations(project, mia, ravi, ana, client_for):
    queue = mixed_queue(known_dataset(project, mia, ravi, ["card"], ["one"]), mia)
    with gold_at():
        take(queue, ana, claim(queue_id=queue.uuid, actor=ana)[0], {"label": "card"})

    page = client_for(ana).get(reverse("queues:bench", args=[queue.uuid])).content

    assert b'data-state="complete"' in page


def test_name_time_and_earlier_annotations_do_not_reveal_gold(project, mia, ravi, ana, ben):
    dataset = make_dataset(project, mia, [])
    upload = add_items(dataset, mia, ["seed"])[0].upload
    rows = [
        Item(
            dataset=dataset,
            upload=upload,
            line=n,
            text=f"item {n}",
            digest=f"{n:064}",
            normal_digest="",
            external_id=f"row-{n}",
            event_time=datetime(2026, 1, n, tzinfo=UTC),
        )
        for n in range(1, 9)
    ]
    Item.objects.bulk_create(rows)
    make_schema(dataset, mia)
    know(dataset.items.get(external_id="row-8"), ravi, {"label": "card"})
    queue = mixed_queue(dataset, mia, overlap=2)
    for user in (ben, ana):
        with gold_at(0):
            slot = claim(queue_id=queue.uuid, actor=user)[0]
        shown = bench_items(queue, [slot], user)[0]
        take(queue, user, slot, {"label": "card"})

    assert (shown["text"], shown["name"], shown["meta"]) == (
        "item 8",
        f"{8:064}"[:8],
        ["2 annotations needed"],
    )


def test_a_reviewers_note_of_before_is_not_shown(queue, ana, ravi):
    gold = queue.dataset.items.get(text="gold 0")
    for item in queue.dataset.items.filter(text__startswith="gold"):
        Comment.objects.create(item=item, queue=queue, user=ravi, text="Look again.", is_return=True)

    items = hand(queue, ana, 0)

    assert gold.pk
    assert {item["note"] for item in items} == {""}


def test_suggestions_are_hidden_on_gold_by_the_same_rule_as_on_everything(project, mia, ravi, ana):
    dataset = known_dataset(project, mia, ravi, ["card"] * 2, [f"text {n}" for n in range(6)])
    rows = [(item.pk, "transfer", 0.9) for item in dataset.items.all()]
    suggest(dataset=dataset, rows=rows, source="run", source_digest="a" * 64, source_name="run 7")

    shown = hand(mixed_queue(dataset, mia, hidden_share=0), ana, 1)

    assert {(item["source"], len(item["ranks"])) for item in shown} == {("run 7", 1)}
    assert all(item["prelabel"] > 1_000_000 for item in shown)


def test_flags_and_comments_go_the_same_way(queue, ana):
    item = queue.dataset.items.get(uuid=hand(queue, ana, 0)[0]["item"])

    flag(queue_id=queue.uuid, actor=ana, item_id=item.uuid)
    comment(queue_id=queue.uuid, actor=ana, item_id=item.uuid, text="Is this one?")

    assert Comment.objects.filter(item=item, queue=queue).count() == 2


def test_annotations_of_others_are_hidden_while_an_item_is_to_be_annotated(queue, ana, ravi, client_for):
    items = hand(queue, ana, 0)
    pages = [client_for(ana).get(reverse("trace:item", args=[item["item"]])).content for item in items[:2]]

    assert [b"data-hidden" in page for page in pages] == [True, True]
    assert b"data-hidden" not in client_for(ravi).get(reverse("trace:item", args=[items[0]["item"]])).content


@pytest.mark.postgres
def test_undo_returns_gold_like_any_item(queue, ana, client_for):
    client = client_for(ana)
    answers = []
    for item in hand(queue, ana, 1)[:2]:
        form = {
            "slot": item["slot"],
            "label": queue.schema.labels.get(name="card").uuid,
            "client_key": uuid4(),
        }
        with gold_at():
            client.post(
                reverse("queues:submit", args=[queue.uuid]), form, headers={"accept": "application/json"}
            )
        saved = client.post(
            reverse("queues:undo", args=[queue.uuid]),
            {"client_key": uuid4()},
            headers={"accept": "application/json"},
        )
        answers.append(saved.json())

    assert [each["item"]["text"].split()[0] for each in answers] == ["text", "gold"]
    assert shape({**answers[0], "item": None}) == shape({**answers[1], "item": None})
    assert {(each["done"], each["total"], each["item"]["previous"] is not None) for each in answers} == {
        (0, 57, True)
    }


def test_the_saved_annotation_does_not_reveal_its_result(queue, ana, client_for):
    items = hand(queue, ana, 0)
    label = str(queue.schema.labels.get(name="billing").uuid)
    made = [
        client_for(ana)
        .post(
            reverse("api-labeling-submit", args=[queue.uuid]),
            {"slot": item["slot"], "label": label, "client_key": str(uuid4())},
            content_type="application/json",
        )
        .json()
        for item in items[:2]
    ]

    assert shape(made[0]) == shape(made[1])
    assert made[0]["gold"] is None


@pytest.mark.postgres
def test_reviewers_do_not_find_gold_among_the_items_of_the_queue(queue, ana, ravi, client_for):
    item = hand(queue, ana, 0)[0]["item"]

    page = client_for(ravi).get(reverse("review:review", args=[queue.uuid]), {"item": item})

    assert "case" not in page.context


def test_waiting_items_are_shown_in_full_tens(project, mia, ravi, ana, client_for):
    dataset = known_dataset(project, mia, ravi, ["card"], [f"text {n}" for n in range(12)])
    queue = mixed_queue(dataset, mia, acceptance=Queue.Acceptance.REVIEWER)
    seen = []
    for given in range(1, 13):
        with gold_at(5):
            take(queue, ana, claim(queue_id=queue.uuid, actor=ana, k=1)[0], {"label": "card"})
        if given < 9:
            continue
        saved = client_for(ana).get(reverse("api-labeling-queue", args=[queue.uuid])).json()
        page = client_for(ana).get(reverse("queues:queue", args=[queue.uuid])).context["queue"]
        seen.append((page.items_agreed, saved["items_agreed"]))

    queue.refresh_from_db()
    assert queue.items_agreed == 11
    assert seen == [(0, 0)] * 2 + [(10, 10)] * 2


def test_answers_from_which_the_built_in_model_learns_go_up_in_full_tens(queue, ana, mia, client_for):
    seen = []
    for given in range(1, 12):
        with gold_at(5):
            take(queue, ana, claim(queue_id=queue.uuid, actor=ana, k=1)[0], {"label": "card"})
        if given < 9:
            continue
        seen.append(
            client_for(ana).get(reverse("api-labeling-learning", args=[queue.uuid])).json()["annotations"]
        )

    assert seen == [0, 0, 10]
    assert (
        client_for(mia).get(reverse("api-labeling-learning", args=[queue.uuid])).json()["annotations"] == 10
    )


def test_gold_is_among_the_items_that_a_person_answered(queue, ana, ravi):
    items = hand(queue, ana, 0)
    for item in items[:3]:
        take(queue, ana, Slot.objects.get(pk=unmask(item["slot"], "slot")), {"label": "card"})

    own = Selection(
        queue.dataset, ana, {"annotated_as": str(queue.schema.labels.get(name="card").stable_id)}
    ).page()
    by_ana = Selection(queue.dataset, ravi, {"annotated_by": str(ana.uuid)}).page()

    assert {str(item.uuid) for item in own.items} == {item["item"] for item in items[:3]}
    assert {item.text.split()[0] for item in by_ana.items} == {"text"}


def test_released_and_skipped_items_stay_hidden(queue, ana, ben, mia, client_for):
    items = hand(queue, ana, 0)
    skip(queue_id=queue.uuid, actor=ana, slot_id=unmask(items[0]["slot"], "slot"), client_key=uuid4())
    release(queue_id=queue.uuid, actor=ana)
    ordinary = queue.dataset.items.get(uuid=items[1]["item"])
    answer(queue, ben, ordinary, "card")

    def hidden(user, item) -> bool:
        return b"data-hidden" in client_for(user).get(reverse("trace:item", args=[item["item"]])).content

    assert [hidden(ana, item) for item in items[:3]] == [True] * 3
    assert [hidden(user, items[1]) for user in (ben, mia)] == [False, False]
    close_queue(queue_id=queue.uuid, actor=mia)
    assert [hidden(ana, item) for item in items[:3]] == [False] * 3
