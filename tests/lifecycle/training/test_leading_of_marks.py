"""Where parts are marked, all lists, sweeps and comparisons go by micro-F1, as the best step does."""

from __future__ import annotations

import json

import pytest

from lifecycle.evaluation import parts, rules
from lifecycle.training import queries, sweep_queries, tasks
from lifecycle.training.models import Sweep
from registry.ledger.models import Event
from tests.support.marks import marked_snapshot
from tests.support.sweeps import make_sweep, run_trials
from tests.support.training import make_run


@pytest.fixture
def snapshot(project, mia):
    return marked_snapshot(project, mia, name="Marked")


@pytest.fixture
def sweep(snapshot, base, mia) -> Sweep:
    """Its second trial is the best by micro-F1, and the worst by macro-F1."""
    return run_trials(make_sweep(snapshot, mia, base=base, trials=2), 0.7, 0.9)


def test_a_sweep_takes_the_best_by_micro_f1(sweep):
    trials = list(sweep.trials.order_by("trial"))
    assert [run.metrics["macro_f1"] for run in trials] == pytest.approx([0.3, 0.1])

    assert sweep_queries.best_trial(trials) == trials[1]
    assert [trial.score for trial in sweep_queries.told(sweep, trials)] == [0.7, 0.9]
    assert [trial.evaluations for trial in sweep_queries.told(sweep, trials)] == [(0.7, 0.7), (0.9, 0.9)]
    payload = json.loads(Event.objects.get(object_id=str(sweep.uuid), verb="training.sweep_ended").canonical)["payload"]
    assert (payload["best"], payload["micro_f1"]) == (str(trials[1].uuid), 0.9)
    assert "macro_f1" not in payload


def test_its_pages_name_it(sweep, client_for, mia):
    client = client_for(mia)

    page, listed = (client.get(url).content.decode() for url in (f"/runs/sweeps/{sweep.uuid}/", "/runs/sweeps/"))

    assert "by micro-F1 of spans" in page
    assert "with a micro-F1 of spans of 0.900 on validation." in page
    assert "Micro-F1 of spans, best" in page
    assert "acro-F1" not in page
    assert '0.900 <small class="muted">micro-F1 of spans</small>' in listed


def test_programs_are_told(sweep, client_for, mia):
    told = client_for(mia).get(f"/api/v1/sweeps/{sweep.uuid}/").json()

    assert (told["leading"], told["best"]) == ("micro_f1", 0.9)
    assert [(row["score"], row["macro_f1"]) for row in told["results"]] == [(0.7, pytest.approx(0.3)), (0.9, pytest.approx(0.1))]


def test_a_trial_is_given_up_by_micro_f1(snapshot, base, mia):
    sweep = run_trials(make_sweep(snapshot, mia, base=base, trials=9, warmup_trials=2), 0.7, 0.9)
    trial = sweep.trials.get(trial=3)
    trial.points.create(name="macro_f1", step=10, value=0.95)
    assert sweep_queries.find_cut(trial) is None

    trial.points.create(name="micro_f1", step=10, value=0.5)
    pruning = tasks.Pruning(trial)

    assert pruning.look()
    assert pruning.reason.startswith("Pruned at evaluation 1: its best micro-F1 of spans so far, 0.500, is below 0.800,")


def test_runs_and_evaluations_are_listed_by_it(snapshot, client_for, mia):
    run = make_run(snapshot, mia, accuracy=0.6)
    (evaluation,) = run.evaluations.filter(split="test")
    micro, macro = run.metrics["micro_f1"], run.metrics["macro_f1"]
    assert f"{micro:.3f}" != f"{macro:.3f}"

    page = client_for(mia).get("/runs/").content.decode()
    score = parts.cell(rules.leading_of(evaluation.report), evaluation.report)

    assert f'{micro:.3f} <small class="muted">micro-F1 of spans</small>' in page
    assert (score["name"], score["value"]) == ("Micro-F1", evaluation.report["micro_f1"])


def test_a_thinned_curve_keeps_its_best_point(waiting, monkeypatch):
    monkeypatch.setattr(queries, "POINTS", 4)
    for step in range(1, 17):
        waiting.points.create(name="micro_f1", step=step, value=0.9 if step == 5 else 0.1)

    curve = queries.curves(waiting, ["micro_f1"])["micro_f1"]

    assert len(curve) < 16
    assert (5, 0.9) in curve
