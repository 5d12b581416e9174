"""The bench: blind, inert, and usable as a plain form."""

from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils.html import escape

from datasets_app.prelabels.actions.suggestions import suggest
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.comments import comment
from datasets_app.queues.models import Annotation, Comment, Slot
from datasets_app.queues.queries.bench import bench_items
from tests.support.labeling import answer, label_items, make_dataset, make_queue, queue_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia):
    return make_queue(make_dataset(project, mia, [f"text {n}" for n in range(8)]), mia, overlap=2)


def url(name, queue):
    return reverse(f"queues:{name}", args=[queue.uuid])


def test_annotations_of_others_are_not_on_the_page(project, mia, ana, ravi, client_for):
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2, schema=["alpha", "omega"])
    items = queue_items(queue)
    answer(queue, ana, items[0], "omega")
    comment(queue_id=queue.uuid, actor=ana, item_id=items[0].uuid, text="It is surely the last.")

    page = client_for(ravi).get(url("bench", queue))

    shown = page.context["items"]
    assert [row["text"] for row in shown] == ["one", "two"]
    assert [(row["previous"], row["note"], row["ranks"]) for row in shown] == [(None, "", []), (None, "", [])]
    assert b"surely the last" not in page.content
    assert b"Ana" not in page.content


def test_a_plain_form_saves_and_shows_the_next_item(queue, ana, client_for):
    client = client_for(ana)
    item = client.get(url("bench", queue)).context["item"]
    sent = {
        "slot": item["slot"],
        "token": item["token"],
        "label": queue.schema.labels.get(name="card").uuid,
        "client_key": uuid4(),
    }

    page = client.post(url("submit", queue), sent, follow=True)

    assert page.context["item"]["text"] == "text 1"
    assert Annotation.objects.get().label.name == "card"


def test_a_button_of_a_plain_form_goes_before_the_list_of_all_classes(queue, ana, client_for):
    client = client_for(ana)
    card, other = queue.schema.labels.get(name="card"), queue.schema.labels.exclude(name="card").first()

    for chosen in ({"label": card.uuid, "every": other.uuid}, {"every": card.uuid}):
        item = client.get(url("bench", queue)).context["item"]
        client.post(
            url("submit", queue),
            {"slot": item["slot"], "token": item["token"], "client_key": uuid4(), **chosen},
        )

    assert [each.label for each in Annotation.objects.select_related("label")] == [card, card]


def test_the_script_gets_the_items_that_it_lacks_once_two_are_left(queue, ana, client_for):
    client = client_for(ana)
    items = client.get(url("bench", queue)).context["items"]
    texts = []

    for at in range(3):
        sent = {
            "slot": items[at]["slot"],
            "label": queue.schema.labels.get(name="card").uuid,
            "client_key": uuid4(),
            # as the script sends it
            "have": ",".join(str(row["slot"]) for row in items[at:]),
            "left": 4 - at,
        }
        answered = client.post(url("submit", queue), sent, headers={"accept": "application/json"}).json()
        texts.append([row["text"] for row in answered["items"]])

    assert texts == [[], [], ["text 5", "text 6", "text 7"]]
    assert (answered["done"], answered["total"]) == (3, 16)


def test_a_refusal_is_json_for_the_script_and_a_page_for_the_form(queue, ana, client_for):
    client = client_for(ana)
    sent = {"slot": 999_999, "label": uuid4(), "client_key": uuid4()}

    reply = client.post(url("submit", queue), sent, headers={"accept": "application/json"})
    page = client.post(url("submit", queue), sent)

    assert (reply.status_code, reply.json()["code"]) == (422, "refused")
    refusal = page.context["refusal"]
    assert (page.status_code, page.context["status"], refusal.code) == (422, 422, "refused")
    assert reply.json()["message"] == f"{refusal.message} {refusal.next_step}"
    assert escape(refusal.message) in page.content.decode()
    assert Annotation.objects.count() == 0


def test_without_the_script_the_better_side_is_saved_as_the_files_response(project, mia, ana, client_for):
    rows = [{"prompt": f"{n}?", "responses": [f"good {n}", f"poor {n}"]} for n in range(6)]
    queue = make_queue(make_dataset(project, mia, rows, task="preference"), mia, schema=[])
    client = client_for(ana)

    for n in range(6):
        page = client.get(url("bench", queue))
        item, html = page.context["item"], page.content.decode()
        good_is_left = html.index(f"good {n}") < html.index(f"poor {n}")
        value, name = page.context["posted"][0 if good_is_left else 1]
        assert ("Left" in name, "Right" in name) == (good_is_left, not good_is_left)
        order = ",".join(map(str, item["content"]["order"]))
        assert f'name="shown" value="{order}"' in html
        client.post(
            url("submit", queue),
            {"slot": item["slot"], "value": value, "shown": order, "client_key": uuid4()},
        )

    assert [answer.value for answer in Annotation.objects.all()] == [{"choice": "first"}] * 6


@pytest.mark.parametrize(
    "value", ["[" * 100_000, f'{{"label": {"1" * 5_000}}}', '{"label": NaN}', "null", '{"choice": []}']
)
def test_an_invalid_value_is_refused_and_not_an_error(queue, ana, client_for, value):
    sent = {"slot": queue.slots.first().pk, "value": value, "client_key": uuid4()}

    reply = client_for(ana).post(url("submit", queue), sent, headers={"accept": "application/json"})

    assert reply.status_code == 422
    assert Annotation.objects.count() == 0


def test_a_body_that_is_nested_without_end_is_a_bad_request(queue, ana, client_for):
    address = reverse("api-labeling-submit", args=[queue.uuid])

    answered = client_for(ana).post(address, '{"value": ' + "[" * 100_000, content_type="application/json")

    assert answered.status_code == 400
    assert Annotation.objects.count() == 0


def test_markup_and_bidi_characters_are_inert(project, mia, ana, client_for):
    queue = make_queue(
        make_dataset(project, mia, ["<script>alert(1)</script> \u202eevil"]), mia, schema=["<i>x</i>", "y"]
    )

    html = client_for(ana).get(url("bench", queue)).content.decode()

    assert "<script>alert(1)" not in html
    assert "\u202e" not in html
    assert "<i>x</i>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_hidden_suggestions_are_not_in_the_page(project, mia, ana, client_for):
    dataset = make_dataset(project, mia, ["one"])
    queue = make_queue(dataset, mia, hidden_share=100)
    item = queue_items(queue)[0]
    suggest(
        dataset=dataset,
        rows=[(item.pk, "card", 0.9)],
        source="run",
        source_digest="a" * 64,
        source_name="run 7",
    )

    page = client_for(ana).get(url("bench", queue))

    assert (page.context["item"]["ranks"], page.context["item"]["prelabel"]) == ([], None)
    assert b"run 7" not in page.content


def test_shown_suggestions_are_ranked_and_never_submitted(project, mia, ana, client_for):
    dataset = make_dataset(project, mia, ["one"])
    queue = make_queue(dataset, mia, hidden_share=0)
    item = queue_items(queue)[0]
    rows = [(item.pk, "card", 0.2), (item.pk, "transfer", 0.7)]
    suggest(dataset=dataset, rows=rows, source="run", source_digest="a" * 64, source_name="run 7")

    shown = client_for(ana).get(url("bench", queue)).context["item"]["ranks"]

    names = {str(label.uuid): label.name for label in queue.schema.labels.all()}
    assert [(names[key], score) for key, score in shown] == [("transfer", 0.7), ("card", 0.2)]
    assert Annotation.objects.count() == 0


@pytest.mark.parametrize("name", ["submit", "skip", "undo", "heartbeat", "release", "flag", "comment"])
def test_strangers_and_wrong_roles_change_nothing(queue, name, otto, aida, client_for):
    assert client_for(otto).post(url(name, queue)).status_code == 404
    assert client_for(aida).post(url(name, queue)).status_code == 403

    assert Annotation.objects.count() + Comment.objects.count() == 0
    assert Slot.objects.exclude(state=Slot.State.OPEN).count() == 0


def test_the_done_page_shows_the_next_steps(queue, ravi, ana, mia, client_for):
    label_items(queue, {ana: ["card"] * 8, mia: ["card"] * 7 + ["billing"]})

    page = client_for(ravi).get(url("bench", queue)).content

    assert b'data-state="complete"' in page
    assert f'href="{reverse("review:review", args=[queue.uuid])}"'.encode() in page
    queue.refresh_from_db()
    assert (queue.slots_done, queue.items_disputed) == (16, 1)


@pytest.mark.parametrize("count", [2, 5])
def test_the_items_of_a_bench_take_the_same_statements_however_many(
    queue, ana, count, django_assert_num_queries
):
    slots = claim(queue_id=queue.uuid, actor=ana, k=count)
    queue.hidden_share = 0  # where all suggestions are hidden, none are asked for

    with django_assert_num_queries(4):
        bench_items(queue, slots, ana)


def test_labels_without_headings_are_in_three_columns_in_order(project, mia, ana, client_for):
    names = [f"class {n:02}" for n in range(11)]
    queue = make_queue(make_dataset(project, mia, ["one"], slug="many"), mia, schema=names, name="Many")

    columns = client_for(ana).get(reverse("queues:bench", args=[queue.uuid])).context["columns"]

    assert [[label.name for _, group in column for label in group] for column in columns] == [
        names[:4],
        names[4:8],
        names[8:],
    ]
