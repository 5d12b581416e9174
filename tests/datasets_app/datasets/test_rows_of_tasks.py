"""Rows of files become items with decisions or suggestions, for every task."""

from __future__ import annotations

import json

import pytest

from datasets_app.datasets.importing.mapping import Mapper, check, propose, roles_for
from datasets_app.datasets.importing.readers import Row
from datasets_app.datasets.models import Item
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.labels import latest_schema, names_in
from lifecycle.runtime.task_types.values import rename
from tests.support.datasets import import_file, make_dataset

FIREMEN = "👨🏻‍🚒 firemen drive firetrucks"
USER, REPLY = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}


def test_columns_are_proposed_by_the_task():
    columns = ["prompt", "chosen", "rejected", "id", "note"]

    found = propose(columns, [], "preference")

    assert found == {
        "prompt": "prompt",
        "chosen": "first",
        "rejected": "second",
        "id": "id",
        "note": "metadata",
    }
    assert [problem.sentence for problem in check({"prompt": "prompt"}, columns, "preference")] == [
        "No column is mapped to first.",
        "No column is mapped to second.",
    ]
    assert "text" not in roles_for("chat")
    assert "messages" not in roles_for("single_label")


def test_a_pair_with_a_preferred_response_is_labeled():
    mapper = Mapper({"prompt": "prompt", "chosen": "first", "rejected": "second"}, task="preference")

    draft = mapper.draft(Row(1, {"prompt": "2+2?", "chosen": "4", "rejected": "5"}, ""))

    assert (draft.value, draft.content) == ({"choice": "first"}, {"prompt": "2+2?", "responses": ["4", "5"]})
    assert draft.text == "2+2?\n\n1: 4\n\n2: 5"


def imported(project, ana, task, rows, **options):
    dataset = make_dataset(project, ana, task=task)
    import_file(
        dataset, ana, "".join(json.dumps(row) + "\n" for row in rows).encode(), "rows.jsonl", **options
    )
    dataset.refresh_from_db()
    return dataset


def decisions(dataset):
    names = names_in(latest_schema(dataset))
    return [rename(row.value, names) for row in current_decisions(dataset)]


@pytest.mark.django_db
def test_spans_of_a_file_become_decisions(project, ana):
    rows = [
        {"text": FIREMEN, "spans": [[19, 29, "THING"]]},
        {"text": "nothing", "spans": []},
        {"text": "broken", "spans": [[0, 99, "X"]]},
    ]

    dataset = imported(project, ana, "spans", rows)

    assert decisions(dataset) == [{"spans": [{"start": 19, "end": 29, "label": "THING"}]}, {"spans": []}]
    assert (dataset.items_total, dataset.uploads.get().rows_failed) == (2, 1)


@pytest.mark.django_db
def test_lists_of_labels_become_one_suggestion_each(project, ana):
    dataset = imported(
        project, ana, "multi_label", [{"text": "one", "labels": ["b", "a"]}], labels_as="suggestions"
    )

    assert [row.label.name for row in dataset.items.get().suggestions.order_by("label__position")] == [
        "a",
        "b",
    ]


@pytest.mark.django_db
def test_pairs_are_imported_as_contents(project, ana):
    pairs = imported(project, ana, "preference", [{"prompt": "2+2?", "chosen": "4", "rejected": "5"}])

    assert decisions(pairs) == [{"choice": "first"}]
    assert Item.objects.get(dataset=pairs).content == {"prompt": "2+2?", "responses": ["4", "5"]}


@pytest.mark.django_db
def test_dialogues_are_imported_without_labels(project, ana):
    dataset = imported(project, ana, "chat", [{"messages": [USER, REPLY]}])

    item = dataset.items.get()
    assert (item.content, item.text) == ({"messages": [USER, REPLY]}, "user: Hi?\nassistant: Hello.")
