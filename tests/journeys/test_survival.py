"""`kill -9` at moments that hurt: work goes on, nothing is lost or doubled, and the weights are those of an
uninterrupted run.
"""

from __future__ import annotations

import json

import psutil
import pytest
from playwright.sync_api import expect

from tests.support.desk import Desk, picture
from tests.support.product import until
from tests.support.story import LORA, Story
from tests.support.visitors import accept

pytestmark = pytest.mark.journey
ROWS = 40_000  # some seconds of work


def step_of(story: Story, run: str) -> int:
    return int(story["mia"].api("GET", f"runs/{run}/")["step"])


def alive(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def cancel_measuring(story: Story) -> None:
    """Lee cancels the automatic evaluation: the other run with these weights has one."""
    lee = story["lee"]
    waiting = [
        job
        for job in lee.api("GET", "jobs/")["results"]
        if job["kind"] == "evaluation.evaluate" and not job["finished_at"]
    ]
    for job in waiting:
        lee.api("POST", f"jobs/{job['uuid']}/cancel/")


@pytest.mark.browser
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_weights_and_its_page_follows(
    inbox_story: Story, desk: Desk
):
    story, mia, page = inbox_story, inbox_story["mia"], desk["mia"]
    undisturbed = story.lora
    run = story.launch("mia", "lora", LORA, "Killed on the way")["uuid"]
    page.goto(f"/runs/{run}/")
    step = page.locator(".runbar b")

    expect(step).to_contain_text("Step")
    until(lambda: step_of(story, run) >= 8, "a first evaluation")
    story.product.kill("lifecycle.runtime.engine", "train", run)
    killed_at, shown = step_of(story, run), step.inner_text()
    expect(page.locator("#loss svg.main-svg").first).to_be_visible()
    picture(page, "run-live")

    until(lambda: step_of(story, run) > killed_at, "training resumes automatically")
    before = story.product.running("lifecycle.runtime.engine", "train", run)
    story.product.kill("manage.py", "worker", "training")
    until(lambda: not any(alive(process) for process in before), "the child leaves when its worker is gone")
    expect(step).not_to_have_text(shown)
    again = mia.run_ended(run)
    cancel_measuring(story)
    expect(page.get_by_role("link", name="Register version")).to_be_visible()

    assert again["spec_digest"] == undisturbed["spec_digest"]
    assert again["artifact"] == undisturbed["artifact"]  # the root digest over every file, weights included
    assert again["metrics"] == undisturbed["metrics"]
    assert (again["step"], again["best_step"]) == (undisturbed["step"], undisturbed["best_step"])
    curves = [mia.api("GET", f"runs/{each}/points/?chart=loss") for each in (run, undisturbed["uuid"])]
    assert curves[0]["x"] == curves[1]["x"]
    assert curves[0]["y"][1] == curves[1]["y"][1]  # validation loss, to the last digit
    assert desk.errors == []


def test_web_and_inference_come_back_with_what_was_live(inbox_story: Story):
    story = inbox_story
    assert story.first_live
    live = story["omar"].api("GET", f"endpoints/{story.endpoint}/")["live"]

    gone = story.product.kill("gunicorn") + story.product.kill("lifecycle.runtime.inference")
    until(
        lambda: not {each.pid for each in story.product.running()} & set(gone) and story.product.answers(),
        "both answer again",
    )

    story.client.answered_by(story.full_name, live)
    assert story["omar"].api("GET", f"endpoints/{story.endpoint}/")["live"] == live  # the session holds, too


def test_an_import_whose_worker_is_killed_brings_every_row_once(inbox_story: Story):
    story, ana = inbox_story, inbox_story["ana"]
    project = story.workspace.uuid
    dataset = ana.api("POST", "datasets/", {"project": project, "name": "Large"}, status=201)["uuid"]
    content = "".join(json.dumps({"text": f"message number {at}"}) + "\n" for at in range(ROWS)).encode()
    sent = ana.api("POST", f"datasets/{dataset}/uploads/?name=large.jsonl", status=201, content=content)
    job = accept(ana, sent["uuid"])

    until(lambda: ana.api("GET", f"jobs/{job['uuid']}/")["done"], "the import is on its way")
    story.product.kill("manage.py", "worker", "default")
    assert ana.api("GET", f"datasets/{dataset}/items/")["results"] == []
    ended = ana.job(job)

    assert ended["attempt"] == 2
    assert ana.api("GET", f"datasets/{dataset}/")["items"] == ROWS
    assert ana.api("GET", f"uploads/{sent['uuid']}/")["rows_new"] == ROWS


def test_afterwards_the_audit_log_verifies_and_no_server_error_was_logged(inbox_story: Story):
    assert inbox_story.first_live
    assert "broken" not in inbox_story.product.verified()
    assert "Traceback" not in inbox_story.product.log()
