"""Queues are listed with their progress, opened with every option, paused, resumed, and closed from a
shell.
"""

from __future__ import annotations

import json
from datetime import date

import pytest

from datasets_app.datasets import actions as datasets
from datasets_app.queues.models import Queue
from lifecycle.runtime.cli.plain import OPERATIONS, labels
from lifecycle.runtime.cli.wording import VOCABULARY
from registry.ground.ledger.models import Event
from tests.support.labeling import label_items, make_dataset, make_queue, make_schema


@pytest.fixture
def inbox(project, mia):
    return make_dataset(project, mia, ["one", "two", "three"])


def test_sources_orders_and_acceptances_are_called_as_on_the_pages():
    known = labels(json.loads(OPERATIONS.read_text(encoding="utf-8")))
    for name, choices in (("source", Queue.Source), ("order", Queue.Order), ("acceptance", Queue.Acceptance)):
        words = known[name] | VOCABULARY.get(name, {})
        assert [(each.value, words.get(each.value, each.value).lower()) for each in choices] == [
            (each.value, each.label.lower()) for each in choices
        ]


def test_queues_are_listed_with_how_far_they_are(as_person, project, inbox, mia, ana, site):
    command = as_person(mia)
    assert command("queues", "list").out == "No queues. Open one: lifecycle queues open DATASET NAME\n"
    queue = make_queue(inbox, mia, due_on=date(2026, 12, 24))
    label_items(queue, {ana: ["card", "card"]})
    make_queue(make_dataset(project, mia, ["four"], name="Outbox", slug="outbox"), mia, overlap=2)

    result = command("queues", "list")
    one = command("queues", "list", "--dataset", "inbox", "--state", "open", "--json")

    assert [line.split() for line in result.out.splitlines()] == [
        ["QUEUE", "DATASET", "STATE", "ANNOTATIONS", "LABELED", "TO", "ADJUDICATE", "TO", "ACCEPT", "DUE"],
        ["Batch", "1", "outbox", "open", "0", "of", "2", "0", "of", "1", "0", "0", "–"],
        ["Batch", "1", "inbox", "open", "2", "of", "3", "2", "of", "3", "0", "0", "2026-12-24"],
    ]
    assert [row["uuid"] for row in one.json] == [str(queue.uuid)]


def test_one_queue_is_shown_by_name_by_dataset_and_name_and_by_uuid(as_person, project, inbox, mia, site):
    queue = make_queue(inbox, mia, overlap=2, gold_rate=10, gold_minimum=80)
    other = make_queue(make_dataset(project, mia, ["four"], name="Outbox", slug="outbox"), mia)
    command = as_person(mia)

    result = command("queues", "show", "inbox/Batch 1")
    unclear = command("queues", "show", "Batch 1")

    assert result.out.splitlines() == [
        "Queue          Batch 1, open",
        "Dataset        inbox",
        "Annotations    0 of 6, 2 per item",
        "Labeled        0 of 3 items",
        "To adjudicate  0 items",
        "Items          Unlabeled items",
        "Order          Import order",
        "Acceptance     Label agreed items immediately",
        "Assigned to    all annotators",
        "Hidden         pre-labels of 20 % of the items",
        "Gold           10 % of each annotator's items; at least 80 % correct",
        f"Page           {site}/labeling/{queue.uuid}/",
    ]
    assert (unclear.code, unclear.err) == (
        2,
        (
            f"There is more than one queue Batch 1. Write DATASET/Batch 1, or give its uuid: {other.uuid},"
            f" {queue.uuid}.\n"
        ),
    )
    assert command("queues", "show", str(other.uuid), "--field", "slots_total").out == "1\n"
    assert command("queues", "show", "Batch 9").err.startswith(
        "There is no queue Batch 9, or you don't have access."
    )


def test_a_queue_is_opened_with_all_that_the_api_takes(as_person, inbox, mia, ana, ben, site):
    make_schema(inbox, mia)
    chosen = datasets.save_slice(dataset_id=inbox.uuid, actor=mia, name="Short", filters={"q": "two"})

    result = as_person(mia)(
        "queues",
        "open",
        "inbox",
        "Batch 7",
        "--slice",
        "Short",
        "--overlap",
        "2",
        "--order",
        "random",
        "--person",
        "ana",
        "--person",
        "ben",
        "--acceptance",
        "reviewer",
        "--hidden-share",
        "50",
        "--due",
        "2026-12-24",
        "--gold-rate",
        "5",
        "--gold-feedback",
        "--gold-minimum",
        "75",
        "--gold-holds",
    )

    made = Queue.objects.get()
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert (lines[0], lines[-1]) == (
        "Batch 7 is open: 1 item, 2 annotations to give.",
        f"Page           {site}/labeling/{made.uuid}/",
    )
    assert (made.source, made.filters, made.overlap, made.order, made.acceptance) == (
        "slice",
        chosen.filters,
        2,
        "random",
        "reviewer",
    )
    assert (made.hidden_share, made.due_on, set(made.people.all())) == (50, date(2026, 12, 24), {ana, ben})
    assert (made.gold_rate, made.gold_feedback, made.gold_minimum, made.gold_holds) == (5, True, 75, True)


def test_a_queue_assigned_to_a_non_annotator_is_not_opened(as_person, inbox, mia, aida):
    make_schema(inbox, mia)
    command, before = as_person(mia), Event.objects.count()

    result = command("queues", "open", "inbox", "Batch 1", "--person", "aida")

    assert (result.code, result.err.splitlines()[0].partition(". ")[0]) == (
        1,
        "There is no annotator aida, or you don't have access",
    )
    assert (Queue.objects.count(), Event.objects.count()) == (0, before)


def test_server_errors_are_printed_by_field(as_person, inbox, mia):
    make_queue(inbox, mia)

    result = as_person(mia)("queues", "open", "inbox", "Batch 1", "--overlap", "9", "--due", "soon")

    assert result.code == 1
    assert [line.partition(":")[0] for line in result.err.splitlines()[1:]] == ["  overlap", "  due_on"]
    assert Queue.objects.count() == 1


def test_a_queue_is_paused_resumed_and_closed(as_person, inbox, mia, ana):
    queue = make_queue(inbox, mia)
    command = as_person(mia)

    result = [command("queues", word, "Batch 1").out for word in ("pause", "resume", "close")]

    assert result == ["Batch 1 is paused.\n", "Batch 1 is open again.\n", "Batch 1 is closed.\n"]
    again = command("queues", "resume", "Batch 1")
    assert (again.code, again.err) == (
        1,
        "This queue is closed and can no longer become open. Reload the page.\n",
    )
    refused = as_person(ana)("queues", "pause", "Batch 1")
    assert (refused.code, "Only" in refused.err) == (1, True)
    queue.refresh_from_db()
    assert queue.state == "closed"


def test_chosen_items_are_opened_and_a_queue_is_changed(as_person, inbox, mia, ana):
    make_schema(inbox, mia)
    uuids = [str(item.uuid) for item in inbox.items.order_by("id")]
    command = as_person(mia)
    assert command("queues", "open", "inbox", "Two", "--item", uuids[2], "--item", uuids[0]).code == 0
    queue = Queue.objects.get()
    assert (queue.source, queue.items_total) == ("items", 2)

    result = command("queues", "change", "Two", "--order", "random", "--due", "2026-12-24", "--person", "ana")
    assert result.code == 0, result.err
    queue.refresh_from_db()
    assert (queue.order, queue.due_on, list(queue.people.all())) == ("random", date(2026, 12, 24), [ana])
    assert command("queues", "change", "Two", "--person", "none").code == 0
    queue.refresh_from_db()
    assert (queue.order, queue.due_on, queue.people.count()) == ("random", date(2026, 12, 24), 0)
    assert command("queues", "change", "Two", "--order", "model").code == 1
