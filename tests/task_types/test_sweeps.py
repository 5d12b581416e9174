"""Sweeps of each type use the metric that also selects its best step; a type that generates text has none."""

from __future__ import annotations

import json

import pytest

from lifecycle.modeling.training import queries, sweep_queries, tasks
from lifecycle.modeling.training.models import Sweep
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.types import type_of
from registry.ground.ledger.models import Event
from tests.support.sweeps import make_sweep, run_trials
from tests.support.unchanged import refused
from tests.task_types.examples import TRAINED

GENERATIVE = [task for task in TRAINED if type_of(task).writes_text]
COMPARED = [task for task in TRAINED if task not in GENERATIVE]
GOES_BY = {  # evaluations, the best step, the list of runs
    "single_label": ("macro_f1", "macro_f1", "macro_f1"),
    "multi_label": ("macro_f1", "macro_f1", "macro_f1"),
    "spans": ("micro_f1", "micro_f1", "micro_f1"),
    "preference": ("pair_accuracy", "pair_accuracy", "pair_accuracy"),
    "ranking": ("pair_accuracy", "pair_accuracy", "pair_accuracy"),
    "generation": ("rouge_l", "validation_loss", "perplexity"),
    "chat": ("rouge_l", "validation_loss", "perplexity"),
}


def test_each_type_has_metrics_of_its_own():
    for task, names in GOES_BY.items():
        metrics = measures_of(task).metrics
        assert (metrics.leading.name, metrics.trained.name, metrics.listed.name) == names


@pytest.fixture
def metric(task):
    return measures_of(task).metrics.trained


@pytest.fixture
def sweep(measured, mia) -> Sweep:
    """Its second trial is the best by that metric, and the worst by macro-F1 where that is another one."""
    return run_trials(make_sweep(measured.snapshot, mia, base=measured.run.base, trials=2), 0.7, 0.9)


@pytest.mark.parametrize("task", COMPARED)
def test_the_best_trial_is_found_and_recorded_by_it(sweep, metric):
    trials = list(sweep.trials.order_by("trial"))

    assert sweep_queries.leading_of(sweep) == metric
    assert sweep_queries.best_trial(trials) == trials[1]
    assert [(each.score, each.evaluations) for each in sweep_queries.ended_trials(sweep, trials)] == [
        (0.7, (0.7, 0.7)),
        (0.9, (0.9, 0.9)),
    ]
    payload = json.loads(Event.objects.get(object_id=str(sweep.uuid), verb="training.sweep_ended").canonical)[
        "payload"
    ]
    assert (payload["best"], payload[metric.name]) == (str(trials[1].uuid), 0.9)
    assert "macro_f1" not in {*payload} - {metric.name}


@pytest.mark.parametrize("task", COMPARED)
def test_pages_and_programs_name_it(sweep, metric, client_for, mia):
    client = client_for(mia)

    page, listed = (
        client.get(url).content.decode() for url in (f"/runs/sweeps/{sweep.uuid}/", "/runs/sweeps/")
    )
    document = client.get(f"/api/v1/sweeps/{sweep.uuid}/").json()

    assert metric.title in page
    assert "0.900" in page
    assert "0.900" in listed
    assert "acro-F1" not in page or metric.name == "macro_f1"
    assert (document["leading"], document["best"], [row["score"] for row in document["results"]]) == (
        metric.name,
        0.9,
        [0.7, 0.9],
    )
    if metric.name != "macro_f1":
        assert [row["macro_f1"] for row in document["results"]] == pytest.approx([0.3, 0.1])
    (line,) = sweep_queries.sweeps(mia)
    assert (line.ended, line.best) == (2, 0.9)


@pytest.mark.parametrize("task", COMPARED)
def test_a_trial_is_given_up_by_it(measured, metric, mia):
    sweep = run_trials(
        make_sweep(measured.snapshot, mia, base=measured.run.base, trials=9, warmup_trials=2), 0.7, 0.9
    )
    trial = sweep.trials.get(trial=3)
    trial.points.create(name="macro_f1" if metric.name != "macro_f1" else "accuracy", step=10, value=0.95)
    assert sweep_queries.find_cut(trial) is None

    trial.points.create(name=metric.name, step=10, value=0.5)
    pruning = tasks.Pruning(trial)

    assert pruning.look()
    assert all(figure in pruning.reason for figure in ("0.500", "0.800"))


@pytest.mark.parametrize("task", COMPARED)
def test_a_thinned_curve_keeps_its_best_point(measured, metric, monkeypatch):
    run = measured.run
    run.points.all().delete()
    monkeypatch.setattr(queries, "POINTS", 4)
    for step in range(1, 17):
        run.points.create(name=metric.name, step=step, value=0.9 if step == 5 else 0.1)

    curve = queries.curves(run, [metric.name])[metric.name]

    assert len(curve) < 16
    assert (5, 0.9) in curve


@pytest.mark.parametrize("task", GENERATIVE)
def test_a_sweep_is_refused_and_not_offered_for_generation(measured, client_for, mia):
    page = client_for(mia).get(f"/runs/launch/?dataset_version={measured.snapshot.uuid}").content.decode()

    assert "/runs/sweeps/new/" not in page
    with refused("dataset_version"):
        make_sweep(
            measured.snapshot, mia, base=measured.run.base, trials=2, space={"rank": {"choices": [4, 8]}}
        )


@pytest.mark.parametrize("task", ["preference", "ranking"])
def test_a_sweep_over_a_setting_of_labels_is_refused_by_its_name(measured, mia):
    with refused("label_smoothing"):
        make_sweep(
            measured.snapshot,
            mia,
            base=measured.run.base,
            space={"label_smoothing": {"low": 0.0, "high": 0.2}},
        )
