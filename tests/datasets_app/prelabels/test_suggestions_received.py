"""Models elsewhere suggest classes, spans, texts and dialogues over the API."""

from __future__ import annotations

import pytest

from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.queries.bench import bench_items
from registry.ground.ledger.models import Event
from tests.support.labeling import make_dataset, make_queue, make_schema

pytestmark = pytest.mark.django_db
DIGEST = "e" * 64


def send(client, dataset, rows, **fields):
    body = {"name": "m1", "digest": DIGEST, "rows": rows} | fields
    return client.post(
        f"/api/v1/labeling/datasets/{dataset.uuid}/pre-labels/", body, content_type="application/json"
    )


def shown(queue, user):
    slots = claim(queue_id=queue.uuid, actor=user, k=5)
    return [(each["source"], each["proposed"], each["ranks"]) for each in bench_items(queue, slots, user)]


def test_classes_come_with_their_names_and_the_same_twice_are_kept_once(project, mia, ana, client_for):
    dataset = make_dataset(project, mia, ["one", "two"])
    queue = make_queue(dataset, mia, hidden_share=0)
    first, second = dataset.items.order_by("id")
    rows = [
        {"item": str(first.uuid), "label": "card", "score": 0.9},
        {"item": str(second.uuid), "label": "unknown"},
    ]

    answers = [send(client_for(mia), dataset, rows) for _ in range(2)]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(201, {"kept": 1})] * 2
    kept = Suggestion.objects.get()
    assert (kept.source, kept.source_name, kept.source_digest, kept.score) == ("outside", "m1", DIGEST, 0.9)
    card = queue.schema.labels.get(name="card")
    assert shown(queue, ana) == [("m1", None, [(str(card.uuid), 0.9)]), ("", None, [])]
    assert Event.objects.filter(verb="labeling.prelabels_uploaded").count() == 2


@pytest.mark.postgres
def test_drafts_of_texts_and_spans_come_as_values(project, mia, ana, client_for):
    drafts = make_dataset(project, mia, ["Summarise this."], name="Drafts", slug="drafts", task="generation")
    marked = make_dataset(project, mia, ["Anna works"], name="Marked", slug="marked", task="spans")
    person = make_schema(marked, mia, ("PER",)).labels.get()
    queues = [
        open_queue(dataset_id=each.uuid, actor=mia, name="all", hidden_share=0) for each in (drafts, marked)
    ]
    span = {"start": 0, "end": 4, "label": str(person.stable_id), "score": 0.8}

    one = send(client_for(mia), drafts, [{"item": str(drafts.items.get().uuid), "value": {"text": "Short."}}])
    two = send(
        client_for(mia),
        marked,
        [{"item": str(marked.items.get().uuid), "value": {"spans": [span]}, "score": 0.8}],
    )

    assert (one.json(), two.json()) == ({"kept": 1}, {"kept": 1})
    assert shown(queues[0], ana)[0][:2] == ("m1", {"text": "Short."})
    assert shown(queues[1], ana)[0][1] == {"spans": [span | {"label": str(person.uuid)}]}


def test_rows_that_cannot_be_kept_are_named_and_nothing_is_kept(project, mia, ana, client_for):
    dataset = make_dataset(project, mia, ["one"])
    make_schema(dataset, mia)
    item, client = str(dataset.items.get().uuid), client_for(mia)
    right = {"item": item, "label": "card"}

    for rows, message in (
        ([], "0 rows were sent; one request takes 1 to 1,000."),
        ([right] * 1_001, "1,001 rows were sent; one request takes 1 to 1,000."),
        (
            [right, {"item": item, "value": {"text": "card"}}],
            "Row 2 has no label, which pre-labels for this dataset's task require.",
        ),
        ([right, right | {"item": "00000000-0000-4000-8000-000000000000"}], "Row 2: no such item in Inbox."),
    ):
        answer = send(client, dataset, rows)
        assert (answer.status_code, answer.json()["message"]) == (422, message)
    assert send(client, dataset, [right], digest="7").status_code == 400
    assert send(client, dataset, [right | {"score": 1.5}]).status_code == 400
    assert send(client_for(ana), dataset, [right]).status_code == 403
    assert not Suggestion.objects.exists()


@pytest.mark.parametrize("score", ["high", 1.5, -0.1, True, [0.5], {"of": 1}])
def test_spans_with_a_score_that_is_no_share_are_left_out(score, project, mia, client_for):
    marked = make_dataset(project, mia, ["Anna works"], task="spans")
    person, item = make_schema(marked, mia, ("PER",)).labels.get(), marked.items.get()
    spans = [{"start": 0, "end": 4, "label": str(person.stable_id), "score": each} for each in (0.8, score)]

    answer = send(
        client_for(mia), marked, [{"item": str(item.uuid), "value": {"spans": spans}, "score": 0.8}]
    )

    assert (answer.status_code, answer.json()["kept"]) == (201, 0)
    assert not Suggestion.objects.exists()
