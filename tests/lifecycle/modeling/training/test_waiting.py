"""Queued runs: priority, place, requested device, and changes to them."""

from __future__ import annotations

import json
import re
import uuid
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.ground.compute.child import Result
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs import devices, runner
from lifecycle.ground.jobs.devices import Serving
from lifecycle.ground.jobs.models import Worker
from lifecycle.ground.jobs.rules import Device, Priority
from lifecycle.modeling.training import actions, folders, tasks
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.refusals import Conflict
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs
from tests.support.sweeps import finish_trial, make_sweep
from tests.support.unchanged import refused

JSON = {"content_type": "application/json"}
HTMX = {"HTTP_HX_REQUEST": "true"}
URGENT, NORMAL, LATER = Priority


def launch(snapshot, base, mia, **options) -> Run:
    return actions.launch(snapshot=snapshot, base=base, strategy="head", actor=mia, **options)


def offered(answer, run) -> list[str]:
    """The priorities that the page of a run offers."""
    _, found, rest = answer.content.decode().partition(f'action="/runs/{run.uuid}/priority/"')
    return re.findall(r'name="priority" value="(\w+)"', rest.partition("</form>")[0]) if found else []


# ── Priorities ──────────────────────────────────────────────────────────────
def test_a_run_waits_with_the_priority_that_it_was_launched_with(snapshot, base, mia):
    usual, soon = launch(snapshot, base, mia), launch(snapshot, base, mia, priority=URGENT)

    assert (usual.job.priority, soon.job.priority) == (NORMAL, URGENT)
    assert jobs.claim("training") == soon.job


def test_a_run_that_is_resumed_keeps_its_priority_and_its_device(snapshot, base, mia):
    run = launch(snapshot, base, mia, priority=LATER, options={"device": "cuda"})
    actions.stop(run_id=run.uuid, actor=mia)

    again = actions.resume(run_id=run.uuid, actor=mia)

    assert (again.job.pk != run.job.pk, again.job.priority, again.job.device) == (True, LATER, Device.GPU)


def test_an_engineer_moves_a_waiting_run_and_an_analyst_does_not(snapshot, base, mia, ana):
    run = launch(snapshot, base, mia)

    with pytest.raises(PermissionDenied):
        actions.prioritise(run_id=run.uuid, priority=URGENT, actor=ana)
    run.job.refresh_from_db()
    refused = run.job.priority
    actions.prioritise(run_id=run.uuid, priority=URGENT, actor=mia, seen=NORMAL)

    run.job.refresh_from_db()
    assert (refused, run.job.priority) == (NORMAL, URGENT)
    event = Event.objects.get(verb="jobs.prioritised")
    assert (event.object_id, json.loads(event.canonical)["payload"]["new"]) == (str(run.job.uuid), "urgent")


def test_a_run_that_waits_for_no_worker_is_not_moved(snapshot, base, mia):
    run = launch(snapshot, base, mia)
    actions.stop(run_id=run.uuid, actor=mia)

    with refused(
        by=Conflict,
        naming=(
            "Run 1",
            "stopped",
        ),
    ):
        actions.prioritise(run_id=run.uuid, priority=URGENT, actor=mia)

    assert not Event.objects.filter(verb="jobs.prioritised").exists()


@pytest.mark.postgres
def test_the_page_of_a_queued_run_shows_its_place_and_changes_it(snapshot, base, mia, client_for):
    launch(snapshot, base, mia)
    run, client = launch(snapshot, base, mia), client_for(mia)

    first = client.get(f"/runs/{run.uuid}/")
    moved = client.post(f"/runs/{run.uuid}/priority/", {"priority": "urgent", "seen": "normal"})
    stale = client.post(f"/runs/{run.uuid}/priority/", {"priority": "later", "seen": "normal"})
    after = client.get(f"/runs/{run.uuid}/live/", **HTMX)

    assert (first.context["line"].place, offered(first, run)) == (2, ["urgent", "later"])
    assert first.context["line"].standing in first.content.decode()
    assert (moved.status_code, stale.status_code) == (302, 409)
    assert (after.context["line"].place, offered(after, run)) == (1, ["normal", "later"])
    assert after.context["line"].standing in after.content.decode()
    run.job.refresh_from_db()
    assert run.job.priority == URGENT


def test_an_analyst_sees_the_place_and_no_button(snapshot, base, mia, ana, client_for):
    run = launch(snapshot, base, mia)

    answers = [client_for(person).get(f"/runs/{run.uuid}/") for person in (mia, ana)]

    assert [answer.context["line"].standing in answer.content.decode() for answer in answers] == [True, True]
    assert [offered(answer, run) for answer in answers] == [["urgent", "later"], []]
    assert client_for(ana).post(f"/runs/{run.uuid}/priority/", {"priority": "urgent"}).status_code == 403


def test_the_list_shows_places_with_a_constant_query_count(snapshot, base, mia, client_for):
    client = client_for(mia)
    launch(snapshot, base, mia)
    client.get("/runs/")
    with CaptureQueriesContext(
        connection,
    ) as one:
        client.get("/runs/")
    for _ in range(4):
        launch(snapshot, base, mia, priority=LATER)

    with CaptureQueriesContext(connection) as many:
        answer = client.get("/runs/")

    assert len(many) == len(one)
    lines = answer.context["lines"]
    assert [(line.run.number, line.place, line.run.job.priority) for line in lines] == [
        (5, 5, LATER),
        (4, 4, LATER),
        (3, 3, LATER),
        (2, 2, LATER),
        (1, 1, NORMAL),
    ]
    page = answer.content.decode()
    assert [line.place for line in lines if f'<small class="muted">{line.standing}</small>' not in page] == []


def test_the_form_accepts_a_priority_and_defaults_to_normal(snapshot, base, mia, client_for):
    client = client_for(mia)
    chosen = {"dataset_version": snapshot.uuid, "base": base.uuid, "strategy": "head"}
    form = client.get("/runs/launch/", chosen).context["form"]
    given = chosen | {name: form[name].value() for name in form.fields} | {"key": uuid.uuid4()}
    given = {name: value for name, value in given.items() if value is not None and value is not False}

    client.post("/runs/launch/", {**given, "priority": "later"})
    client.post("/runs/launch/", {**given, "key": uuid.uuid4(), "priority": ""})
    wrong = client.post("/runs/launch/", {**given, "key": uuid.uuid4(), "priority": "now"})

    assert form["priority"].value() == "normal"
    assert list(Run.objects.order_by("number").values_list("job__priority", flat=True)) == [LATER, NORMAL]
    assert wrong.status_code == 422


@pytest.mark.postgres
def test_the_api_accepts_and_returns_a_priority_and_a_device(snapshot, base, mia, client_for):
    client = client_for(mia)
    body = {"dataset_version": str(snapshot.uuid), "base": str(base.uuid), "strategy": "head"}

    made = client.post(
        "/api/v1/runs/", {**body, "priority": "urgent", "options": {"device": "cuda"}}, **JSON
    ).json()
    usual = client.post("/api/v1/runs/", body, **JSON).json()
    wrong = client.post("/api/v1/runs/", {**body, "priority": "now"}, **JSON)
    unknown = client.post("/api/v1/runs/", {**body, "options": {"device": "tpu"}}, **JSON)

    assert (made["priority"], made["spec"]["device"], usual["priority"], usual["spec"]["device"]) == (
        "urgent",
        "cuda",
        "normal",
        "auto",
    )
    assert client.get(f"/api/v1/jobs/{made['job']}/").json()["device"] == "cuda"
    assert (wrong.status_code, unknown.status_code, Run.objects.count()) == (400, 422, 2)
    assert unknown.json()["fields"] == {"device": ['Must be one of auto, cpu, cuda, got "tpu".']}


def test_a_reproduction_has_the_requested_priority(finished, mia, client_for):
    made = client_for(mia).post(f"/api/v1/runs/{finished.uuid}/reproduce/", {"priority": "later"}, **JSON)

    assert (made.status_code, made.json()["priority"]) == (201, "later")


# ── Sweeps ──────────────────────────────────────────────────────────────────
def test_trials_wait_behind_single_runs_by_default(snapshot, base, mia):
    sweep = make_sweep(snapshot, mia, base=base)
    urgent = make_sweep(snapshot, mia, base=base, priority=NORMAL)
    run_jobs("default")
    run = launch(snapshot, base, mia)

    assert [each.trials.get().job.priority for each in (sweep, urgent)] == [LATER, NORMAL]
    assert [jobs.claim("training") for _ in range(3)] == [
        urgent.trials.get().job,
        run.job,
        sweep.trials.get().job,
    ]


@pytest.mark.postgres
def test_changing_a_trials_priority_changes_the_following_ones(snapshot, base, mia):
    sweep = make_sweep(snapshot, mia, base=base, trials=3)
    run_jobs("default")
    actions.prioritise(run_id=sweep.trials.get().uuid, priority=NORMAL, actor=mia)

    finish_trial(sweep.trials.get(), 0.5)
    run_jobs("default")

    sweep.refresh_from_db()
    assert (sweep.priority, sweep.trials.latest("trial").job.priority) == (NORMAL, NORMAL)


@pytest.mark.postgres
def test_a_sweep_over_the_api_keeps_its_priority(snapshot, base, mia, client_for):
    body = {
        "dataset_version": str(snapshot.uuid),
        "base": str(base.uuid),
        "space": {"rank": {"choices": [2, 4]}},
        "trials": 2,
    }

    usual = client_for(mia).post("/api/v1/sweeps/", body, **JSON).json()
    soon = client_for(mia).post("/api/v1/sweeps/", {**body, "priority": "urgent"}, **JSON).json()

    assert (usual["priority"], soon["priority"]) == ("later", "urgent")


# ── Devices ─────────────────────────────────────────────────────────────────
def test_the_launch_form_has_a_device_only_with_a_gpu_worker(snapshot, base, mia, client_for):
    client, url = (
        client_for(mia),
        f"/runs/launch/?dataset_version={snapshot.uuid}&base={base.uuid}&strategy=head",
    )
    before = client.get(url).context["form"].fields

    jobs.announce(["training"], Device.GPU)
    there = client.get(url).context["form"].fields["device"]
    jobs.leave()
    left = client.get(url).context["form"].fields["device"]
    Worker.objects.all().delete()  # as after a week without workers

    assert "device" not in before
    assert [choice for choice, _ in there.choices] == ["auto", "cpu", "cuda"]
    assert there.help_text.startswith("A GPU worker is running.")
    assert left.help_text.startswith(
        "No GPU worker is running: a run that needs one stays queued until one starts."
    )
    assert "device" not in client.get(url).context["form"].fields
    # as submitted from an old page
    assert "device" in client.get(f"{url}&device=cuda").context["form"].fields


def test_copied_gpu_settings_are_kept_and_the_form_warns_of_waiting(snapshot, base, mia, client_for):
    first = launch(snapshot, base, mia, options={"device": "cuda"})

    form = client_for(mia).get(f"/runs/launch/?like={first.uuid}").context["form"]

    assert form["device"].value() == "cuda"


def test_a_gpu_run_waits_and_its_page_shows_it(snapshot, base, mia, client_for):
    run = launch(snapshot, base, mia, options={"device": "cuda"})
    jobs.announce(["training"], Device.CPU)

    client = client_for(mia)
    answer = client.get(f"/runs/{run.uuid}/")
    jobs.announce(["training"], Device.GPU)
    served = client.get(f"/runs/{run.uuid}/")

    reason = answer.context["line"].no_worker
    assert "GPU" in reason
    assert reason in answer.content.decode()
    assert served.context["line"].no_worker == ""


@pytest.fixture
def given(monkeypatch, mia):
    """The arguments that the engine's process starts with; its run is paused at once."""
    seen = []

    def run_child(ctx, verb, folder, on_events, **options):
        ctx.job.refresh_from_db()
        seen.append((options["accelerated"], ctx.job.device))
        actions.pause(run_id=UUID(ctx.args["run"]), actor=mia)
        return Result("cancelled", data={"status": "cancelled", "last_step": 1})

    monkeypatch.setattr(tasks, "run_child", run_child)
    return seen


@pytest.mark.postgres
def test_a_run_is_resumed_on_its_device(snapshot, base, mia, given, monkeypatch):
    monkeypatch.setattr(devices, "_serving", Serving(Device.GPU, ("0",)))
    run = launch(snapshot, base, mia)

    runner.execute(jobs.claim("training", Device.GPU), beating=False)
    again = actions.resume(run_id=run.uuid, actor=mia)

    assert given == [(True, Device.GPU)]
    assert (again.job.device, jobs.claim("training", Device.CPU)) == (Device.GPU, None)


@pytest.mark.parametrize(
    ("environment", "device"),
    [({"device": "cpu"}, "cpu"), ({"device": "NVIDIA L4, CUDA 12.8"}, "cuda")],
)
def test_a_reproduction_trains_on_the_original_device(environment, device, finished, mia):
    run = finished
    run.result["environment"] = environment
    run.save(update_fields=["result"])

    again = actions.reproduce(run_id=run.uuid, actor=mia)

    assert (again.job.device, again.spec) == (device, run.spec)


@pytest.mark.parametrize(
    ("kept", "device"),
    [
        ({}, None),
        ({"device.json": {"device": "cpu"}}, "cpu"),
        ({"device.json": {"device": "cuda"}}, "cuda"),
    ],
)
def test_a_folder_stores_the_device_of_its_run(kept, device, tmp_path):
    for name, content in kept.items():
        (tmp_path / name).write_text(json.dumps(content))

    assert folders.run_device(tmp_path) == device


def test_a_run_without_a_worker_is_queued_and_can_be_moved(snapshot, base, mia, client_for):
    run = launch(snapshot, base, mia)
    job = jobs.claim("training")
    actions.begin(run.uuid)
    jobs.put_back(job, message="Its worker was stopped.", charged=False)

    answer = client_for(mia).get(f"/runs/{run.uuid}/")
    actions.prioritise(run_id=run.uuid, priority=URGENT, actor=mia)

    assert offered(answer, run) == ["urgent", "later"]
    run.refresh_from_db()
    assert (run.state, run.job.priority) == (Run.State.TRAINING, URGENT)
