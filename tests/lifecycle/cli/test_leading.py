"""The command shows the score by which models of a task are told apart, and says which it is."""

from __future__ import annotations

import pytest

from tests.support.marks import marked_snapshot
from tests.support.sweeps import make_sweep, run_trials
from tests.support.training import make_run, make_snapshot


def test_sweeps_of_marked_parts_go_by_micro_f1(as_person, project, mia):
    run_trials(make_sweep(marked_snapshot(project, mia), mia, trials=2), 0.7, 0.9)
    command = as_person(mia)

    shown, listed = command("sweeps", "show", "1"), command("sweeps", "list")

    assert [line.split()[3] for line in shown.out.splitlines() if line.strip()[:1].isdigit()] == ["0.900", "0.700"]
    assert "MICRO F1" in shown.out
    assert listed.out.splitlines()[1].split()[5:8] == ["0.900", "micro", "F1"]


@pytest.mark.parametrize(("make", "name", "words"), [(make_snapshot, "macro_f1", "macro F1"), (marked_snapshot, "micro_f1", "micro F1")])
def test_runs_are_listed_by_the_score_of_their_task(as_person, project, mia, make, name, words):
    run = make_run(make(project, mia), mia, accuracy=0.6, splits=())

    said = as_person(mia)("runs")

    assert f"{run.metrics[name]:.3f} {words}" in " ".join(said.out.split())
