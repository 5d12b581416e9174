"""An item that a queue asks a person about is hidden from them in evaluations: its row shows the label."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.datasets.models import Item
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models.queues import Queue
from lifecycle.modeling.evaluation.models import Analysis
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.task_types.examples import TRAINED

HTMX = {"HTTP_HX_REQUEST": "true"}


def links(page: bytes, items: list[Item]) -> int:
    """How many of these items a page links to."""
    return sum(reverse("datasets:item", args=[item.uuid]).encode() in page for item in items)


def rows_page(evaluation) -> str:
    """All rows of an evaluation, by one of its filters."""
    written = evaluation.snapshot.dataset.task_type.writes_text
    return reverse("evaluation:answers" if written else "evaluation:items", args=[evaluation.uuid])


def asked_about(evaluation, mia, *, most: int = 1_000) -> Queue:
    """A queue that asks everyone again about items of the evaluation's dataset."""
    dataset = evaluation.snapshot.dataset
    keys = list(dataset.items.order_by("pk").values_list("pk", flat=True)[:most])
    return open_queue(dataset_id=dataset.uuid, actor=mia, name=f"Check {most}", source="items", item_ids=keys)


@pytest.mark.parametrize("task", sorted(TRAINED))
def test_rows_of_items_that_a_queue_asks_about_name_no_item(client_for, measure, ana, mia, task):
    evaluation = measure(task)
    items, url = list(evaluation.snapshot.dataset.items.all()), rows_page(evaluation)
    before = links(client_for(ana).get(url).content, items)

    asked_about(evaluation, mia)

    blind, manager = client_for(ana).get(url).content, client_for(mia).get(url).content
    assert before > 0
    assert (links(blind, items), links(manager, items)) == (0, before)
    assert blind.count(b"data-hidden") > 0
    assert not [item.digest for item in items if item.digest[:12].encode() in blind]


def test_an_item_is_shown_again_once_its_queue_is_closed(client_for, measured, ana, mia):
    items, url = list(measured.snapshot.dataset.items.all()), rows_page(measured)
    before = client_for(ana).get(url).content
    queue = asked_about(measured, mia)
    Queue.objects.filter(pk=queue.pk).update(state="closed")

    assert links(client_for(ana).get(url).content, items) == links(before, items) > 0


def test_words_of_an_item_that_a_queue_asks_about_are_refused(client_for, measured, ana, mia):
    item = measured.snapshot.dataset.items.filter(assignment__split="test").first()
    asked_about(measured, mia)
    page = reverse("evaluation:words", args=[measured.uuid]) + f"?item={item.digest}"
    api = f"/api/v1/evaluations/{measured.uuid}/attribution/?item={item.digest}"
    client = client_for(ana)

    assert [client.get(page).status_code, client.post(page).status_code, client.get(api).status_code] == [
        422
    ] * 3
    assert client_for(mia).get(page).status_code == 200
    assert not Analysis.objects.exists()


def test_clusters_over_the_api_leave_out_items_that_a_queue_asks_about(client_for, measured, ana, mia):
    items = [item.digest for item in measured.snapshot.dataset.items.filter(assignment__split="test")]
    group = {"items": items, "kind": "class", "true": "card", "predicted": "refund", "pair_rows": 2}
    report = {"errors": len(items), "taken": len(items), "silhouette": 0.0, "groups": [group]}
    Analysis.objects.create(evaluation=measured, kind=Analysis.Kind.CLUSTERS, report=report, created_by=mia)
    asked_about(measured, mia)

    def listed(user) -> list[str]:
        url = reverse("api-evaluation-analyses", args=[measured.uuid])
        return client_for(user).get(url).json()[0]["report"]["groups"][0]["items"]

    assert (listed(ana), listed(mia)) == ([], items)
    assert len(items) > 1


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_predictions_are_not_downloaded_by_a_person_who_labels_items_of_the_split(
    client_for, measured, ana, mia, form
):
    url = f"/api/v1/evaluations/{measured.uuid}/predictions.{form}"
    asked_about(measured, mia)

    assert (client_for(ana).get(url).status_code, client_for(mia).get(url).status_code) == (422, 200)
    exports = Event.objects.filter(verb=Verb.PREDICTIONS_EXPORTED)
    assert [event.actor for event in exports] == [str(mia.uuid)]


def test_rows_take_the_same_statements_for_one_and_many_items_that_queues_ask_about(
    client_for, measured, ana, mia
):
    client, url = client_for(ana), rows_page(measured)
    client.get(url)
    counts = []
    for most in (1, 20):
        asked_about(measured, mia, most=most)
        with CaptureQueriesContext(connection) as statements:
            client.get(url)
        counts.append(len(statements))

    assert counts[0] == counts[1]
