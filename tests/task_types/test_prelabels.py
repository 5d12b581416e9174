"""Pre-labels that models elsewhere send are kept, shown and hidden alike for every type."""

from __future__ import annotations

import pytest

from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.models import Annotation, Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.schemas.queries.labels import value_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.values import labels_of
from registry.ground.ledger.models import Event
from tests.support.labeling import named, queue_items
from tests.task_types.examples import EXAMPLES
from tests.task_types.labeled import as_shown

pytestmark = pytest.mark.django_db
DIGEST = "e" * 64


@pytest.fixture
def client(client_for, mia):
    return client_for(mia)


def send(client, queue, rows, **fields):
    body = {"name": "m1", "digest": DIGEST, "rows": rows} | fields
    url = f"/api/v1/labeling/datasets/{queue.dataset.uuid}/pre-labels/"
    return client.post(url, body, content_type="application/json")


def row_of(queue, item, value, score=0.75):
    """A row as programs send it: a label by its name where labels are of whole texts, else a value."""
    if queue.dataset.task_type.labels_texts:
        return {"item": str(item.uuid), "label": labels_of(value)[0], "score": score}
    return {"item": str(item.uuid), "value": named(queue, value), "score": score}


def shown(queue, user, **options):
    """Of each item in hand the source, the value that is proposed, and labels with their scores."""
    Queue.objects.filter(pk=queue.pk).update(**options)
    queue.refresh_from_db()
    slots = claim(queue_id=queue.uuid, actor=user, k=5)
    return [(each["source"], each["prelabeled"], each["ranks"]) for each in bench_items(queue, slots, user)]


def test_what_is_sent_twice_is_kept_once_and_shown_with_its_source(key, queue, values, ana, client):
    item = queue_items(queue)[0]
    rows = [row_of(queue, item, values[0])]
    of_labels = type_of(key).labels_texts

    answers = [send(client, queue, rows) for _ in range(2)]

    kept = [{"kept": 1}, {"kept": 1 if of_labels else 0}]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(201, each) for each in kept]
    found = Suggestion.objects.select_related("label").get()
    assert (found.source, found.source_name, found.source_digest, found.score) == (
        "outside",
        "m1",
        DIGEST,
        0.75,
    )
    assert value_of(found) == (
        {"label": named(queue, {"label": labels_of(values[0])[0]})["label"]}
        if of_labels
        else named(queue, values[0])
    )
    assert Event.objects.filter(verb="labeling.prelabels_uploaded").count() == 2
    page = as_shown(queue, values[0])
    assert shown(queue, ana, hidden_share=0) == [
        ("m1", None, [(labels_of(page)[0], 0.75)]) if of_labels else ("m1", page, []),
        ("", None, []),
        ("", None, []),
    ]
    assert Annotation.objects.count() == 0


def test_where_pre_labels_are_hidden_none_is_shown(queue, values, ana, client):
    assert send(client, queue, [row_of(queue, each, values[0]) for each in queue_items(queue)]).json() == {
        "kept": 3
    }

    assert shown(queue, ana, hidden_share=100) == [("", None, [])] * 3


def test_what_is_no_annotation_of_the_item_is_left_out(key, queue, values, client):
    item = queue_items(queue)[0]
    if type_of(key).labels_texts:
        rows = [{"item": str(item.uuid), "label": name} for name in ("PRESON", "p")]
    else:
        bad = [raw for raw, _ in EXAMPLES[key].bad if isinstance(raw, dict) and raw and is_json(raw)]
        rows = [{"item": str(item.uuid), "value": raw} for raw in bad]
        assert len(rows) > 5

    answer = send(client, queue, rows)

    assert (answer.status_code, answer.json()) == (201, {"kept": 0})
    assert not Suggestion.objects.exists()


def is_json(raw) -> bool:
    """Whether it is a body of JSON: NaN, half of a surrogate pair and the like are none."""
    return not any(each in repr(raw) for each in ("nan", "inf", "\\ud83d"))


def test_rows_that_cannot_be_kept_are_named_and_nothing_is_kept(queue, values, ana, client, client_for):
    right = row_of(queue, queue_items(queue)[0], values[0])
    wanted = {"label", "value"} & {*right}

    for rows in (
        [right, {"item": right["item"], **dict.fromkeys({"label", "value"} - wanted, "x")}],
        [right, right | {"item": "00000000-0000-4000-8000-000000000000"}],
    ):
        answer = send(client, queue, rows)
        assert (answer.status_code, answer.json()["message"].partition(" 2")[0]) == (422, "Row")
    assert send(client, queue, [right], digest="7").status_code == 400
    assert send(client, queue, [right | {"score": 1.5}]).status_code == 400
    assert send(client_for(ana), queue, [right]).status_code == 403
    assert not Suggestion.objects.exists()
