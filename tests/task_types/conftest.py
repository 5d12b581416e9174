"""Fixtures of the contract suite: for every type a made-up run with its evaluation on test, and a queue. They
ask for the project and people alone, so that they are kept (tests/support/kept.py).
"""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from datasets_app.queues.models import Queue
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.compute import warm
from lifecycle.ground.compute.child import Result
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.types import type_of
from tests.support import datasets, probes
from tests.support.labeling import annotate_items, make_dataset, make_queue
from tests.support.snapshots import freeze
from tests.task_types.examples import EXAMPLES, HOSTILE, IDS, TRAINED, hostile_row, items_of, values_of


@pytest.fixture
def of_each_task(project, mia) -> dict[str, UUID]:
    """An evaluation of every type, by its key: a test begins with all of them, and copies none of their
    reports.
    """
    return {task: probes.measured(task, project, mia).uuid for task in TRAINED}


@pytest.fixture(params=TRAINED)
def task(request) -> str:
    return request.param


@pytest.fixture
def measured(task, of_each_task) -> Evaluation:
    """The evaluation of a type."""
    return Evaluation.objects.select_related("run__project", "run__base", "snapshot__dataset").get(
        uuid=of_each_task[task]
    )


# ── Labeling ────────────────────────────────────────────────────────────────
@pytest.fixture
def queue_of_each_type(project, mia) -> dict[str, UUID]:
    """An open queue of every type, by its key: three items, of which each takes two annotations."""
    made = {}
    for key in EXAMPLES:
        dataset = make_dataset(project, mia, items_of(key, 3), name=f"Inbox of {key}", slug=key, task=key)
        schema = [*IDS] if type_of(key).has_labels else []
        made[key] = make_queue(dataset, mia, schema=schema, overlap=2).uuid
    return made


@pytest.fixture
def single_queue_of_each_type(queue_of_each_type, mia) -> dict[str, UUID]:
    """One more queue of every type, over the same items: each takes one annotation."""
    found = Queue.objects.filter(uuid__in=queue_of_each_type.values()).select_related("dataset")
    return {each.dataset.task: make_queue(each.dataset, mia, name="Batch 2").uuid for each in found}


@pytest.fixture
def version_of_each_type(project, mia, ana) -> dict[str, UUID]:
    """A version of every type, by its key: twelve items to which Ana gave the first two values in turn."""
    made = {}
    for key in EXAMPLES:
        dataset = make_dataset(
            project, mia, items_of(key, 12), name=f"Dozen of {key}", slug=f"12-{key}", task=key
        )
        queue = make_queue(dataset, mia, schema=[*IDS] if type_of(key).has_labels else [])
        annotate_items(queue, {ana: values_of(key)[:2] * 6})
        made[key] = freeze(dataset, mia, shares={"train": 50, "validation": 25, "test": 25}).uuid
    return made


@pytest.fixture
def hostile_of_each_type(project, ana, mia) -> dict[str, UUID]:
    """A version of every type, by its key: rows of a file with hostile texts, ids, and labels."""
    made = {}
    for key in EXAMPLES:
        dataset = datasets.make_dataset(project, ana, name=f"Hostile {key}", task=key)
        rows = [json.dumps(hostile_row(key, at)) + "\n" for at in range(len(HOSTILE))]
        datasets.import_file(dataset, ana, "".join(rows).encode(), "rows.jsonl")
        made[key] = freeze(dataset, mia).uuid
    return made


@pytest.fixture
def hostile(key, hostile_of_each_type) -> Snapshot:
    """The version of a type with hostile texts."""
    return Snapshot.objects.select_related("dataset__project", "schema").get(uuid=hostile_of_each_type[key])


@pytest.fixture
def version(key, version_of_each_type) -> Snapshot:
    """The version of a type."""
    return Snapshot.objects.select_related("dataset__project", "schema").get(uuid=version_of_each_type[key])


@pytest.fixture(params=EXAMPLES)
def key(request) -> str:
    """The key of a type, with or without models."""
    return request.param


@pytest.fixture
def queue(key, queue_of_each_type) -> Queue:
    """The queue of a type."""
    return Queue.objects.select_related("dataset", "schema").get(uuid=queue_of_each_type[key])


@pytest.fixture
def single_queue(key, single_queue_of_each_type) -> Queue:
    """The queue of a type in which one annotation decides."""
    return Queue.objects.select_related("dataset", "schema").get(uuid=single_queue_of_each_type[key])


@pytest.fixture
def values(key) -> list[Value]:
    """Different annotations of a type, labels by name; an empty one comes last."""
    return values_of(key)


# ── Engines that explain ────────────────────────────────────────────────────
NUMBERS = {"log_odds": 2.0, "empty": 0.25, "found": 4}


def first_two(text: str, one: float, two: float, **where: int) -> list[dict]:
    """Effects of the first two words of a text."""
    first, second, *_ = text.split()
    at = len(first) + 1
    return [
        {**where, "start": 0, "end": len(first), "effect": one},
        {**where, "start": at, "end": at + len(second), "effect": two},
    ]


def found_of(task: str, text: str) -> dict:
    """An engine's result for a text whose first word supports its first part and opposes the second."""
    one = NUMBERS | {"words": first_two(text, 1.5, -0.6)}
    two = NUMBERS | {"words": first_two(text, -0.6, 0.1)}
    return {
        "multi_label": {
            "classes": [{"answer": "card", "given": True, **one}, {"answer": "refund", "given": False, **two}]
        },
        "spans": {
            "parts": [
                {"answer": "thing", "start": 0, "end": 2, **one},
                {"answer": "thing", "start": 3, "end": 5, **two},
            ]
        },
    }.get(task, {"answer": "card", **one})


@pytest.fixture
def engine(task, monkeypatch):
    """An engine for which only the first words of a text matter; requests are kept."""
    asked = []

    def explain(folder, text, timeout_seconds=0.0):
        assert (folder / "lifecycle.json").is_file()
        asked.append(text)
        return found_of(task, text)

    def explain_responses(folder, prompt, responses, timeout_seconds=0.0):
        asked.append((prompt, responses))
        order = reversed(range(len(responses)))
        return [
            NUMBERS
            | {
                "answer": at,
                "prompt": first_two(prompt, -0.5, 0.0),
                "words": first_two(responses[at], 1.5 - place, 0.0),
            }
            for place, at in enumerate(order)
        ]

    def run_child(ctx, verb, folder, on_events):
        row = json.loads((folder / "data.jsonl").read_text())
        assert (folder / "artifact" / "lifecycle.json").is_file()
        asked.append(row)
        turn = len(row["messages"]) - 2 if "messages" in row else 0
        words = first_two(
            row["messages"][turn]["content"] if "messages" in row else row["text"], 4.0, -2.5, turn=turn
        )
        found = {
            "log_probability": -3.5,
            "empty": -9.25,
            "tokens": 7,
            "unit": "words",
            "size": 1,
            "found": 4,
            "taken": 2,
            "words": words,
        }
        return Result(
            "succeeded", data={"format": 1, "status": "succeeded", "error": None, "seconds": 0.1, **found}
        )

    monkeypatch.setattr(warm, "explain", explain)
    monkeypatch.setattr(warm, "explain_responses", explain_responses)
    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", run_child)
    return asked
