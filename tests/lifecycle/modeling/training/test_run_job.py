"""How a run's job handles the end of its (simulated) process: success, failure, cancellation, crash."""

from __future__ import annotations

import fcntl
import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from lifecycle.ground.compute.child import Result
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs import runner
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, queries, tasks
from lifecycle.modeling.training.models import MetricPoint, Run
from lifecycle.runtime.engine import memory
from lifecycle.runtime.refusals import Conflict
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs
from tests.support.training import curve_events, write_artifact


@pytest.fixture
def run(waiting) -> Run:
    return waiting


@pytest.fixture
def child(monkeypatch):
    """Replace the engine's process: child(result, events=..., look=...)."""

    def set_result(result: Result, events=(), look=lambda folder: None) -> None:
        def run_child(ctx: JobContext, verb: str, folder: Path, on_events, **options):
            look(folder)
            if events:
                with transaction.atomic():  # like the real one
                    on_events(list(events))
            return result

        monkeypatch.setattr(tasks, "run_child", run_child)

    return set_result


def folder_of(run: Run) -> Path:
    return Path(settings.DATA_DIR) / "runs" / str(run.uuid)


DONE = {
    "format": 1,
    "status": "succeeded",
    "error": None,
    "best_step": 4,
    "last_step": 6,
    "metrics": {"macro_f1": 0.5},
}
KILLED = Result("failed", "out_of_memory", "The process was killed from outside.", "Resume it.")


def test_a_process_that_died_without_a_result_is_retried_and_then_fails(run, child):
    tries = []
    child(KILLED, look=lambda folder: tries.append((folder / "train.jsonl").exists()))

    job = run_jobs("training")[0]

    run.refresh_from_db()
    assert tries == [True] * tasks.TRIES
    assert job.state == "failed"
    assert (run.state, run.error["code"]) == (Run.State.FAILED, "out_of_memory")
    assert not (folder_of(run) / "train.jsonl").exists()


def test_a_process_killed_twice_is_retried_with_half_the_batch(run, child):
    passed = []
    child(KILLED, look=lambda folder: passed.append(memory.kept(folder, run.spec["batch_size"]).rows))

    run_jobs("training")

    assert passed == [run.spec["batch_size"], run.spec["batch_size"], run.spec["batch_size"] // 2]


def test_a_lost_worker_does_not_count_as_a_crash(run, child):
    passed = []
    child(KILLED, look=lambda folder: passed.append(memory.kept(folder, run.spec["batch_size"]).rows))
    Job.objects.filter(pk=run.job_id).update(attempt=1)  # as after the reaper

    run_jobs("training")

    assert passed == [run.spec["batch_size"], run.spec["batch_size"], run.spec["batch_size"] // 2]


@pytest.mark.postgres
def test_a_run_waits_for_the_process_of_a_lost_worker_and_takes_its_result(run, child, monkeypatch):
    child(Result("failed", "crashed", "It must not be started.", ""))
    folder, waited = folder_of(run), []
    folder.mkdir(parents=True)
    lock = (folder / "lock").open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)

    def leave(seconds: float) -> None:
        waited.append(Job.objects.get(pk=run.job_id).stage)
        if len(waited) == 3:
            write_artifact(folder / "artifact", run)
            (folder / "result.json").write_text(json.dumps(DONE))
            lock.close()

    monkeypatch.setattr("lifecycle.ground.compute.child.time.sleep", leave)

    runner.execute(jobs.claim("training"), beating=False)

    run.refresh_from_db()
    assert waited == ["Waiting for a lost worker's process to exit"] * 3
    assert run.state == Run.State.SUCCEEDED
    assert not (folder / "train.jsonl").exists()


def test_a_run_that_is_cancelled_while_another_process_works_in_its_folder_ends(run, child, monkeypatch, mia):
    child(Result("failed", "crashed", "It must not be started.", ""))
    folder_of(run).mkdir(parents=True)
    monkeypatch.setattr(
        "lifecycle.ground.compute.child.time.sleep", lambda seconds: jobs.cancel(run.job.uuid, actor=mia)
    )
    with (folder_of(run) / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runner.execute(jobs.claim("training"), beating=False)

    run.refresh_from_db()
    assert run.state == Run.State.STOPPED


def test_a_crashed_process_is_retried_unchanged(run, child):
    child(Result("failed", "crashed", "It ended with signal SIGSEGV.", "Resume it."))

    run_jobs("training")

    assert not (folder_of(run) / memory.FILE).exists()


def test_a_process_that_reported_its_failure_is_not_retried(run, child):
    tries = []
    result = {
        "status": "failed",
        "error": {"code": "nan_loss", "message": "The loss is not a number.", "next_step": "Lower the rate."},
    }
    child(
        Result("failed", "nan_loss", "The loss is not a number.", "Lower the rate.", result),
        look=lambda folder: tries.append(1),
    )

    run_jobs("training")

    run.refresh_from_db()
    assert tries == [1]
    assert run.error["code"] == "nan_loss"


def test_the_process_finds_spec_rows_and_base_in_its_folder(run, child):
    seen = {}

    def look(folder: Path) -> None:
        seen["spec"] = json.loads((folder / "spec.json").read_text())
        seen["train"] = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
        seen["base"] = sorted(path.name for path in (folder / "base").iterdir())

    child(Result("failed", "crashed", "It stopped.", "Resume it."), look=look)
    run_jobs("training")

    assert seen["spec"] == run.spec
    assert len(seen["train"]) == run.snapshot.counts["splits"]["train"]
    assert set(seen["train"][0]) == {"id", "text", "label", "cluster"}
    assert seen["base"] == ["README.md", "config.json", "model.safetensors", "tokenizer.json"]


def test_a_failure_ends_the_run_with_a_sentence_and_a_next_step(run, child):
    child(
        Result("failed", "nan_loss", "The loss is not a number since step 4.", "Halve the learning rate."),
        events=curve_events()[:2],
    )

    (job,) = run_jobs("training")

    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert run.error == {
        "code": "nan_loss",
        "message": "The loss is not a number since step 4.",
        "next_step": "Halve the learning rate.",
    }
    assert (job.state, job.error, job.next_step) == ("failed", run.error["message"], run.error["next_step"])
    assert run.points.filter(name="train_loss").count() == 2
    assert not (folder_of(run) / "train.jsonl").exists()


def test_a_defect_in_the_worker_ends_the_run_too(run, child, monkeypatch):
    monkeypatch.setattr(tasks, "prepare", lambda *args: 1 / 0)

    run_jobs("training")

    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert run.error["code"] == "crashed"
    assert run.error["message"] == "The job failed with an internal error (ZeroDivisionError)."


def test_a_worker_lost_between_training_and_recording_does_not_train_again(run, child):
    actions.begin(run.uuid)
    write_artifact(folder_of(run) / "artifact", run)
    (folder_of(run) / "result.json").write_text(json.dumps(DONE))
    child(Result("failed", "crashed", "The process was started again.", ""))

    runner.execute(jobs.claim("training"), beating=False)

    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED
    assert run.metrics == {"macro_f1": 0.5}
    assert {path.name for path in folder_of(run).iterdir()} == {"result.json"}


class Killed(BaseException):
    """The worker was killed."""


def killed(*_: object, **__: object) -> None:
    raise Killed


def executed_twice(run: Run) -> Job:
    """Execute a run's job with a worker that is killed, then with another."""
    with pytest.raises(Killed):
        runner.execute(jobs.claim("training"), beating=False)
    Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.reap()
    run_jobs("training")
    run.refresh_from_db()
    return run.job


@pytest.mark.postgres
def test_the_job_of_a_worker_lost_after_recording_a_success_succeeds(run, child, monkeypatch):
    child(Result("succeeded", data=DONE), look=lambda folder: write_artifact(folder / "artifact", run))
    clean = tasks.clean
    monkeypatch.setattr(tasks, "clean", lambda folder: monkeypatch.setattr(tasks, "clean", clean) or killed())

    job = executed_twice(run)

    assert (run.state, job.state, job.attempt, job.error) == (Run.State.SUCCEEDED, "succeeded", 2, "")
    assert {path.name for path in folder_of(run).iterdir()} <= {"spec.json", "events.jsonl", "result.json"}
    assert Event.objects.filter(object_id=str(run.uuid), verb="training.ended").count() == 1


@pytest.mark.postgres
def test_the_job_of_a_worker_lost_after_recording_a_failure_has_its_reason(run, child, monkeypatch):
    child(Result("failed", "nan_loss", "The loss is not a number.", "Lower the rate.", {"status": "failed"}))
    fail = jobs.fail
    monkeypatch.setattr(
        jobs, "fail", lambda *args, **kwargs: monkeypatch.setattr(jobs, "fail", fail) or killed()
    )

    job = executed_twice(run)

    assert (run.state, run.error["code"]) == (Run.State.FAILED, "nan_loss")
    assert (job.state, job.error, job.next_step) == ("failed", "The loss is not a number.", "Lower the rate.")
    assert Event.objects.filter(object_id=str(run.uuid), verb="training.ended").count() == 1


@pytest.mark.postgres
def test_a_run_that_waits_stops_at_once_and_resumes_with_a_new_job(run, mia, lee):
    first = run.job
    actions.stop(run_id=run.uuid, actor=mia)
    run.refresh_from_db()
    assert run.state == Run.State.STOPPED

    actions.resume(run_id=run.uuid, actor=lee)

    run.refresh_from_db()
    assert run.state == Run.State.QUEUED
    assert run.job != first
    assert queries.workers_of(run).trained == {mia.uuid, lee.uuid}
    verbs = ["training.launched", "training.stopped", "training.ended", "training.resumed"]
    assert (
        list(Event.objects.filter(object_id=str(run.uuid)).order_by("seq").values_list("verb", flat=True))
        == verbs
    )


def test_a_running_run_stops_when_its_process_has_left(run, child, mia):
    child(
        Result("cancelled", data={"status": "cancelled", "last_step": 20}),
        events=curve_events()[:2],
        look=lambda folder: actions.stop(run_id=run.uuid, actor=mia),
    )

    (job,) = run_jobs("training")

    run.refresh_from_db()
    assert (job.state, run.state, run.step) == ("cancelled", Run.State.STOPPED, 20)
    assert run.result["last_step"] == 20


def test_a_run_that_has_ended_cannot_be_stopped_or_resumed(finished, mia):
    run = finished

    for act in (actions.stop, actions.resume):
        with pytest.raises(Conflict):
            act(run_id=run.uuid, actor=mia)

    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED


@pytest.mark.parametrize("person", ["ana", "gita", "otto"])
def test_only_engineers_and_leads_stop(request, run, person):
    with pytest.raises(PermissionDenied):
        actions.stop(run_id=run.uuid, actor=request.getfixturevalue(person))

    run.refresh_from_db()
    assert run.state == Run.State.QUEUED
    assert not Event.objects.filter(verb="training.stopped").exists()


def test_events_twice_are_one_point_with_the_last_value(run):
    event = {
        "seq": 0,
        "at": "2026-11-24T12:00:00+00:00",
        "kind": "metric",
        "step": 5,
        "total_steps": 10,
        "epoch": 1.0,
    }

    actions.record_events(run, [event | {"values": {"train_loss": 2.0, "gradient_norm": None}}])
    actions.record_events(
        run, [event | {"values": {"train_loss": 1.5}}, event | {"values": {"train_loss": 1.0}}]
    )

    assert list(MetricPoint.objects.values_list("name", "step", "value")) == [("train_loss", 5, 1.0)]
    run.refresh_from_db()
    assert (run.step, run.total_steps) == (5, 10)


@pytest.mark.postgres
def test_an_updated_diagnosis_replaces_the_earlier_one(run):
    finding = {
        "seq": 0,
        "at": "2026-11-24T12:00:00+00:00",
        "kind": "finding",
        "code": "overfitting",
        "title": "Overfitting.",
        "detail": "",
    }

    actions.record_events(run, [finding | {"severity": "watch", "from_step": 1, "to_step": 2}])
    actions.record_events(run, [finding | {"severity": "bad", "from_step": 1, "to_step": 9}])

    (kept,) = run.diagnoses.all()
    assert (kept.severity, kept.to_step) == ("bad", 9)


@pytest.mark.parametrize("status", ["failed", "cancelled", "succeeded"])
def test_a_worker_that_lost_its_job_records_nothing(run, child, status):
    """Another worker has taken it over and records its end."""

    def taken_over(folder: Path) -> None:
        write_artifact(folder / "artifact", run)
        Job.objects.filter(kind="training.train").update(lease_token=uuid4())

    child(
        Result(status, "nan_loss", "The loss was no longer a number.", "Lower it.", {"metrics": {}}),
        look=taken_over,
    )
    run_jobs("training")

    run.refresh_from_db()
    assert (run.state, run.artifact, run.error) == (Run.State.TRAINING, None, None)
    assert not Event.objects.filter(verb="training.ended").exists()
