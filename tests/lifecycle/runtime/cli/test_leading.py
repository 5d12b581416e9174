"""Lists show the primary metric of each run's task, with its name."""

from __future__ import annotations

import pytest

from tests.support.spans import spans_snapshot
from tests.support.sweeps import make_sweep, run_trials
from tests.support.training import make_run, make_snapshot


@pytest.fixture
def marked(project, mia):
    return spans_snapshot(project, mia)


@pytest.fixture
def classed(project, mia):
    return make_snapshot(project, mia)


def test_sweeps_of_marked_parts_go_by_micro_f1(as_person, marked, mia):
    run_trials(make_sweep(marked, mia, trials=2), 0.7, 0.9)
    command = as_person(mia)

    shown, listed = command("sweeps", "show", "1"), command("sweeps", "list")

    assert [line.split()[3] for line in shown.out.splitlines() if line.strip()[:1].isdigit()] == [
        "0.900",
        "0.700",
    ]
    assert "MICRO F1" in shown.out
    assert listed.out.splitlines()[1].split()[6:9] == ["0.900", "micro", "F1"]


def test_runs_of_marked_parts_are_listed_by_micro_f1(as_person, marked, mia):
    run = make_run(marked, mia, accuracy=0.6, splits=())

    assert f"{run.metrics['micro_f1']:.3f} micro F1" in " ".join(as_person(mia)("runs", "list").out.split())


def test_runs_of_classes_are_listed_by_macro_f1(as_person, classed, mia):
    run = make_run(classed, mia, accuracy=0.6, splits=())

    assert f"{run.metrics['macro_f1']:.3f} macro F1" in " ".join(as_person(mia)("runs", "list").out.split())
