"""Fixtures of the contract suite: for every type a made-up run, and its evaluation on test. It asks for the
project and people alone, so that it is kept (tests/support/kept.py).
"""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from lifecycle.ground.compute import warm
from lifecycle.ground.compute.child import Result
from lifecycle.modeling.evaluation.models import Evaluation
from tests.support import probes
from tests.task_types.examples import TRAINED


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
