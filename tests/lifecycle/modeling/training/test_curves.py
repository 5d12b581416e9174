"""Curves are read with a bounded number of points at any length."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.modeling.training import queries
from lifecycle.modeling.training.models import MetricPoint
from tests.support.training import repeated


@pytest.fixture
def run(waiting):
    return waiting


def put(run, name, steps, value=float):
    MetricPoint.objects.bulk_create(
        [MetricPoint(run=run, name=name, step=step, value=value(step)) for step in steps]
    )


@pytest.mark.parametrize(("step", "stride"), [(1, 1), (2, 2), (6, 2), (40, 8), (1024, 1024), (0, 2**30)])
def test_the_stride_of_a_point_is_the_largest_power_of_two_that_divides_its_step(run, step, stride):
    put(run, "train_loss", [step])

    assert MetricPoint.objects.get(run=run).stride == stride


def test_a_short_curve_is_read_whole_and_in_order(run):
    put(run, "train_loss", [30, 10, 20])
    put(run, "accuracy", [20])

    assert queries.curves(run, ["train_loss", "memory_mb"]) == {
        "train_loss": [(10, 10.0), (20, 20.0), (30, 30.0)]
    }


def test_a_long_curve_is_thinned_evenly_and_keeps_its_ends(run, monkeypatch):
    monkeypatch.setattr(queries, "POINTS", 100)
    put(run, "train_loss", range(0, 4331, 10))

    steps = [step for step, _ in queries.curves(run, ["train_loss"])["train_loss"]]

    assert steps == [*range(0, 4321, 80), 4330]  # 434 points: every eighth, and the last
    assert 50 <= len(steps) <= 101


def test_a_thinned_curve_keeps_its_best_point_and_the_step_that_a_run_kept(run, monkeypatch):
    monkeypatch.setattr(queries, "POINTS", 10)
    put(run, "validation_loss", range(1, 101), lambda step: abs(step - 37))
    put(run, "macro_f1", range(1, 101), lambda step: -abs(step - 51))
    run.best_step = 53

    found = queries.curves(run, ["validation_loss", "macro_f1"])

    assert min(found["validation_loss"], key=lambda point: point[1]) == (37, 0.0)
    assert max(found["macro_f1"], key=lambda point: point[1]) == (51, 0.0)
    assert {53} <= {step for step, _ in found["macro_f1"]}
    assert found["macro_f1"][-1][0] == 100


def test_new_points_come_in_whole_steps_so_that_none_is_left_out(run, monkeypatch):
    monkeypatch.setattr(queries, "POINTS", 5)
    put(run, "train_loss", range(1, 9))
    put(run, "validation_loss", range(1, 9))

    after, asked = 0, []
    while found := queries.new_points(run, ["train_loss", "validation_loss"], after):
        assert found["train_loss"] == found["validation_loss"]
        asked.append(len(found["train_loss"]))
        after = found["train_loss"][-1][0]

    assert (after, asked) == (8, [2, 2, 2, 2])


def test_a_line_of_a_list_reads_a_bounded_number_of_losses(run):
    (other,) = repeated(run, 1)
    put(run, "validation_loss", range(0, 4331, 10), lambda step: abs(step - 370))
    put(other, "validation_loss", [30, 10, 20])
    put(other, "train_loss", range(9))

    with CaptureQueriesContext(connection) as captured:
        found = queries.validation_losses([run, other])

    # 434 points: every eighth, the best, and the last
    steps = [*range(0, 321, 80), 370, *range(400, 4321, 80), 4330]
    assert found == {run.pk: [float(abs(step - 370)) for step in steps], other.pk: [10.0, 20.0, 30.0]}
    assert len(captured) == 1


def test_a_whole_page_of_runs_is_one_statement(run):
    runs = [run, *repeated(run, 29)]
    for each in runs:
        put(each, "validation_loss", [2, 1])

    with CaptureQueriesContext(connection) as captured:
        found = queries.validation_losses(runs)

    assert found == {each.pk: [1.0, 2.0] for each in runs}
    assert len(captured) == 1


@pytest.mark.parametrize(("kept", "statements"), [(100, 1), (99, 2)])
def test_one_statement_reads_all_curves_of_a_page_and_another_one_thins_them(
    run, monkeypatch, kept, statements
):
    monkeypatch.setattr(queries, "POINTS", kept)
    put(run, "train_loss", range(100))

    with CaptureQueriesContext(connection) as captured:
        queries.curves(run, ["train_loss", "validation_loss", "macro_f1"])

    assert len(captured) == statements
