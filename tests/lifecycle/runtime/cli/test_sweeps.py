"""A search for settings from a shell."""

from __future__ import annotations

import re

import pytest

from lifecycle.modeling.training.models import Run, Sweep
from tests.support import training
from tests.support.sweeps import make_sweep, run_trials


@pytest.fixture
def snapshot(project, mia):
    return training.make_snapshot(project, mia, name="Inbox")


@pytest.fixture
def base(snapshot, mia):
    return training.make_base(snapshot.dataset.project, mia)


def test_a_sweep_is_started_shown_listed_and_cancelled(as_person, mia, base, site):
    command = as_person(mia)

    made = command(
        "sweeps",
        "start",
        "inbox@1",
        "--search",
        "learning_rate=0.0004..0.01",
        "--search",
        "batch_size=8,16",
        "--set",
        "epochs=3",
        "--trials",
        "4",
        "--no-pruning",
        "--minutes",
        "60",
    )
    sweep = run_trials(Sweep.objects.get(), 0.7, 0.9)
    shown, listed, cancelled = (
        command("sweeps", "show", "1"),
        command("sweeps", "list"),
        command("sweeps", "cancel", "1"),
    )

    assert (
        made.out
        == f"Sweep 1 started: {site}/runs/sweeps/{sweep.uuid}/\nIts trials: lifecycle sweeps show 1\n"
    )
    assert sweep.space == {
        "learning_rate": {"low": 0.0004, "high": 0.01, "log": True},
        "batch_size": {"choices": [8, 16]},
    }
    assert (sweep.options["epochs"], sweep.trials_wanted, sweep.prunes, sweep.minutes) == (3, 4, False, 60)
    head, *rows = [re.split(r" {2,}", line.strip()) for line in shown.out.partition("\n\n")[2].splitlines()]
    assert (head[:4], set(head[4:])) == (
        ["TRIAL", "RUN", "STATE", "MACRO F1"],
        {"LEARNING_RATE", "BATCH_SIZE"},
    )
    assert all(float(row[4]) and float(row[5]) for row in rows)
    assert [row[:4] for row in rows] == [
        ["2", "2", "succeeded", "0.900"],
        ["1", "1", "succeeded", "0.700"],
        ["3", "3", "queued", "–"],
    ]
    assert listed.out.splitlines()[1].split()[:7] == ["1", "inbox", "running", "lora", "2", "4", "0.900"]
    assert cancelled.out == "Sweep 1 is cancelled. 3 of 4 trials had been started.\n"
    assert Run.objects.get(trial=3).state == "stopped"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (
            ["--search", "rank=8"],
            2,
            "--search rank=8 is neither a range nor several values. Write NAME=LOW..HIGH or NAME=A,B.\n",
        ),
        (["--search", "rank=8,1000"], 1, "rank must be from 1 to 256, got 1000."),
    ],
)
def test_an_invalid_search_is_refused_and_starts_nothing(as_person, mia, base, words, code, error):
    result = as_person(mia)("sweeps", "start", "inbox@1", *words)

    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(error)
    assert not Sweep.objects.exists()


def test_a_pruned_trial_is_watched_to_its_end(as_person, mia, snapshot, base):
    run_trials(make_sweep(snapshot, mia, base=base, trials=9, warmup_trials=1), 0.7, "pruned")

    result = as_person(mia)("runs", "watch", "2")

    assert result.code == 1
    assert result.out.startswith("Run 2 pruned: Pruned at evaluation 1")


def test_nothing_of_others_is_shown(as_person, otto, mia, snapshot, base):
    make_sweep(snapshot, mia, base=base)

    result = as_person(otto)("sweeps", "show", "1")

    assert (result.code, result.err) == (
        1,
        (
            "There is no sweep 1, or you don't have access. Check its name, and whose token this is:"
            " lifecycle whoami\n"
        ),
    )
