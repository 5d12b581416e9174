"""Queueing, claiming, ending: what the queue of record promises."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from lifecycle.ground.jobs import actions, celery, context, queries, registry, rules, runner
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from tests.support.jobs import kind, run_jobs
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def counting():
    """A kind of work that notes each execution."""
    seen = []
    with kind("test.count", lambda ctx: seen.append(ctx.args["n"])):
        yield seen


def queue(n=1, **options):
    return actions.enqueue("test.count", actor=None, project=None, args={"n": n}, **options)


def test_job_runs_once_and_ends_as_succeeded(counting):
    job = queue(7)

    ended = run_jobs()

    assert counting == [7]
    assert ended == [job]
    job.refresh_from_db()
    assert (job.state, job.attempt, job.lease_token, job.error) == (State.SUCCEEDED, 1, None, "")
    assert job.started_at <= job.finished_at


def test_jobs_run_in_the_order_they_were_queued(counting):
    for n in (1, 2, 3):
        queue(n)

    run_jobs()

    assert counting == [1, 2, 3]


def test_unknown_kind_cannot_be_queued():
    with pytest.raises(registry.UnknownKind, match="test.nobody"):
        actions.enqueue("test.nobody", actor=None, project=None, args={})

    assert Job.objects.count() == 0


def test_same_key_gives_the_job_that_waits(counting):
    first = queue(1, key="import 5")
    second = queue(2, key="import 5")

    run_jobs()

    assert first == second
    assert counting == [1]


def test_key_is_free_again_when_its_job_ended(counting):
    first = queue(1, key="import 5")
    run_jobs()

    second = queue(2, key="import 5")
    run_jobs()

    assert first != second
    assert counting == [1, 2]


@pytest.mark.postgres
def test_database_refuses_two_unfinished_jobs_with_one_key(counting):
    queue(1, key="import 5")

    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.create(kind="test.count", key="import 5", available_at=timezone.now())

    assert Job.objects.count() == 1


@pytest.mark.postgres
def test_bell_rings_only_after_commit(counting, monkeypatch, django_capture_on_commit_callbacks):
    rung = []
    monkeypatch.setattr(
        celery.app,
        "send_task",
        lambda name, **options: rung.append((name, options["args"], options["queue"])),
    )

    with django_capture_on_commit_callbacks() as callbacks:
        queue()
    before = list(rung)
    for call in callbacks:
        call()

    assert before == []
    assert rung == [("lifecycle.ground.jobs.tasks.drain", ["default"], "default")]


def test_dead_broker_does_not_harm_the_job(counting, monkeypatch, django_capture_on_commit_callbacks):
    def refuse(*args, **options):
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(celery.app, "send_task", refuse)

    with django_capture_on_commit_callbacks(execute=True):
        job = queue()

    job.refresh_from_db()
    assert job.state == State.QUEUED


def test_two_bells_do_not_run_a_job_twice(counting):
    queue(1)
    first, second = actions.claim("default"), actions.claim("default")

    assert first is not None
    assert second is None
    runner.execute(first, beating=False)
    assert counting == [1]


def test_refusal_of_a_handler_is_what_people_read():
    def refuse(ctx):
        raise Refused("The file holds one class.", next_step="Add rows of a second class.")

    failed = []
    with kind("test.refuse", refuse, on_failed=lambda job: failed.append((job.state, job.error))):
        actions.enqueue("test.refuse", actor=None, project=None, args={})
        (job,) = run_jobs()

    assert (job.state, job.error, job.next_step) == (
        State.FAILED,
        "The file holds one class.",
        "Add rows of a second class.",
    )
    assert job.refusal == "refused"
    assert failed == [(State.FAILED, "The file holds one class.")]


def test_bug_in_a_handler_shows_no_detail_to_people():
    def broken(ctx):
        raise KeyError("text of a user")

    with kind("test.broken", broken):
        actions.enqueue("test.broken", actor=None, project=None, args={})
        (job,) = run_jobs()

    assert job.state == State.FAILED
    assert (job.error, job.refusal) == ("The job failed with an internal error (KeyError).", "")
    assert "user" not in job.error + job.next_step + job.message
    assert job.attempt == 1


def test_passing_obstacle_is_tried_again_until_attempts_are_used_up():
    tries = []

    def not_yet(ctx):
        tries.append(ctx.job.attempt)
        raise NotReady("The inference server does not answer.")

    with kind("test.not_yet", not_yet, max_attempts=3):
        actions.enqueue("test.not_yet", actor=None, project=None, args={})
        (job,) = run_jobs()

    assert tries == [1, 2, 3]
    assert (job.state, job.error) == (State.FAILED, "The inference server does not answer.")


def test_retry_waits_longer_each_time():
    assert [rules.backoff(n) for n in (1, 2, 3, 20)] == [timedelta(seconds=s) for s in (2, 4, 8, 300)]


@pytest.mark.postgres
def test_failing_hook_does_not_keep_the_job_running():
    def broken_hook(job):
        raise RuntimeError("hook")

    def refuse(ctx):
        raise Refused("No.")

    with kind("test.hook", refuse, on_failed=broken_hook):
        actions.enqueue("test.hook", actor=None, project=None, args={})
        (job,) = run_jobs()

    assert job.state == State.FAILED


def test_progress_and_checkpoint_are_kept():
    def work(ctx):
        ctx.progress(3, 10, stage="Reading rows", unit="rows")
        ctx.checkpoint({"row": 3})

    with kind("test.work", work):
        actions.enqueue("test.work", actor=None, project=None, args={})
        (job,) = run_jobs()

    assert (job.stage, job.done, job.total, job.unit, job.percent, job.checkpoint) == (
        "Reading rows",
        3,
        10,
        "rows",
        30,
        {"row": 3},
    )


def test_new_stage_forgets_the_total():
    job = Job(kind="x", stage="Reading", total=10, done=10)
    ctx = context.JobContext(job, beating=True)

    ctx.progress(0, stage="Writing")

    assert (job.stage, job.done, job.total) == ("Writing", 0, None)


def test_rate_and_time_left_are_computed():
    assert rules.rate(done_then=100, done_now=400, seconds=10) == 30
    assert rules.rate(done_then=100, done_now=100, seconds=10) is None
    assert rules.eta_seconds(done=400, total=1000, rate=30) == 20
    assert rules.eta_seconds(done=400, total=None, rate=30) is None
    assert rules.percent(1, 3) == 33
    assert rules.percent(5, 0) is None


def test_ended_job_cannot_move():
    assert rules.FINAL.isdisjoint(rules.MOVES)


# ── Lease ───────────────────────────────────────────────────────────────────
def lapse(job):
    """Let the lease of a running job run out."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_silent_worker_loses_its_job_and_the_next_attempt_has_the_checkpoint(counting):
    queue(1)
    first = actions.claim("default")
    Job.objects.filter(pk=first.pk).update(checkpoint={"row": 1000})
    lapse(first)

    assert actions.reap() == 1
    second = actions.claim("default")

    assert second.pk == first.pk
    assert (second.attempt, second.checkpoint) == (2, {"row": 1000})
    assert second.lease_token != first.lease_token


def test_job_with_a_fresh_heartbeat_is_not_reaped(counting):
    queue(1)
    job = actions.claim("default")

    assert actions.reap() == 0

    job.refresh_from_db()
    assert job.state == State.RUNNING


def test_job_fails_with_a_sentence_when_attempts_are_used_up():
    failed = []
    with kind("test.once", lambda ctx: None, max_attempts=1, on_failed=failed.append):
        actions.enqueue("test.once", actor=None, project=None, args={})
        job = actions.claim("default")
        lapse(job)

        actions.reap()

    job.refresh_from_db()
    assert job.state == State.FAILED
    assert job.error == "The worker stopped unexpectedly in attempt 1 of 1, so the job failed."
    assert failed == [job]


def test_who_lost_the_lease_writes_nothing(counting):
    queue(1)
    old = actions.claim("default")
    lapse(old)
    actions.reap()
    new = actions.claim("default")
    ctx = context.JobContext(old, beating=False)

    ctx.progress(99, 100, stage="Late")
    ended = actions.finish(old)
    with pytest.raises(context.LeaseLost):
        ctx.checkpoint({"late": True})
    with pytest.raises(context.LeaseLost):
        ctx.raise_if_cancelled()

    assert ctx.lost
    assert ended is False
    new.refresh_from_db()
    assert (new.state, new.stage, new.checkpoint) == (State.RUNNING, "", {})


@pytest.mark.postgres
def test_handler_that_lost_its_lease_does_not_end_the_job():
    def lose(ctx):
        lapse(ctx.job)
        actions.reap()
        ctx.raise_if_cancelled()

    with kind("test.lose", lose):
        actions.enqueue("test.lose", actor=None, project=None, args={})
        runner.execute(actions.claim("default"), beating=False)

    job = Job.objects.get()
    assert (job.state, job.attempt) == (State.QUEUED, 1)


def test_hold_refuses_the_writes_of_who_lost_the_lease(counting):
    queue(1)
    old = actions.claim("default")
    lapse(old)
    actions.reap()

    with pytest.raises(context.LeaseLost), transaction.atomic():
        context.JobContext(old, beating=False).hold()


def test_leaving_worker_puts_the_job_back_without_charging_an_attempt(monkeypatch):
    monkeypatch.setattr(context, "stopping", threading.Event())
    context.stopping.set()
    with kind("test.leave", lambda ctx: ctx.raise_if_cancelled()):
        actions.enqueue("test.leave", actor=None, project=None, args={})
        runner.execute(actions.claim("default"), beating=False)

    job = Job.objects.get()
    assert (job.state, job.attempt) == (State.QUEUED, 0)
    assert job.message == "Its worker was stopped; the job continues when one is free."


# ── Cancel ──────────────────────────────────────────────────────────────────
def test_waiting_job_is_cancelled_at_once(project, mia):
    cancelled = []
    with kind("test.wait", lambda ctx: None, on_cancelled=cancelled.append):
        job = actions.enqueue("test.wait", actor=mia, project=project, args={})

        actions.cancel(job.uuid, mia)

        assert run_jobs() == []
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert cancelled == [job]


def test_running_job_stops_at_its_next_safe_point(project, mia):
    def work(ctx):
        actions.cancel(ctx.job.uuid, mia)
        ctx.raise_if_cancelled()
        raise AssertionError("went on")

    with kind("test.stop", work):
        actions.enqueue("test.stop", actor=mia, project=project, args={})
        (job,) = run_jobs()

    assert job.state == State.CANCELLED


def test_ended_job_cannot_be_cancelled(counting, mia):
    job = actions.enqueue("test.count", actor=mia, project=None, args={"n": 1})
    run_jobs()

    with refused(
        by=Conflict,
        naming=(
            "succeeded",
            "cancelled",
        ),
    ):
        actions.cancel(job.uuid, mia)

    job.refresh_from_db()
    assert (job.state, job.cancel_requested_at) == (State.SUCCEEDED, None)


def test_dead_job_that_was_asked_to_stop_is_cancelled(counting, mia):
    actions.enqueue("test.count", actor=mia, project=None, args={"n": 1})
    job = actions.claim("default")
    actions.cancel(job.uuid, mia)
    lapse(job)

    actions.reap()

    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_list_hides_what_the_kind_hides(counting, project, mia):
    with kind("test.secret", lambda ctx: None, can_see=lambda user, job: False):
        actions.enqueue("test.secret", actor=None, project=project, args={})
        seen = actions.enqueue("test.count", actor=None, project=project, args={"n": 1})

        assert [line.job for line in queries.running(mia)] == [seen]


# ── Races (PostgreSQL) ──────────────────────────────────────────────────────
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_claimers_get_each_job_exactly_once(counting):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time.")
    for n in range(40):
        queue(n)
    got, lock, start = [], threading.Lock(), threading.Barrier(8)

    def worker():
        start.wait()
        while job := actions.claim("default"):
            with lock:
                got.append(job.pk)
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 40
    assert len(set(got)) == 40


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_queue_one_job(counting):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time.")
    start, made = threading.Barrier(4), []

    def click():
        start.wait()
        made.append(queue(1, key="one").pk)
        connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 4
    assert len(set(made)) == 1
