"""Runs in line: their place on every page, moved by a button, and the device that a launch asks for."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.rules import Device, Priority
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run, Sweep
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.training import make_base, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def snapshot(project, mia):
    return make_snapshot(project, mia)


@pytest.fixture
def base(snapshot, mia):
    return make_base(snapshot.dataset.project, mia)


@pytest.fixture
def launch(snapshot, base, mia):
    return lambda **options: actions.launch(
        snapshot=snapshot, base=base, strategy="lora", actor=mia, **options
    )


def test_a_waiting_run_is_moved_on_its_page_and_on_the_page_of_jobs(opened, launch, mia):
    launch()
    run = launch()
    page = opened(f"/runs/{run.uuid}/", mia)

    expect(page.get_by_text("2nd in queue")).to_be_visible()
    page.get_by_role("button", name="Raise priority").click()
    expect(page.get_by_text("1st in queue, urgent")).to_be_visible()
    page.goto(page.url.replace(f"/runs/{run.uuid}/", "/jobs/"))
    line = page.locator(f"#job-{run.job.uuid}")
    line.get_by_role("button", name="Lower priority").click()
    expect(line.get_by_text("2nd in queue, later")).to_be_visible()

    run.job.refresh_from_db()
    assert run.job.priority == Priority.LATER


def test_a_run_is_launched_for_a_gpu_and_waits_for_one(opened, launch, snapshot, mia):
    jobs.announce(["training"], Device.GPU)
    page = opened(f"/runs/launch/?dataset_version={snapshot.uuid}", mia)

    page.get_by_label("Device").select_option("GPU")
    page.get_by_label("Priority").select_option("Later")
    jobs.leave()
    page.get_by_role("button", name="Start run").click()
    expect(page.get_by_text("No worker with a GPU is running for the queue training")).to_be_visible()

    run = Run.objects.get()
    assert (run.spec["device"], run.job.device, run.job.priority) == ("cuda", "cuda", Priority.LATER)


def test_pages_of_what_waits_fit_and_can_be_read_by_everybody(opened, launch, snapshot, mia):
    jobs.announce(["training"], Device.CPU)
    launch()
    gpu = launch(options={"device": "cuda"}, priority=Priority.URGENT)
    later = launch(priority=Priority.LATER)
    jobs.announce(["training"], Device.GPU)
    paths = {
        "run": f"/runs/{later.uuid}/",
        "run-gpu": f"/runs/{gpu.uuid}/",
        "jobs": "/jobs/",
        "job": f"/jobs/{gpu.job.uuid}/",
    }
    paths |= {
        "list": "/runs/",
        "launch": f"/runs/launch/?dataset_version={snapshot.uuid}",
        "sweep": "/runs/sweeps/new/",
    }

    for name, page in loaded_on_a_phone(
        opened, {f"waiting-{name}": path for name, path in paths.items()}, mia
    ):
        is_accessible(page, name)


def test_a_sweep_has_lower_priority_than_single_runs_by_default(opened, base, mia):
    page = opened("/runs/sweeps/new/", mia)

    expect(page.get_by_label("Priority")).to_have_value("later")
    page.get_by_label("Priority").select_option("Urgent")
    page.get_by_role("button", name="Start sweep").click()
    expect(page.get_by_text("trials finished").first).to_be_visible()

    assert Sweep.objects.get().priority == Priority.URGENT
