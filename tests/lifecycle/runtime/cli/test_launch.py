"""A run is launched, watched to its end or left alone, and listed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from uuid import uuid4

import pytest

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from tests.support import training


@pytest.fixture
def snapshot(project, mia):
    return training.make_snapshot(project, mia, name="Inbox")


@pytest.fixture
def base(project, mia):
    return training.make_base(project, mia)


@pytest.fixture
def run(snapshot, base, mia):
    return training.make_run(snapshot, mia, base=base, succeeded=False)


def stages(*steps):
    """Run one step at each pause of the command; fail when it pauses more often."""
    left = list(steps)
    return lambda: left.pop(0)()


def interrupt():
    raise KeyboardInterrupt


def test_launching_prints_how_to_follow_it(as_person, mia, snapshot, base, site):
    result = as_person(mia)(
        "runs", "launch", "inbox@1", "--strategy", "full", "--set", "epochs=3", "--note", "a wider head"
    )

    run = Run.objects.get()
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Run 1 launched: {site}/runs/{run.uuid}/\nFollow it: lifecycle runs watch 1\n"
    assert (run.snapshot, run.base, run.strategy, run.note, run.spec["epochs"]) == (
        snapshot,
        base,
        "full",
        "a wider head",
        3,
    )


def test_the_same_key_again_gives_the_same_run(as_person, mia, snapshot, base):
    command, key = as_person(mia), str(uuid4())

    first, again = (command("runs", "launch", "inbox@1", "--key", key, "--json").json for _ in range(2))

    assert first["uuid"] == again["uuid"]
    assert Run.objects.count() == 1


def test_watching_shows_progress_and_ends_with_the_scores(as_person, mia, run):
    def trains():
        actions.begin(run.uuid)
        actions.record_events(Run.objects.get(), training.curve_events()[:4])

    result = as_person(mia)(
        "runs", "watch", "1", during=stages(trains, lambda: training.finish_run(Run.objects.get()))
    )

    assert (result.code, result.waits) == (0, [2.0, 2.0])
    assert result.err.splitlines() == [
        "Run 1 queued",
        "Run 1 training: step 40 of 60, loss 0.4000, validation 1.0000",
    ]
    assert result.out.startswith(
        "Run 1 succeeded after 60 steps, best at step 40. On validation: macro F1 0."
    )


def test_a_run_that_ended_early_fails_with_the_reason(as_person, mia, run):
    broke = {
        "code": "nan_loss",
        "message": "The loss became NaN at step 43.",
        "next_step": "Lower both learning rates.",
    }

    result = as_person(mia)(
        "runs", "watch", "1", during=lambda: training.finish_run(Run.objects.get(), error=broke)
    )

    assert result.code == 1
    assert result.out.endswith(
        " It ended early: The loss became NaN at step 43. Lower both learning rates.\n"
    )


def test_the_model_is_divided_among_processes_by_two_settings(as_person, mia, snapshot, base, site):
    result = as_person(mia)(
        "runs", "launch", "inbox@1", "--strategy", "full", "--set", "processes=2", "--set", "sharded=true"
    )

    assert result.code == 0, result.error
    assert (Run.objects.get().spec["processes"], Run.objects.get().spec["sharded"]) == (2, True)


def test_the_name_of_a_class_stays_a_text_though_it_reads_as_a_number():
    from lifecycle.runtime.cli.commands.runs import options

    given = ["operating_class=1", "operating_point=recall", "operating_target=0.9"]
    assert options(given) == {"operating_class": "1", "operating_point": "recall", "operating_target": 0.9}


def test_launch_with_watch_is_both(as_person, mia, snapshot, base, site):
    result = as_person(mia)(
        "runs",
        "launch",
        "inbox@1",
        "--watch",
        "--json",
        during=lambda: training.finish_run(Run.objects.get()),
    )

    assert (result.code, result.err) == (0, "")
    assert (result.json["number"], result.json["state"], result.json["best_step"]) == (1, "succeeded", 40)


def test_ctrl_c_leaves_the_run_running(as_person, mia, run):
    actions.begin(run.uuid)

    result = as_person(mia)("runs", "watch", "1", during=interrupt)

    run.refresh_from_db()
    assert (result.code, result.out) == (130, "")
    assert result.err.splitlines()[-1] == "Run 1 continues. Watch it: lifecycle runs watch 1"
    assert run.state == "training"


def test_sigint_to_the_real_process_only_ends_the_watching(site, token, mia, run, tmp_path):
    actions.begin(run.uuid)
    environment = os.environ | {"LIFECYCLE_URL": site, "LIFECYCLE_TOKEN": token(mia), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "lifecycle.runtime.cli", "runs", "watch", "1"]
    watching = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # in a script's background it would be ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert watching.stderr is not None
    assert watching.stderr.readline() == "Run 1 training\n"

    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=30)

    run.refresh_from_db()
    assert (watching.returncode, out, err) == (130, "", "Run 1 continues. Watch it: lifecycle runs watch 1\n")
    assert run.state == "training"


def test_a_failed_run_prints_why_and_is_1(as_person, mia, run):
    actions.begin(run.uuid)
    actions.fail(run.uuid, "one_class", "All rows have one label.", "Label more.")

    result = as_person(mia)("runs", "watch", "1")

    assert (result.code, result.out) == (1, "Run 1 failed: All rows have one label. Label more.\n")


def test_a_job_is_watched_by_its_uuid(as_person, mia, snapshot, base):
    job = Job.objects.order_by("-id").first()

    result = as_person(mia)("jobs", "watch", str(job.uuid))

    assert result.code == 0
    assert result.out.startswith("The job succeeded.")


def test_nothing_of_others_is_watched(as_person, otto, run):
    result = as_person(otto)("runs", "watch", str(run.uuid))

    assert result.code == 1
    assert (
        result.err
        == f"There is no run {run.uuid}, or you don't have access. Check its name, and whose token this is:"
        " lifecycle whoami\n"
    )


def test_runs_are_listed_newest_first_as_a_table(as_person, mia, snapshot, base):
    training.make_run(snapshot, mia, base=base)
    training.make_run(snapshot, mia, base=base, succeeded=False, strategy="full")

    result = as_person(mia)("runs", "list")

    rows = result.out.splitlines()
    assert rows[0].split() == [
        "RUN",
        "PROJECT",
        "STATE",
        "STRATEGY",
        "STEP",
        "OF",
        "SCORE",
        "METRIC",
        "LAUNCHED",
        "NOTE",
    ]
    assert rows[1].split()[:4] == ["2", "inbox", "queued", "full"]
    assert rows[2].split()[:6] == ["1", "inbox", "succeeded", "lora", "60", "60"]
    assert [row["number"] for row in as_person(mia)("runs", "list", "--json").json] == [2, 1]


def test_no_runs_prints_how_to_launch_one(as_person, mia):
    result = as_person(mia)("runs", "list")

    assert (result.code, result.out) == (0, "No runs yet. Launch one: lifecycle runs launch DATASET@NUMBER\n")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (
            ["inbox"],
            2,
            "'inbox' isn't a dataset version. Write DATASET@NUMBER, such as inbox@3, or its uuid.\n",
        ),
        (
            ["inbox@7"],
            1,
            (
                "There is no version 7 of dataset inbox, or you don't have access. Check its name, and whose"
                " token this is: lifecycle whoami\n"
            ),
        ),
        (
            ["inbox@1", "--set", "epochs"],
            2,
            "--set epochs has no value. Write NAME=VALUE, such as epochs=3.\n",
        ),
        (["inbox@1", "--key", "7"], 2, "--key takes a uuid, not '7'.\n"),
        (["inbox@1", "--base", "gpt"], 1, "The project has no imported base model gpt. It has: tiny-base.\n"),
    ],
)
def test_an_invalid_launch_is_refused_and_starts_nothing(as_person, mia, snapshot, base, words, code, error):
    result = as_person(mia)("runs", "launch", *words)

    assert (result.code, result.out, result.err) == (code, "", error)
    assert not Run.objects.exists()


def test_a_setting_that_the_engine_does_not_take_is_named_with_its_field(as_person, mia, snapshot, base):
    result = as_person(mia)("runs", "launch", "inbox@1", "--set", "epochs=0")

    assert (result.code, result.out) == (1, "")
    assert "epochs" in result.err
    assert not Run.objects.exists()


def test_launching_without_the_role_names_the_role(as_person, ana, snapshot, base):
    result = as_person(ana)("runs", "launch", "inbox@1")

    assert (result.code, result.out) == (1, "")
    assert (
        result.err == "You can see this dataset version, but not train on it. Your roles: lifecycle whoami\n"
    )
    assert not Run.objects.exists()


# ── In line ─────────────────────────────────────────────────────────────────
def test_a_run_is_launched_with_a_priority_and_for_a_device(as_person, mia, snapshot, base):
    result = as_person(mia)("runs", "launch", "inbox@1", "--priority", "urgent", "--device", "cuda")

    run = Run.objects.get()
    assert result.code == 0
    assert (run.job.priority_word, run.job.device, run.spec["device"]) == ("urgent", "cuda", "cuda")


@pytest.mark.parametrize("name", ["number", "run", "job"])
def test_a_queued_run_is_reprioritized_by_any_of_its_names(as_person, mia, run, name):
    called = {"number": ("runs", "1"), "run": ("runs", str(run.uuid)), "job": ("jobs", str(run.job.uuid))}
    noun, one = called[name]

    result = as_person(mia)(noun, "prioritize", one, "urgent")

    run.job.refresh_from_db()
    assert (result.code, result.out, run.job.priority_word) == (
        0,
        "Urgent, place 1 in the queue.\n",
        "urgent",
    )


def test_a_run_that_is_no_longer_queued_is_not_reprioritized(as_person, mia, run):
    actions.stop(run_id=run.uuid, actor=mia)

    result = as_person(mia)("runs", "prioritize", "1", "urgent")

    run.job.refresh_from_db()
    assert (result.code != 0, run.job.priority_word) == (True, "normal")
    assert "This job is cancelled, so its priority can't change." in result.err
