"""An engine verb in a child process: its events, its end, and that nothing leaks in or stays behind."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from lifecycle.ground.compute.child import NICE, run_child
from lifecycle.ground.compute.environment import scrubbed
from lifecycle.ground.jobs import actions, context
from lifecycle.ground.jobs.context import JobContext, LeaseLost, Released
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from tests.support.jobs import kind
from tests.support.processes import family

pytestmark = pytest.mark.django_db
PROGRAM = (sys.executable, str(Path(__file__).parents[3] / "support" / "fake_engine.py"))


@pytest.fixture
def ctx():
    """A claimed job in the hands of a handler."""
    with kind("test.child", lambda ctx: None):
        actions.enqueue("test.child", actor=None, project=None, args={})
        yield JobContext(actions.claim("default"), beating=False)


def run(ctx, folder, script, on_events=lambda events: None, **options):
    (folder / "script").write_text(script)
    return run_child(ctx, "train", folder, on_events, program=PROGRAM, **options)


def test_events_arrive_once_and_in_order(ctx, tmp_path):
    seen = []

    result = run(ctx, tmp_path, "event event event", seen.extend)

    assert [event["seq"] for event in seen] == [0, 1, 2]
    assert (result.status, result.ok, result.data["best_step"]) == ("succeeded", True, 4)
    assert (ctx.job.done, ctx.job.total, ctx.job.unit) == (3, 4, "steps")


def test_finished_rows_are_reported_as_progress(ctx, tmp_path):
    run(ctx, tmp_path, "rows rows rows")

    assert (ctx.job.done, ctx.job.total, ctx.job.unit) == (3, 9, "rows")


def test_second_attempt_gets_only_new_events(ctx, tmp_path):
    first, second = [], []
    run(ctx, tmp_path, "event event", first.extend)
    Job.objects.filter(pk=ctx.job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    actions.reap()
    again = JobContext(actions.claim("default"), beating=False)

    run(again, tmp_path, "event", second.extend)

    assert [event["seq"] for event in first] == [0, 1]
    assert [event["seq"] for event in second] == [2]


def test_a_folder_that_was_laid_out_anew_is_read_from_its_beginning(ctx, tmp_path):
    first, second = [], []
    run(ctx, tmp_path, "event event event", first.extend)
    anew = tmp_path / "anew"
    anew.mkdir()

    run(ctx, anew, "event", second.extend)

    assert [event["seq"] for event in second] == [0]
    assert len(first) == 3


def test_torn_line_waits(ctx, tmp_path):
    seen = []

    run(ctx, tmp_path, "event torn", seen.extend)

    assert [event["seq"] for event in seen] == [0]


def test_batch_that_cannot_be_recorded_is_not_forgotten(ctx, tmp_path):
    def refuse(events):
        raise RuntimeError("database")

    with pytest.raises(RuntimeError):
        run(ctx, tmp_path, "event wait", refuse)

    seen = []
    run(ctx, tmp_path, "event", seen.extend)
    assert [event["seq"] for event in seen] == [0, 1]


def test_result_of_the_engine_is_what_people_read(ctx, tmp_path):
    result = run(ctx, tmp_path, "fail")

    assert (result.status, result.code, result.message, result.next_step) == (
        "failed",
        "one_class",
        "All rows have one label.",
        "Label more.",
    )


def test_crash_without_result_reports_its_exit_status(ctx, tmp_path):
    result = run(ctx, tmp_path, "crash")

    assert (result.status, result.code, result.message) == (
        "failed",
        "crashed",
        "The process exited without a result (exit status 3).",
    )
    assert (
        result.next_step
        == "Check the end of its log, then resume. The run continues from its last checkpoint."
    )


def test_kill_from_outside_is_reported_as_lack_of_memory(ctx, tmp_path):
    result = run(ctx, tmp_path, "die")

    assert (result.status, result.code) == ("failed", "out_of_memory")
    assert "memory" in result.message


def test_only_killed_and_crashed_children_are_logged(ctx, tmp_path, caplog):
    logged = {}

    for script in ("event", "fail", "die", "crash"):
        caplog.clear()
        run(ctx, tmp_path, script)
        logged[script] = [re.sub(r"pid=\d+", "pid=N", record.getMessage()) for record in caplog.records]

    start = f"child_died job={ctx.job.uuid} verb=train pid=N by="
    assert logged == {
        "event": [],
        "fail": [],
        "die": [f"{start}signal SIGKILL"],
        "crash": [f"{start}exit status 3"],
    }


@pytest.mark.skipif(
    sys.platform != "linux", reason="Only Linux shows the priority of another process in this way."
)
def test_what_trains_gives_way_to_what_computes_beside_it(ctx, tmp_path):
    found = {}

    for accelerated in (True, False):
        run(ctx, tmp_path, "nice", accelerated=accelerated)
        found[accelerated] = int((tmp_path / "nice").read_text()) - os.nice(0)

    assert found == {True: min(NICE, 19 - os.nice(0)), False: 0}


def test_result_of_an_earlier_execution_is_not_taken_for_this_one(ctx, tmp_path):
    run(ctx, tmp_path, "fail")

    assert run(ctx, tmp_path, "die").code == "out_of_memory"


def test_cancel_lets_the_child_write_its_checkpoint(ctx, tmp_path, mia):
    result = run(ctx, tmp_path, "event wait", lambda events: actions.cancel(ctx.job.uuid, _owner(ctx, mia)))

    assert result.status == "cancelled"


def test_child_that_did_enough_leaves_as_if_cancelled_and_its_job_is_not(ctx, tmp_path):
    seen = []

    result = run(ctx, tmp_path, "event wait", seen.extend, enough=lambda: bool(seen))

    assert (result.status, ctx.cancelled) == ("cancelled", False)


def test_deaf_child_is_killed_after_the_grace_and_cancelled_all_the_same(ctx, tmp_path, mia):
    result = run(
        ctx,
        tmp_path,
        "event deaf",
        lambda events: actions.cancel(ctx.job.uuid, _owner(ctx, mia)),
        grace_seconds=0.3,
    )

    assert (result.status, result.data) == ("cancelled", {})
    assert children() == []


def test_deaf_child_of_a_leaving_worker_is_killed_and_its_job_released(ctx, tmp_path, monkeypatch):
    monkeypatch.setattr(context, "stopping", threading.Event())

    with pytest.raises(Released):
        run(ctx, tmp_path, "event deaf", lambda events: context.stopping.set(), grace_seconds=0.3)

    assert children() == []


@pytest.mark.postgres
def test_lost_lease_ends_the_child_and_hands_nothing_on(ctx, tmp_path):
    def lose(events):
        Job.objects.filter(pk=ctx.job.pk).update(lease_token="00000000-0000-0000-0000-000000000001")

    with pytest.raises(LeaseLost):
        run(ctx, tmp_path, "event wait", lose)

    assert children() == []
    assert Job.objects.get().state == State.RUNNING


def test_leaving_worker_releases_the_job(ctx, tmp_path, monkeypatch):
    monkeypatch.setattr(context, "stopping", threading.Event())

    with pytest.raises(Released):
        run(ctx, tmp_path, "event wait", lambda events: context.stopping.set())

    assert json.loads((tmp_path / "result.json").read_text())["status"] == "cancelled"
    assert children() == []


def test_secrets_of_the_parent_are_not_in_the_child(ctx, tmp_path, monkeypatch):
    for name in (
        "SECRET_KEY",
        "DATABASE_URL",
        "BROKER_URL",
        "AWS_SECRET_ACCESS_KEY",
        "HF_TOKEN",
        "HTTPS_PROXY",
        "DJANGO_SETTINGS_MODULE",
    ):
        monkeypatch.setenv(name, "hidden-from-the-child")

    run(ctx, tmp_path, "environment", threads=1)

    environment = json.loads((tmp_path / "environment.json").read_text())
    assert "hidden-from-the-child" not in environment.values()
    assert (
        environment["HF_HUB_OFFLINE"],
        environment["OMP_WAIT_POLICY"],
        environment["OMP_NUM_THREADS"],
    ) == ("1", "PASSIVE", "1")


def test_environment_is_a_list_of_what_is_allowed():
    parent = {"PATH": "/bin", "HOME": "/root", "ANYTHING_NEW": "x"}

    environment = scrubbed(parent, threads=None)

    assert environment["PATH"] == "/bin"
    assert "ANYTHING_NEW" not in environment
    assert "OMP_NUM_THREADS" not in environment


@pytest.mark.parametrize("threads", [None, 1, 8])
def test_what_scikit_learn_fits_is_the_same_however_many_cores_there_are(threads):
    assert scrubbed({"OPENBLAS_NUM_THREADS": "2"}, threads=threads)["OPENBLAS_NUM_THREADS"] == "1"


def children():
    return family("fake_engine")


def _owner(ctx, person):
    Job.objects.filter(pk=ctx.job.pk).update(created_by=person)
    return person
