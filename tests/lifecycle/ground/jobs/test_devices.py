"""Which worker takes which job, with a GPU or without; worker heartbeats; and the GPUs that child processes
see.
"""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.jobs import actions, celery, devices, queries, rules, tasks
from lifecycle.ground.jobs.devices import Serving
from lifecycle.ground.jobs.management.commands import worker
from lifecycle.ground.jobs.models import Job, Worker
from lifecycle.ground.jobs.rules import Device, Priority, State
from lifecycle.roof.home import health
from tests.support.jobs import kind

ANY, CPU, GPU = Device


@pytest.fixture
def work(db):
    """A kind of work of the training queue."""
    with kind("test.train", lambda ctx: None, label="Train a test", queue="training"):
        yield


@pytest.fixture
def serve(monkeypatch):
    """Have this process serve a device until the test ends."""
    monkeypatch.setattr(devices, "_serving", Serving())
    return devices.serve


@pytest.fixture
def bells(monkeypatch):
    rung: list[str] = []
    monkeypatch.setattr(celery.app, "send_task", lambda name, **options: rung.append(options["queue"]))
    return rung


def queue(device=ANY, priority=Priority.NORMAL, **options) -> Job:
    defaults = {"actor": None, "project": None, "args": {}} | options
    return actions.enqueue("test.train", device=device, priority=priority, **defaults)


def taken(device) -> list[Job]:
    return list(iter(lambda: actions.claim("training", device), None))


# ── Claiming ────────────────────────────────────────────────────────────────
def test_a_worker_without_a_gpu_never_takes_a_job_that_asks_for_one(work):
    gpu, open_, cpu = queue(GPU), queue(ANY), queue(CPU)

    assert taken(CPU) == [open_, cpu]
    gpu.refresh_from_db()
    assert gpu.state == State.QUEUED


def test_a_worker_with_a_gpu_takes_gpu_jobs_and_open_ones_in_order_and_never_cpu_jobs(
    work,
):
    cpu, open_, gpu = queue(CPU), queue(ANY), queue(GPU)
    places = queries.line_up([open_, gpu]).places

    assert taken(GPU) == [open_, gpu] == sorted([open_, gpu], key=lambda job: places[job.pk])
    cpu.refresh_from_db()
    assert cpu.state == State.QUEUED


def test_urgency_counts_more_than_the_device(work):
    gpu, open_ = queue(GPU), queue(ANY, Priority.URGENT)

    assert taken(GPU) == [open_, gpu]


def test_what_was_begun_on_a_device_goes_on_there(work):
    queue(ANY)
    job = actions.claim("training", GPU)

    actions.bind(job, GPU)
    actions.put_back(job, message="Its worker was stopped.", charged=False)

    assert taken(CPU) == []
    assert [(again.pk, again.device) for again in taken(GPU)] == [(job.pk, GPU)]


def test_a_worker_that_lost_its_job_binds_it_to_nothing(work):
    queue(ANY)
    lost = actions.claim("training", CPU)
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    actions.reap()

    actions.bind(lost, CPU)

    assert Job.objects.get().device == ANY


def test_the_drain_of_a_worker_takes_what_its_device_may(work, serve, monkeypatch):
    # in which this test's transaction is open
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)
    queue(GPU)
    open_ = queue(ANY)

    tasks.drain("training")
    on_cpu = list(Job.objects.filter(state=State.SUCCEEDED))
    serve(Serving(GPU, ("0",)))
    tasks.drain("training")

    assert on_cpu == [open_]
    assert Job.objects.filter(state=State.SUCCEEDED).count() == 2


# ── Bells ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "device", "queues"),
    [
        ("training", CPU, ["training"]),
        ("training", GPU, ["training-cuda"]),
        ("training", ANY, ["training", "training-cuda"]),
        ("default", ANY, ["default"]),
        ("scans", GPU, ["scans"]),
    ],
)
def test_workers_with_a_gpu_listen_to_a_bell_of_their_own(name, device, queues):
    assert rules.bells(name, device) == queues


def test_no_bell_rings_for_a_gpu_without_a_gpu_worker_that_would_take_it(
    work, bells, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        queue(ANY)
        queue(GPU)

    assert bells == ["training"]


@pytest.mark.postgres
def test_the_bell_of_a_job_without_a_device_reaches_both(work, bells, django_capture_on_commit_callbacks):
    actions.announce(["training"], GPU)

    with django_capture_on_commit_callbacks(execute=True):
        queue(ANY)
        queue(GPU)
    rung = list(bells)
    actions.ring_waiting()

    assert rung == ["training", "training-cuda", "training-cuda"]
    assert sorted(bells[3:]) == ["training", "training-cuda", "training-cuda"]


# ── Signs of life ───────────────────────────────────────────────────────────
def test_a_worker_sends_heartbeats_until_it_leaves(work):
    actions.announce(["training"], GPU)
    actions.announce(["training"], GPU)
    there = (Worker.objects.count(), queries.devices_served("training"), queries.devices_served("default"))
    began = Worker.objects.get().started_at

    actions.leave()

    assert there == (1, {GPU}, set())
    assert (queries.devices_served("training"), queries.has_gpu_workers("training")) == (set(), True)
    assert Worker.objects.get().started_at == began


def test_a_worker_is_dead_after_a_silent_minute_and_deleted_after_a_week(work):
    actions.announce(["training"], GPU)
    Worker.objects.update(name="elsewhere:1", seen_at=timezone.now() - timedelta(seconds=61))
    silent = (queries.devices_served("training"), queries.has_gpu_workers("training"))
    Worker.objects.update(seen_at=timezone.now() - timedelta(days=8))

    actions.announce(["default"], CPU)

    assert silent == (set(), True)
    assert (queries.has_gpu_workers("training"), Worker.objects.count()) == (False, 1)


@pytest.mark.postgres
def test_heartbeats_last_until_the_worker_ends_and_then_it_counts_as_dead(work, monkeypatch):
    end, given = threading.Event(), []
    monkeypatch.setattr(worker, "SIGN_SECONDS", 0.0)
    monkeypatch.setattr(worker.connection, "close", lambda: None)  # of this test

    def announce(queues, device):
        given.append((queues, device))
        actions_announce(queues, device)
        if len(given) == 3:
            end.set()

    actions_announce = actions.announce
    monkeypatch.setattr(actions, "announce", announce)
    worker.give_signs(["training"], GPU, end)

    assert given == [(["training"], GPU)] * 3
    assert (Worker.objects.count(), queries.live_workers()) == (1, [])


@pytest.mark.parametrize(
    ("wanted", "there", "sentence"),
    [
        (GPU, CPU, "No worker with a GPU is running for the queue training. The job waits until one starts."),
        (
            CPU,
            GPU,
            "No worker for the CPU is running for the queue training. The job waits until one starts.",
        ),
        (ANY, None, "No worker is running for the queue training. The job waits until one starts."),
        (ANY, GPU, ""),
        (GPU, GPU, ""),
    ],
)
def test_a_page_shows_that_no_worker_could_take_a_job(
    work, project, mia, client_for, wanted, there, sentence
):
    if there is not None:
        actions.announce(["training"], there)
    job = queue(wanted, project=project, actor=mia)

    text = client_for(mia).get(reverse("jobs:progress", args=[job.uuid])).content.decode()

    assert queries.line(mia, job).no_worker == sentence
    assert sentence in text
    assert ("waits until one starts" in text) == bool(sentence)


def test_a_run_that_asks_for_a_gpu_where_none_ever_was_does_not_make_the_site_unready(work):
    queue(GPU)
    Job.objects.update(available_at=timezone.now() - timedelta(hours=1))
    never = health.workers().ok

    actions.announce(["training"], GPU)

    assert (never, health.workers().ok) == (True, False)


# ── What a worker serves ────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("text", "visible", "wanted"),
    [
        ("cpu", None, Serving()),
        ("cpu", "0,1", Serving()),
        ("cuda", None, Serving(GPU, ("0",))),
        ("cuda:1", None, Serving(GPU, ("1",))),
        (" cuda:0,2 ", None, Serving(GPU, ("0", "2"))),
        ("cuda", "3", Serving(GPU, ("3",))),
        ("cuda:1", "GPU-aa, GPU-bb", Serving(GPU, ("GPU-bb",))),
    ],
)
def test_a_device_is_read_among_those_that_the_worker_itself_may_see(text, visible, wanted):
    assert devices.read(text, visible) == wanted


@pytest.mark.parametrize("text", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0,0", "cpu:0", "cuda:1,"])
def test_what_is_no_device_is_refused_by_name(text):
    with pytest.raises(ValueError, match="cuda:N"):
        devices.read(text, None)


@pytest.mark.parametrize(
    ("text", "visible", "number"),
    [("cuda:2", "0,1", "2 not found: CUDA_VISIBLE_DEVICES lists 2"), ("cuda", "", "0 not found")],
)
def test_a_gpu_that_the_worker_may_not_see_is_refused(text, visible, number):
    with pytest.raises(ValueError, match=f"GPU {number}"):
        devices.read(text, visible)


@pytest.fixture
def started(monkeypatch, serve):
    """What Celery would be started with; the machine has one GPU."""
    seen: list[list[str]] = []
    monkeypatch.setattr(worker.app, "start", seen.append)
    monkeypatch.setattr(devices, "count_gpus", lambda what: sum(gpu == "0" for gpu in what.gpus))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return seen


def test_a_worker_listens_for_its_device_and_its_children_see_its_gpu(started):
    call_command("worker", "training", "default", "--device", "cuda:0")

    assert devices.serving() == Serving(GPU, ("0",))
    assert started[0][started[0].index("--queues") + 1] == "training-cuda,default"


def test_a_worker_serves_the_cpu_by_default(started, settings):
    call_command("worker", "training")
    first = devices.serving()
    settings.TRAINING_DEVICE = "cuda"
    call_command("worker", "training")
    second = devices.serving()
    call_command("worker", "default", "scans")

    assert (first, second, devices.serving()) == (Serving(), Serving(GPU, ("0",)), Serving())
    assert [each[each.index("--queues") + 1] for each in started] == [
        "training",
        "training-cuda",
        "default,scans",
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            ("training", "--device", "cuda:1"),
            "This worker should use cuda:1, but torch finds 0. Check nvidia-smi and whether torch is a CUDA",
        ),
        (("training", "--device", "cuda:0,1"), "This worker should use cuda:0,1, but torch finds 1."),
        (("training", "--device", "tpu"), "got 'tpu'. Check --device or TRAINING_DEVICE."),
        (("default", "--device", "cuda"), "--device needs a training worker: add the queue training."),
    ],
)
def test_a_worker_that_could_only_fail_runs_does_not_start(started, given, sentence):
    with pytest.raises(CommandError, match=sentence.replace(".", r"\.")):
        call_command("worker", *given)

    assert (started, devices.serving()) == ([], Serving())


def test_gpus_are_counted_by_torch_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(
        devices, "COUNT", "import os; print(len(os.environ['CUDA_VISIBLE_DEVICES'].split(',')))"
    )

    assert devices.count_gpus(Serving(GPU, ("0", "3"))) == 2

    monkeypatch.setattr(devices, "COUNT", "raise SystemExit(1)")
    assert devices.count_gpus(Serving(GPU, ("0",))) == 0
