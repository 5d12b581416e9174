"""A sweep launches one trial after another, handles their failures, and ends with a reason."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, search, sweep_queries
from lifecycle.modeling.training.models import BaseModel, Run, Sweep
from lifecycle.modeling.training.rules import Ending, RunState, SweepState, find_ending, seconds_left
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from registry.ground.access import actions as access
from registry.ground.access.models import Project
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs
from tests.support.sweeps import SPACE, finish_trial, make_sweep
from tests.support.trail import behind_its_back
from tests.support.training import finish_run, make_base
from tests.support.unchanged import refused


@pytest.fixture
def sweep(snapshot, base, mia) -> Sweep:
    return make_sweep(snapshot, mia, trials=3)


def nothing_happened() -> bool:
    return (
        not Sweep.objects.exists()
        and not Job.objects.filter(kind="training.next_trial").exists()
        and not Run.objects.exists()
    )


def started(snapshot, base, actor, **changes) -> Sweep:
    return actions.start_sweep(
        **{
            "snapshot": snapshot,
            "base": base,
            "strategy": "lora",
            "space": SPACE,
            "trials": 4,
            "actor": actor,
        }
        | changes
    )


# ── Starting ────────────────────────────────────────────────────────────────
def test_a_sweep_stores_its_space_and_fixed_settings(snapshot, base, mia):
    sweep = started(snapshot, base, mia, options={"epochs": 2}, note=" Which rate? ")

    assert (sweep.number, sweep.note, sweep.state, sweep.sampler, sweep.seed, sweep.prunes) == (
        1,
        "Which rate?",
        "running",
        "tpe",
        1,
        True,
    )
    assert sweep.space == {
        "learning_rate": {"low": 0.0001, "high": 0.01, "log": True},
        "batch_size": {"choices": [8, 16]},
        "rank": {"choices": [2, 4]},
    }
    assert sweep.options["epochs"] == 2
    assert sweep.options["seed"] == 1
    assert not sweep.options.keys() & sweep.space.keys()
    event = json.loads(Event.objects.get(verb="training.sweep_started").canonical)["payload"]
    assert (event["space"], event["trials"], event["snapshot_digest"]) == (sweep.space, 4, snapshot.digest)


@pytest.mark.postgres
def test_the_same_form_is_one_sweep(snapshot, base, mia):
    key = uuid.uuid4()

    first, second = (started(snapshot, base, mia, key=key) for _ in range(2))

    assert first == second
    assert Sweep.objects.count() == Job.objects.filter(kind="training.next_trial").count() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"trials": 3},
        {"space": {"rank": {"choices": [2, 4, 8, 16]}}},
        {"options": {"epochs": 3}},
        {"seed": 2},
        {"minutes": 9},
        {"prunes": False},
    ],
)
def test_the_same_form_with_other_settings_is_a_conflict_that_names_the_sweep(snapshot, base, mia, changed):
    key = uuid.uuid4()
    first = started(snapshot, base, mia, key=key)
    events = Event.objects.count()

    with refused(by=Conflict, naming=("Sweep 1",)):
        started(snapshot, base, mia, key=key, **changed)

    assert list(Sweep.objects.all()) == [first]
    assert (Job.objects.filter(kind="training.next_trial").count(), Event.objects.count()) == (1, events)


def test_starting_a_sweep_needs_permission_to_launch(snapshot, base, ana, ravi, gita, omar, aida, otto):
    for person in (ana, ravi, gita, omar, aida, otto):
        with pytest.raises(PermissionDenied):
            started(snapshot, base, person)

    assert nothing_happened()


REFUSED = [
    ({"space": {"rank": {"choices": [8, 1000]}}}, "rank", "Must be from 1 to 256, got 1000."),
    (
        {"space": {"learning_rate": {"low": 0.1, "high": 2.0}}},
        "learning_rate",
        "Must be from 0 to 1, got 2.0.",
    ),
    (
        {"space": {"learning_rate": {"low": 0.0, "high": 0.1}}},
        "learning_rate",
        "low must be above 0 on a log scale, got 0.",
    ),
    (
        {"space": {"learning_rate": {"low": 2, "high": 1}}},
        "learning_rate",
        "low must be less than high, got 2 to 1.",
    ),
    ({"space": {"width": {"choices": [8, 16]}}}, "width", "width isn't a setting of LoRA."),
    ({"space": {"epochs": {"low": 1.5, "high": 3}}}, "epochs", "low and high must be whole numbers."),
    (
        {"space": {"schedule": {"choices": ["linear", "step"]}}},
        "schedule",
        'Must be one of linear, cosine, constant, got "step".',
    ),
    (
        {"space": {"frozen_layers": {"low": 0, "high": 2}}},
        "frozen_layers",
        "tiny-base has 2 layers. Freeze fewer than 2.",
    ),
    (
        {"space": {"seed": {"low": 1, "high": 9}}},
        "seed",
        f"seed can't be searched. Searchable settings: {', '.join(search.SEARCHED)}.",
    ),
    (
        {"space": {"label_smoothing": {"low": 0.0, "high": 0.1}, "focal_gamma": {"low": 0.0, "high": 2.0}}},
        "label_smoothing",
        "Must be 0 if focal_gamma is set: the two can't be combined.",
    ),
    (
        {"strategy": "head", "space": {"learning_rate": {"low": 0.001, "high": 0.01}}},
        "learning_rate",
        "learning_rate has no effect with Head only on this data.",
    ),
    (
        {
            "strategy": "head",
            "space": {"epochs": {"choices": [2, 4]}},
            "options": {"gradient_checkpointing": True},
        },
        "gradient_checkpointing",
        "gradient_checkpointing has no effect with Head only on this data.",
    ),
    (
        {"options": {"max_new_tokens": 8}},
        "max_new_tokens",
        "max_new_tokens has no effect with LoRA on this data.",
    ),
    (
        {"options": {"batch_size": 8}},
        "batch_size",
        "batch_size is in the search space, so it can't be fixed too.",
    ),
    ({"options": {"epochs": 0}}, "epochs", "Must be from 1 to 1000, got 0."),
    ({"trials": 0}, "trials", "Must be from 1 to 200, got 0."),
    (
        {"space": {"batch_size": {"choices": [8, 16]}}, "trials": 3},
        "trials",
        "The search space has 2 combinations, and none is tried twice. Choose up to 2 trials.",
    ),
    ({"sampler": "grid"}, "sampler", "Choose one of tpe, random."),
    ({"seed": -1}, "seed", "Must be from 0 to 4294967295, got -1."),
    ({"warmup_trials": 0}, "warmup_trials", "Must be from 1 to 200, got 0."),
    ({"minutes": 0}, "minutes", "Must be from 1 to 43,200, got 0."),
    ({"strategy": "prompt"}, "strategy", "Prompt tuning is only available for generation. Choose LoRA."),
]


def test_invalid_settings_are_refused_at_their_fields_before_queueing(snapshot, base, mia):
    for changes, field, message in REFUSED:
        with pytest.raises(Refused) as refusal:
            started(snapshot, base, mia, **changes)
        assert refusal.value.fields == {field: [message]}, changes

    assert nothing_happened()


def test_a_sweep_without_a_search_is_refused(snapshot, base, mia):
    with refused():
        started(snapshot, base, mia, space={})

    assert nothing_happened()


def test_a_missing_base_or_one_of_another_project_starts_nothing(snapshot, project, base, mia):
    waiting = BaseModel.objects.create(project=project, name="later", kind="hub", source="a/b")
    elsewhere = make_base(Project.objects.create(name="Elsewhere", slug="elsewhere"))

    with pytest.raises(NotReady):
        started(snapshot, waiting, mia)
    with pytest.raises(Refused):
        started(snapshot, elsewhere, mia)

    assert nothing_happened()


# ── Continuing ──────────────────────────────────────────────────────────────
def test_trials_are_ordinary_runs_one_after_the_other(sweep, mia):
    run_jobs("default")
    first = Run.objects.get()
    run_jobs("default")

    assert (first.sweep, first.trial, first.launched_by, first.state, first.job.queue) == (
        sweep,
        1,
        mia,
        "queued",
        "training",
    )
    assert Run.objects.count() == 1
    params = search.suggest(search.read_space(SPACE), [], sampler="tpe", seed=1, number=1)
    assert sweep_queries.params_of(sweep, first) == params
    assert {name: first.spec[name] for name in ("epochs", "seed")} == {
        name: sweep.options[name] for name in ("epochs", "seed")
    }
    payload = json.loads(Event.objects.get(verb="training.launched").canonical)["payload"]
    assert (payload["sweep"], payload["trial"]) == (str(sweep.uuid), 1)

    finish_trial(first, 0.8)
    run_jobs("default")

    second = Run.objects.get(trial=2)
    trials = [search.Trial(search.Outcome.SCORED, params, 0.8, (0.8, 0.8))]
    assert sweep_queries.ended_trials(sweep, [first]) == trials
    assert sweep_queries.params_of(sweep, second) == search.suggest(
        search.read_space(SPACE), trials, sampler="tpe", seed=1, number=2
    )


def test_a_sweep_ends_after_its_trials_and_has_its_best_evaluated_alone(sweep):
    for score in (0.7, 0.9, 0.8):
        run_jobs("default")
        finish_trial(Run.objects.latest("id"), score)
    run_jobs("default")

    sweep.refresh_from_db()
    best = Run.objects.get(trial=2)
    assert (sweep.state, sweep.ending) == (
        "finished",
        {"message": "3 of 3 trials finished.", "next_step": ""},
    )
    assert sweep_queries.best_trial(sweep.trials.all()) == best
    assert Run.objects.count() == 3
    assert set(Job.objects.filter(kind="evaluation.evaluate").values_list("subject_uuid", flat=True)) == {
        best.uuid
    }
    payload = json.loads(Event.objects.get(verb="training.sweep_ended").canonical)["payload"]
    assert (payload["state"], payload["best"], payload["macro_f1"]) == ("finished", str(best.uuid), 0.9)


def test_the_job_of_a_sweep_is_safe_twice(sweep):
    run_jobs("default")

    for _ in range(2):
        assert actions.next_trial(sweep.uuid) is None

    assert Run.objects.count() == 1


def test_a_lost_worker_of_the_sweep_is_followed_by_another(sweep):
    lost = jobs.claim("default")
    Job.objects.filter(pk=lost.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.reap()

    run_jobs("default")

    assert Run.objects.get().trial == 1


def test_a_lost_worker_of_a_trial_is_followed_by_the_same_trial(sweep):
    run_jobs("default")
    run = Run.objects.get()
    lost = jobs.claim("training")
    actions.begin(run.uuid)
    Job.objects.filter(pk=lost.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.reap()
    run_jobs("default")

    assert Run.objects.count() == 1
    finish_trial(run, 0.5)
    run_jobs("default")
    assert list(Run.objects.values_list("trial", flat=True).order_by("trial")) == [1, 2]


def test_three_failures_in_a_row_stop_it_with_a_reason(snapshot, base, mia):
    sweep = make_sweep(snapshot, mia, trials=9)
    for _ in range(3):
        run_jobs("default")
        run = Run.objects.latest("id")
        actions.begin(run.uuid)
        actions.fail(run.uuid, "nan_loss", "The loss is not a number.", "Lower the rate.")
    run_jobs("default")

    sweep.refresh_from_db()
    assert (sweep.state, sweep.ending["message"]) == (
        "failed",
        "3 trials in a row failed, so the sweep stopped.",
    )
    assert Run.objects.count() == 3


@pytest.mark.postgres
def test_a_stopped_trial_is_no_failure_and_the_next_one_starts(sweep, lee):
    run_jobs("default")
    actions.stop(run_id=Run.objects.get().uuid, actor=lee)
    run_jobs("default")

    assert [run.state for run in Run.objects.order_by("trial")] == ["stopped", "queued"]
    assert sweep_queries.ended_trials(sweep, sweep.trials.all())[0].outcome is search.Outcome.FAILED


def test_a_trial_after_the_time_limit_is_not_started(snapshot, base, mia):
    sweep = make_sweep(snapshot, mia, trials=3, minutes=30)
    run_jobs("default")
    finish_trial(Run.objects.get(), 0.7)
    behind_its_back("UPDATE training_sweep SET created_at = %s", timezone.now() - timedelta(minutes=31))
    run_jobs("default")

    sweep.refresh_from_db()
    assert (sweep.state, sweep.ending["message"]) == (
        "finished",
        "The time limit of 30 min was reached after 1 of 3 trials.",
    )
    assert Run.objects.count() == 1


def test_a_user_who_lost_the_role_launches_no_more_trials(sweep, project, mia, lee):
    access.revoke(user=mia, role=Role.ENGINEER, root=project, actor=lee)

    run_jobs("default")

    sweep.refresh_from_db()
    assert (sweep.state, sweep.ending["message"]) == (
        "failed",
        f"The person who started this sweep can no longer train on {sweep.snapshot}.",
    )
    assert not Run.objects.exists()


@pytest.mark.postgres
def test_an_exception_in_the_job_ends_the_sweep_with_its_message(sweep, monkeypatch):
    monkeypatch.setattr(search, "suggest", lambda *args, **named: 1 / 0)

    run_jobs("default")

    sweep.refresh_from_db()
    assert (sweep.state, sweep.ending["message"]) == (
        "failed",
        "The job failed with an internal error (ZeroDivisionError).",
    )


# ── Cancelling ──────────────────────────────────────────────────────────────
def test_a_cancelled_sweep_stops_its_trial_and_starts_no_other(sweep, lee):
    run_jobs("default")

    actions.cancel_sweep(sweep_id=sweep.uuid, actor=lee)
    actions.cancel_sweep(sweep_id=sweep.uuid, actor=lee)
    run_jobs("default")

    sweep.refresh_from_db()
    assert (sweep.state, sweep.ending["message"]) == ("cancelled", "1 of 3 trials had been started.")
    assert Run.objects.get().state == "stopped"
    assert Event.objects.filter(verb="training.sweep_cancelled").count() == 1


@pytest.mark.postgres
def test_a_sweep_waits_for_a_paused_trial_and_a_cancelled_one_stops_it(sweep, mia):
    run_jobs("default")
    trial = Run.objects.get()
    actions.pause(run_id=trial.uuid, actor=mia)

    assert actions.next_trial(sweep.uuid) is None
    actions.cancel_sweep(sweep_id=sweep.uuid, actor=mia)

    trial.refresh_from_db()
    sweep.refresh_from_db()
    assert (trial.state, sweep.state, Run.objects.count()) == ("stopped", "cancelled", 1)


def test_a_sweep_ends_when_its_space_is_exhausted(sweep, monkeypatch):
    monkeypatch.setattr(search, "suggest", lambda *args, **named: None)

    run_jobs("default")

    sweep.refresh_from_db()
    assert (sweep.state, sweep.ending["message"]) == (
        "finished",
        "0 of 3 trials finished: every combination has been tried.",
    )


def test_a_trial_that_ends_while_its_sweep_is_cancelled_keeps_its_state(sweep, mia, monkeypatch):
    run_jobs("default")
    read_before = list(sweep_queries.trials_of(sweep))
    finish_trial(Run.objects.get(), 0.7)
    monkeypatch.setattr(sweep_queries, "trials_of", lambda sweep: read_before)

    actions.cancel_sweep(sweep_id=sweep.uuid, actor=mia)

    sweep.refresh_from_db()
    assert (sweep.state, Run.objects.get().state) == ("cancelled", "succeeded")


def test_no_personal_name_is_in_the_audit_log(sweep, lee):
    run_jobs("default")

    actions.cancel_sweep(sweep_id=sweep.uuid, actor=lee)

    events = [event.canonical for event in Event.objects.filter(verb__startswith="training.sweep_")]
    assert len(events) == 3
    assert not any(str(lee) in each for each in events)


def test_a_trial_resumed_after_its_sweep_ended_is_an_ordinary_run(sweep, mia):
    run_jobs("default")
    trial = Run.objects.get()
    actions.cancel_sweep(sweep_id=sweep.uuid, actor=mia)
    trial = actions.resume(run_id=trial.uuid, actor=mia)

    assert sweep_queries.find_cut(trial) is None
    finish_run(trial)

    assert Job.objects.filter(kind="evaluation.evaluate", subject_uuid=trial.uuid).exists()


def test_only_engineers_and_leads_cancel(sweep, ana, gita, omar, otto):
    run_jobs("default")

    for person in (ana, gita, omar, otto):
        with pytest.raises(PermissionDenied):
            actions.cancel_sweep(sweep_id=sweep.uuid, actor=person)

    sweep.refresh_from_db()
    assert (sweep.state, Run.objects.get().state) == ("running", "queued")


def test_a_sweep_that_has_ended_is_not_cancelled(sweep, mia):
    actions.end_sweep(sweep.uuid, SweepState.FAILED, "It broke.")

    with refused(
        by=Conflict,
        naming=(
            "Sweep 1",
            "failed",
        ),
    ):
        actions.cancel_sweep(sweep_id=sweep.uuid, actor=mia)

    sweep.refresh_from_db()
    assert sweep.ending["message"] == "It broke."


@pytest.mark.postgres
def test_cancelling_the_job_of_a_sweep_cancels_the_sweep(sweep, mia):
    jobs.cancel(Job.objects.get(kind="training.next_trial").uuid, mia)

    sweep.refresh_from_db()
    assert (sweep.state, sweep.ending["message"]) == (
        "cancelled",
        "The job that starts its next trial was cancelled.",
    )


# ── Rules ───────────────────────────────────────────────────────────────────
OK, BAD, CUT, HALT = RunState.SUCCEEDED, RunState.FAILED, RunState.PRUNED, RunState.STOPPED


@pytest.mark.parametrize(
    ("states", "minutes", "expected"),
    [
        ([], 0, None),
        ([OK, BAD, BAD], 0, None),
        ([BAD, HALT, BAD], 0, None),
        ([BAD, BAD, CUT, BAD], 0, None),
        ([OK, BAD, HALT, BAD, BAD], 0, "3 trials in a row failed, so the sweep stopped."),
        ([OK] * 6, 0, "6 of 6 trials finished."),
        ([CUT, BAD] * 3, 0, "6 of 6 trials finished. None produced a model."),
        ([OK], 60, "The time limit of 60 min was reached after 1 of 6 trials."),
    ],
)
def test_when_a_sweep_ends(states, minutes, expected):
    ending = find_ending(states, trials=6, minutes=minutes, limit=60)

    assert (ending and ending.message) == expected


def test_a_sweep_without_a_model_has_failed():
    assert find_ending([BAD], trials=1, minutes=0, limit=None) == Ending(
        SweepState.FAILED,
        "1 of 1 trials finished. None produced a model.",
        "See their pages for the reasons.",
    )


@pytest.mark.parametrize(
    ("ended", "since", "expected"),
    [(0, 5.0, None), (2, 0.0, 200.0), (2, 30.0, 170.0), (2, 900.0, 150.0), (6, 9.0, 0.0)],
)
def test_the_time_left_follows_the_pace_of_ended_trials(ended, since, expected):
    assert seconds_left(ended=ended, trials=6, seconds=100.0, since_last=since) == expected


def test_a_reproduction_of_a_trial_belongs_to_no_sweep(sweep, mia):
    run_jobs("default")
    first = finish_trial(Run.objects.get(), 0.8)

    again = finish_run(actions.reproduce(run_id=first.uuid, actor=mia))

    assert (again.sweep, again.trial) == (None, None)
