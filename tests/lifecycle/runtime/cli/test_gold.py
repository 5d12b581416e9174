"""Gold items are listed, set, retired, and mixed into a queue from a shell."""

from __future__ import annotations

import pytest

from datasets_app.quality.queries.gold import STATES
from datasets_app.queues.models import Gold, Queue
from lifecycle.runtime.cli.wording import VOCABULARY
from registry.ground.ledger.models import Event
from tests.support import datasets as imported
from tests.support.gold import know
from tests.support.labeling import make_dataset, make_queue, make_schema


@pytest.fixture
def inbox(project, mia):
    dataset = imported.make_dataset(project, mia, "Inbox")
    imported.import_texts(
        dataset, [("one", "m-1"), ("two", "m-2"), ("three", "m-3")], mia, header=("text", "id")
    )
    make_schema(dataset, mia)
    return dataset


def test_the_states_are_those_of_the_product():
    assert VOCABULARY["gold list state"].keys() == STATES.keys()


def test_an_item_is_made_gold_by_its_external_id_listed_and_retired(as_person, inbox, ravi):
    command = as_person(ravi)
    assert command("gold", "list", "inbox").out == "No such gold items.\n"

    result = command("gold", "set", "inbox", "m-1", "--label", "card", "--explanation", "It is lost.")

    made = Gold.objects.get()
    assert (result.code, result.out) == (0, "Gold item m-1: card\n")
    assert (made.item.text, made.label.name, made.explanation, made.set_by) == (
        "one",
        "card",
        "It is lost.",
        ravi,
    )
    listed = command("gold", "list", "inbox").out.splitlines()
    assert [listed[0].split(), listed[1].split()[:4]] == [
        ["ITEM", "TRUTH", "ANNOTATIONS", "CORRECT", "SET"],
        [str(made.item.uuid), "card", "0", "0"],
    ]
    assert (
        command("gold", "retire", "inbox", str(made.item.uuid)).out
        == f"{made.item.uuid} isn't gold anymore.\n"
    )
    assert command("gold", "retire", "inbox", "m-1").out == "m-1 wasn't gold.\n"
    assert (
        command("gold", "list", "inbox", "--state", "retired", "--field", "0.explanation").out
        == "It is lost.\n"
    )


def test_a_gold_annotation_of_another_task_is_json_with_names(as_person, project, mia, ravi):
    dataset = make_dataset(project, mia, ["pay me back"], slug="spans", name="Spans", task="spans")
    make_schema(dataset, mia)
    item = dataset.items.get()

    result = as_person(ravi)(
        "gold",
        "set",
        "spans",
        str(item.uuid),
        "--value",
        '{"spans": [{"start": 0, "end": 3, "label": "transfer"}]}',
    )

    assert (result.code, result.out) == (0, f"Gold item {item.uuid}: “pay” transfer\n")


def test_mistakes_are_named_and_no_item_becomes_gold(as_person, inbox, ravi, mia, ana):
    command, before = as_person(ravi), Event.objects.count()

    result = command("gold", "set", "inbox", "m-1", "--label", "refund")
    words = command("gold", "set", "inbox", "m-1", "--value", "card")
    lost = command("gold", "set", "inbox", "m-9", "--label", "card")

    assert (result.code, result.err) == (
        2,
        "There is no label refund. Version 1 has: billing, card, transfer.\n",
    )
    assert (words.code, words.err) == (
        2,
        "--value takes JSON, such as '{\"labels\": [\"card\"]}'. 'card' isn't JSON.\n",
    )
    assert (lost.code, lost.err.partition(".")[0]) == (1, "There is no item m-9, or you don't have access")
    assert (Gold.objects.count(), Event.objects.count()) == (0, before)
    refused = as_person(ana)("gold", "list", "inbox")
    assert (refused.code, refused.out) == (1, "")


def test_the_rate_of_a_queue_changes_and_what_is_not_given_stays(as_person, inbox, mia, ravi):
    know(inbox.items.get(text="one"), ravi, {"label": "card"})
    queue = make_queue(inbox, mia, gold_rate=5, gold_feedback=True, gold_minimum=80)
    command = as_person(mia)

    result = command("gold", "rate", "Batch 1", "20", "--holds")
    assert (
        result.out
        == "Gold in Batch 1: 20 % of each annotator's items; results shown immediately; at least 80 %"
        " correct; "
        "annotators below that are paused.\n"
    )
    queue.refresh_from_db()
    assert (queue.gold_rate, queue.gold_feedback, queue.gold_minimum, queue.gold_holds) == (
        20,
        True,
        80,
        True,
    )
    bare = command("gold", "rate", "Batch 1", "10", "--no-feedback", "--minimum", "0", "--no-holds")

    assert bare.out == "Gold in Batch 1: 10 % of each annotator's items.\n"
    queue.refresh_from_db()
    assert (queue.gold_rate, queue.gold_feedback, queue.gold_minimum, queue.gold_holds) == (
        10,
        False,
        None,
        False,
    )
    too_much = command("gold", "rate", "Batch 1", "31")
    assert (too_much.code, Queue.objects.get().gold_rate) == (1, 10)


def test_a_random_sample_of_resolved_items_becomes_gold(as_person, project, mia, ravi):
    dataset = imported.make_dataset(project, mia, "Inbox")
    imported.import_texts(dataset, [(f"text {n}", ("card", "cash")[n % 2]) for n in range(12)], mia)

    result = as_person(ravi)("gold", "sample", dataset.slug, "--per-label", "2", "--imported")

    assert (result.code, result.out) == (0, "4 items became gold.\n")
    assert sorted(Gold.objects.values_list("label__name", flat=True)) == ["card", "card", "cash", "cash"]
