"""Pausing a run frees its worker at once; resuming it continues training."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.ground.compute.child import Result
from lifecycle.ground.jobs import runner
from lifecycle.ground.jobs.actions import claim
from lifecycle.modeling.training import actions, folders, tasks
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import MOVES, RunState
from lifecycle.runtime.refusals import Conflict, NotReady
from registry.ground.ledger.models import Event
from tests.support.unchanged import refused


@pytest.fixture
def run(waiting) -> Run:
    return waiting


@pytest.fixture
def interrupted(monkeypatch):
    """Train until `during` is called, like a child that writes its checkpoint and exits:
    interrupted(during).
    """

    def set_up(during):
        def run_child(ctx, verb, folder, on_events, **options):
            during()
            return Result("cancelled", data={"status": "cancelled", "last_step": 20})

        monkeypatch.setattr(tasks, "run_child", run_child)
        runner.execute(claim("training"), beating=False)

    return set_up


def verbs_of(run: Run) -> list[str]:
    return list(Event.objects.filter(object_id=str(run.uuid)).order_by("seq").values_list("verb", flat=True))


def test_a_running_run_is_paused_when_its_process_has_left_and_its_worker_is_free(run, interrupted, mia):
    seen = []

    def during():
        actions.pause(run_id=run.uuid, actor=mia)
        seen.append(actions.pause(run_id=run.uuid, actor=mia).state)  # idempotent

    interrupted(during)

    run.refresh_from_db()
    assert seen == ["pausing"]
    assert (run.state, run.finished_at, run.job.state, run.job.lease_token) == (
        "paused",
        None,
        "cancelled",
        None,
    )
    assert verbs_of(run) == ["training.launched", "training.paused"]
    assert claim("training") is None


def test_a_run_is_not_resumed_before_its_job_ends(run, interrupted, mia):
    steps = []

    def during():
        actions.pause(run_id=run.uuid, actor=mia)
        actions.stopped(run.uuid)
        with refused(by=NotReady) as refusal:
            actions.resume(run_id=run.uuid, actor=mia)
        steps.append(refusal.value.next_step)

    interrupted(during)
    again = actions.resume(run_id=run.uuid, actor=mia)

    assert steps == ["Resume it in a few seconds."]
    assert (again.state, claim("training")) == ("queued", again.job)


@pytest.mark.postgres
def test_no_text_stays_with_a_run_that_is_paused_before_it_trains(run, monkeypatch, mia):
    prepared = []

    def prepare(given, folder):
        folders.prepare(given, folder)
        prepared.append(sorted(path.name for path in folder.glob("*.jsonl")))
        actions.pause(run_id=run.uuid, actor=mia)

    monkeypatch.setattr(tasks, "prepare", prepare)
    runner.execute(claim("training"), beating=False)

    run.refresh_from_db()
    assert (run.state, prepared) == ("paused", [["train.jsonl", "validation.jsonl"]])
    assert list(folders.run_folder(run).glob("*.jsonl")) == []


def test_a_waiting_run_is_paused_at_once_and_resumed_by_another_person(run, mia, lee):
    actions.pause(run_id=run.uuid, actor=mia)
    run.refresh_from_db()
    paused_in = run.state

    actions.resume(run_id=run.uuid, actor=lee)

    run.refresh_from_db()
    assert (paused_in, run.state) == ("paused", "queued")
    assert claim("training") == run.job
    assert verbs_of(run) == ["training.launched", "training.paused", "training.resumed"]


def test_a_run_that_was_paused_between_claim_and_start_does_not_train(run, mia):
    job = claim("training")
    actions.pause(run_id=run.uuid, actor=mia)

    runner.execute(job, beating=False)

    run.refresh_from_db()
    assert (run.state, run.job.state) == ("paused", "cancelled")


@pytest.mark.parametrize("when", ["pausing", "paused"])
def test_a_paused_run_can_be_stopped_for_good(when, run, interrupted, mia):
    def during():
        actions.pause(run_id=run.uuid, actor=mia)
        if when == "pausing":
            actions.stop(run_id=run.uuid, actor=mia)

    interrupted(during)
    if when == "paused":
        actions.stop(run_id=run.uuid, actor=mia)

    run.refresh_from_db()
    assert run.state == "stopped"
    assert run.finished_at is not None
    assert verbs_of(run) == ["training.launched", "training.paused", "training.stopped", "training.ended"]


def test_a_run_that_has_ended_is_not_paused(finished, mia):
    run = finished

    with refused(
        by=Conflict,
        naming=(
            "succeeded",
            "pausing",
        ),
    ):
        actions.pause(run_id=run.uuid, actor=mia)

    run.refresh_from_db()
    assert run.state == "succeeded"
    assert "training.paused" not in verbs_of(run)


@pytest.mark.parametrize("person", ["ana", "gita", "aida", "otto"])
def test_only_engineers_and_leads_pause(request, run, person):
    with pytest.raises(PermissionDenied):
        actions.pause(run_id=run.uuid, actor=request.getfixturevalue(person))

    run.refresh_from_db()
    assert run.state == "queued"


@pytest.mark.postgres
def test_pause_and_resume_from_the_page(client_for, run, mia):
    client = client_for(mia)
    first = client.get(f"/runs/{run.uuid}/").content.decode()

    client.post(f"/runs/{run.uuid}/pause/")
    paused = client.get(f"/runs/{run.uuid}/")
    client.post(f"/runs/{run.uuid}/resume/")

    run.refresh_from_db()
    assert f'action="/runs/{run.uuid}/pause/"' in first
    assert 'hx-trigger="every 2s"' in first
    page = paused.content.decode()
    assert f'action="/runs/{run.uuid}/pause/"' not in page
    assert f'action="/runs/{run.uuid}/resume/"' in page
    assert (paused.context["run"].state, paused.context["acts"]["resume"]) == ("paused", "")
    assert f'aria-description="{paused.context["acts"]["pause"]}"' in page
    assert 'hx-trigger="every 2s"' not in page
    assert run.state == "queued"


@pytest.mark.postgres
def test_over_the_api(client_for, run, mia, ana):
    assert client_for(ana).post(f"/api/v1/runs/{run.uuid}/pause/").status_code == 403
    assert client_for(mia).post(f"/api/v1/runs/{run.uuid}/pause/").json()["state"] == "paused"
    assert client_for(mia).post(f"/api/v1/runs/{run.uuid}/pause/").json()["state"] == "paused"


@pytest.mark.parametrize("old", RunState)
def test_allowed_state_changes(old):
    may = {
        "queued": {"training", "pausing", "stopping", "stopped", "failed"},
        "training": {"pausing", "stopping", "succeeded", "failed", "stopped", "pruned"},
        "pausing": {"paused", "stopping", "succeeded", "failed", "pruned"},
        "paused": {"queued", "stopping"},
        "stopping": {"stopped", "succeeded", "failed", "pruned"},
        "stopped": {"queued"},
        "failed": {"queued"},
        "succeeded": set(),
        "pruned": set(),
    }[old]

    assert MOVES.get(old, set()) == may
