"""What a suite cost, beside what it may cost."""

from __future__ import annotations

from tests.support.budgets import over, spent
from tests.support.costs import YARDSTICK_SECONDS

KEPT = {
    "yardstick": YARDSTICK_SECONDS * 2,  # a machine half as fast
    "tests": {
        "a.py::test_a": {
            "setup": [1.0, 0.5, 0.0, 20],
            "call": [3.0, 1.5, 4.0, 5],
            "teardown": [0.0, 0.0, 0.0, 1],
        },
        "a.py::test_b": {"call": [1.0, 2.0, 0.0, 4]},
    },
}


def test_processor_seconds_are_those_of_the_machine_of_the_yardstick():
    assert spent(KEPT) == {"cpu_seconds": 4.0, "statements": 30}


def test_each_figure_above_its_budget_is_named():
    assert over("test", KEPT, {"cpu_seconds": 4, "statements": 30}) == []
    assert over("test", KEPT, {"cpu_seconds": 3, "statements": 29}) == [
        "test: 4 cpu_seconds, of 3 allowed",
        "test: 30 statements, of 29 allowed",
    ]
