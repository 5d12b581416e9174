"""What a run will take, from ten steps of it: the arithmetic, what is read from a short run's events, and one
real short run.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lifecycle.runtime.engine import quantise
from lifecycle.runtime.engine.estimate import CHECKED, Estimate, Profile, Rows, estimate, sample_rows, shorten
from lifecycle.runtime.engine.events import read_events
from lifecycle.runtime.engine.profiling import measure, refused_bytes, size_of
from lifecycle.runtime.engine.spec import Base, TrainSpec

pytestmark = pytest.mark.engine

SPEC = TrainSpec(Base("base", "tiny"), ("card", "refund"), epochs=3, batch_size=32, evaluations_per_epoch=2)
MEASURED = Profile(
    rows=Rows(320, 64),
    steps=10,
    step_seconds=0.2,
    quickest=0.1,
    slowest=0.4,
    evaluation_seconds=0.32,
    checkpoint_seconds=0.5,
    prepare_seconds=6.0,
    once_seconds=0.0,
    artifact_seconds=8.0,
    cores=1.5,
    peak_memory_mb=900.0,
    checkpoint_bytes=2_000,
    best_bytes=500,
    cache_bytes=0,
    artifact_bytes=90_000,
    batch_rows=32,
)


# ── The short run ───────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("rows", "batch", "accumulation", "sampled", "epochs", "evaluations"),
    [
        (10_000, 32, 1, 320, 1, 5),
        (10_000, 16, 4, 640, 1, 5),
        (100, 32, 1, 100, 3, 2),  # four steps an epoch
        (8, 32, 1, 8, 10, 1),  # one step an epoch
    ],
)
def test_ten_steps_take_the_rows_that_they_need(rows, batch, accumulation, sampled, epochs, evaluations):
    spec = replace(SPEC, batch_size=batch, accumulation=accumulation, patience=3)

    short = shorten(spec, sample_rows(spec, rows))

    assert sample_rows(spec, rows) == sampled
    assert (short.epochs, short.evaluations_per_epoch, short.patience) == (epochs, evaluations, 0)
    assert short.steps_of_epoch(sampled) * short.epochs >= 10
    assert replace(short, epochs=3, evaluations_per_epoch=2, patience=3) == spec


def test_enough_validation_rows_are_answered_for_the_gate_of_the_int8_graph():
    assert CHECKED == quantise.MIN_ROWS


# ── The arithmetic ──────────────────────────────────────────────────────────
def test_the_whole_run_is_ten_steps_scaled_by_its_rows():
    """1,000 rows: 32 steps an epoch, 96 in all, evaluated every 16, so 6 times."""
    found = estimate(MEASURED, SPEC, Rows(1_000, 200))

    train, evaluating = 96 * 0.2 + 6 * 0.5, 6 * 200 * 0.32 / 64
    artifact = 8.0 + 2 * 136 * 0.32 / 64
    total = 6.0 + train + evaluating + artifact
    assert found == Estimate(
        steps=96,
        evaluations=6,
        step_seconds=0.2,
        prepare_seconds=6.0,
        train_seconds=pytest.approx(train),
        evaluation_seconds=pytest.approx(evaluating),
        artifact_seconds=pytest.approx(artifact),
        seconds=pytest.approx(total),
        shortest=pytest.approx(total - 96 * 0.1),
        longest=pytest.approx(total + 96 * 0.2),
        cpu_seconds=pytest.approx(total * 1.5),
        peak_memory_mb=900.0,
        disk_bytes=92_500,
        artifact_bytes=90_000,
    )


def test_generation_has_no_gate_and_its_sample_responses_cost_the_same_for_any_rows():
    """0.32 s of an evaluation of 64 rows, of which 0.19 s go into sample answers: 0.13 s / 64 a row."""
    spec, measured = replace(SPEC, labels=(), task="generation"), replace(MEASURED, sampling_seconds=0.19)

    found = estimate(measured, spec, Rows(1_000, 200))

    assert found.evaluation_seconds == pytest.approx(6 * (200 * 0.13 / 64 + 0.19))
    assert found.artifact_seconds == pytest.approx(8.0 + 136 * 0.13 / 64)


def test_a_run_of_the_sample_itself_takes_the_measured_values():
    short = shorten(SPEC, 320)

    found = estimate(MEASURED, short, MEASURED.rows)

    assert (found.steps, found.evaluations) == (10, 5)
    assert found.seconds == pytest.approx(6.0 + 10 * 0.2 + 5 * 0.5 + 5 * 0.32 + 8.0)


def test_what_is_computed_once_of_each_row_grows_with_the_rows():
    cached = replace(MEASURED, once_seconds=3.84, cache_bytes=384 * 2**20)

    found = estimate(cached, SPEC, Rows(3_200, 640))

    assert found.prepare_seconds == pytest.approx(6.0 + 3.84 * 9)
    assert found.peak_memory_mb == pytest.approx(900.0 + 9 * 384)
    assert found.disk_bytes == 2_000 + 500 + 3_840 * 2**20 + 90_000


def test_long_stretches_without_an_evaluation_have_a_checkpoint_a_minute():
    slow = replace(MEASURED, step_seconds=10.0)

    found = estimate(slow, replace(SPEC, epochs=1, evaluations_per_epoch=1), Rows(1_000, 64))

    assert found.train_seconds == pytest.approx(320 + 6 * 0.5)


def test_a_profile_is_read_back_from_a_result():
    assert (
        Profile.from_json(json.loads(json.dumps({"status": "succeeded", **MEASURED.to_json()}))) == MEASURED
    )


# ── Events of a run ─────────────────────────────────────────────
def run_events(*lines):
    """(second, kind, values) as events."""
    return [
        {"seq": seq, "at": f"2026-11-24T12:00:{at:06.3f}+00:00", "kind": kind, **more}
        for seq, (at, kind, more) in enumerate(lines)
    ]


def metric(**values):
    return {"step": 1, "values": values}


def evaluated(logged, scored, saved, *, rate):
    """A log with its pace, the evaluation behind it, what it showed, and its checkpoint."""
    return (
        (logged, "metric", metric(train_loss=1.0, examples_per_second=rate)),
        (scored, "metric", metric(validation_loss=1.0)),
        (scored, "finding", {"code": "overfitting"}),
        (saved, "checkpoint", {}),
    )


RESULT = {
    "last_step": 10,
    "peak_memory_mb": 300.0,
    "batch": {"batch_size": 16, "accumulation": 2},
    "stages": {
        "prepare": {"seconds": 5.0},
        "train": {"seconds": 4.0, "cpu_seconds": 6.0},
        "artifact": {"seconds": 7.0},
    },
}
SIZES = {"checkpoints": 4, "best": 3, "cache": 2, "artifact": 1}


def test_paces_evaluations_and_checkpoints_are_medians_and_the_first_pace_is_left_out():
    events = run_events(
        (1.0, "log", {"message": "Caching the output of 4 frozen layers for 320 train rows.", "once": True}),
        (3.5, "stage", {"name": "train"}),
        *evaluated(4.0, 4.3, 4.4, rate=32.0),
        *evaluated(5.0, 5.5, 5.7, rate=160.0),
        *evaluated(6.0, 6.4, 6.7, rate=320.0),
    )

    found = measure(events, RESULT, SPEC, Rows(320, 64), SIZES)

    assert (found.step_seconds, found.quickest, found.slowest) == (
        pytest.approx(0.15),
        pytest.approx(0.1),
        pytest.approx(0.2),
    )
    assert (found.evaluation_seconds, found.checkpoint_seconds) == (pytest.approx(0.4), pytest.approx(0.2))
    assert (found.prepare_seconds, found.once_seconds, found.artifact_seconds, found.cores) == (
        5.0,
        2.5,
        7.0,
        1.5,
    )
    assert (
        found.checkpoint_bytes,
        found.best_bytes,
        found.cache_bytes,
        found.artifact_bytes,
        found.batch_rows,
    ) == (4, 3, 2, 1, 16)


def test_a_step_has_the_rows_that_its_pace_counts_where_the_last_of_an_epoch_has_fewer():
    """33 rows at batch 32 are two steps of 16.5 rows on the average: at 33 rows a second half a second
    each.
    """
    events = run_events(
        (3.5, "stage", {"name": "train"}),
        *evaluated(4.0, 4.3, 4.4, rate=11.0),
        *evaluated(5.0, 5.5, 5.7, rate=33.0),
    )

    found = measure(events, RESULT, SPEC, Rows(33, 64), SIZES)

    assert (found.step_seconds, found.quickest, found.slowest) == (0.5, 0.5, 0.5)


def test_the_seconds_of_sample_answers_are_the_median_of_those_reported():
    samples = [
        (at, "samples", {"step": 1, "rows": [], "seconds": seconds})
        for at, seconds in ((4.2, 0.9), (5.2, 0.2), (6.2, 0.3))
    ]
    events = run_events((3.5, "stage", {"name": "train"}), *evaluated(4.0, 4.3, 4.4, rate=32.0), *samples)

    assert measure(events, RESULT, SPEC, Rows(320, 64), SIZES).sampling_seconds == 0.3
    assert measure(events[:-3], RESULT, SPEC, Rows(320, 64), SIZES).sampling_seconds == 0.0


def test_an_int8_graph_that_was_refused_counts_as_one_that_stays():
    assert refused_bytes({"int8": {"passed": False, "rounded_bytes": 22}}) == 22
    none = [
        {"int8": None},
        {"int8": {"passed": True, "rounded_bytes": 22}},
        {"int8": {"passed": False, "rounded_bytes": None}},
    ]
    assert [refused_bytes(each) for each in none] == [0] * 3


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"12345")
    (tmp_path / "c").write_bytes(b"123")

    assert (size_of(tmp_path), size_of(tmp_path / "nothing")) == (8, 0)


# ── A real one ──────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("strategy", "once"),
    [
        ({"kind": "full"}, False),
        ({"kind": "head"}, True),
        ({"kind": "lora", "frozen_layers": 1, "cached": True}, True),
    ],
    ids=["full", "head", "cached"],
)
def test_a_real_short_run_is_measured(run_folder, train_here, strategy, once):
    folder = run_folder(strategy=strategy)
    spec = TrainSpec.read(folder / "spec.json")
    shorten(spec, 8).write(folder / "spec.json")

    result = train_here(folder, verb="profile")

    assert result["status"] == "succeeded"
    found = Profile.from_json(result)
    assert (found.rows, found.steps, found.batch_rows) == (Rows(8, 8), 10, 4)
    assert 0 < found.quickest <= found.step_seconds <= found.slowest
    assert (
        min(
            found.evaluation_seconds,
            found.checkpoint_seconds,
            found.prepare_seconds,
            found.artifact_seconds,
            found.cores,
        )
        > 0
    )
    assert min(found.peak_memory_mb, found.checkpoint_bytes, found.best_bytes, found.artifact_bytes) > 0
    assert (found.once_seconds > 0, found.cache_bytes > 0) == (once, once)
    assert (
        max(event["step"] for event in read_events(folder / "events.jsonl")[0] if event["kind"] == "metric")
        == 10
    )


def test_a_failed_dry_run_reports_why(run_folder, train_here):
    folder = run_folder(rows=[("card lost", "card"), ("card stolen", "card")])

    result = train_here(folder, verb="profile")

    assert (result["status"], result["error"]["code"]) == ("failed", "one_class")


def test_a_short_run_is_cancelled(run_folder, train_here):
    folder = run_folder()

    assert train_here(folder, cancelled=lambda: True, verb="profile")["status"] == "cancelled"
