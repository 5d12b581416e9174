"""Advice is asked for, read and applied where a run is started, ten steps of it are tried; with the keyboard
too, readable by everybody.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Estimate, Run
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.estimates import measured
from tests.support.training import finish_run, make_base, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def snapshot(project, mia):
    snapshot = make_snapshot(project, mia)
    base = make_base(project, mia)
    base.facts |= {"layers": 12, "hidden_size": 768}
    base.save(update_fields=["facts"])
    return snapshot


def test_advice_is_asked_for_and_applied_by_keyboard(opened, snapshot, mia):
    page = opened("/runs/launch/", mia)

    page.get_by_label("The texts are sensitive").focus()
    page.keyboard.press("Space")
    page.get_by_label("Maximum training time (min)").fill("30")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Train adapters only, and keep labeling.")).to_be_visible()
    page.get_by_role("link", name="Apply to the form").press("Enter")
    expect(page.get_by_text("Applied", exact=True)).to_be_visible()
    page.get_by_text("More settings").click()

    expect(page.get_by_label("LoRA", exact=True)).to_be_checked()
    expect(page.get_by_label("Early stopping patience")).to_have_value("2")
    assert not Run.objects.exists()


def samples_event(run, step: int):
    """A few validation rows as the engine reports them; at step 20 it predicts one label for all."""
    rows = list(snapshots.rows_of(run.snapshot, "validation"))[:6]
    predictions = [
        {
            "id": row.item,
            "truth": row.label,
            "answer": "card" if step == 20 else row.label,
            "confidence": 0.81,
        }
        for row in rows
    ]
    return {
        "seq": 100 + step,
        "at": "2026-11-24T12:00:00+00:00",
        "kind": "samples",
        "step": step,
        "rows": [*predictions[:-1], predictions[-1] | {"answer": "login"}],
    }


def test_ten_steps_are_tried_cancelled_tried_again_and_started(opened, snapshot, mia):
    page = opened("/runs/launch/", mia)

    page.get_by_label("Epochs").fill("3")
    page.get_by_role("button", name="Run 10-step dry run").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The dry run was cancelled.")).to_be_visible()
    page.get_by_role("link", name="Change settings").click()
    expect(page.get_by_label("Epochs")).to_have_value("3")
    page.get_by_role("button", name="Run 10-step dry run").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    measured(Estimate.objects.latest("id"))
    page.get_by_role("button", name="Start run").click()
    page.wait_for_url(lambda url: "estimates" not in url)

    assert Run.objects.get().spec_digest == Estimate.objects.latest("id").spec_digest
    expect(page.get_by_role("heading", name="Estimated and actual")).to_be_visible()


def test_the_pages_of_ten_steps_fit_and_can_be_read_by_everybody(opened, snapshot, mia, settings):
    settings.PRICE_PER_CORE_HOUR = 0.08
    base = make_base(snapshot.dataset.project)
    waiting, failed, done = (
        actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": at})
        for at in (2, 3, 4)
    )
    actions.fail_estimate(
        failed,
        "out_of_memory",
        "The machine ran out of memory for this model and batch size.",
        "Choose a smaller batch.",
    )
    measured(done)
    run = finish_run(
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 4})
    )
    for step in (20, 40):
        actions.record_events(run, [samples_event(run, step)])
    paths = {
        f"steps-{name}": f"/runs/estimates/{each.uuid}/"
        for name, each in {"waiting": waiting, "failed": failed, "done": done}.items()
    }

    for name, page in loaded_on_a_phone(opened, {**paths, "steps-beside": f"/runs/{run.uuid}/"}, mia):
        is_accessible(page, name)


def test_the_advice_fits_and_can_be_read_by_everybody(opened, snapshot, mia):
    asked = "advice=1&ask-sensitive=on&ask-minutes=30&ask-latency_ms=0.001"
    queries = {"questions": "", "advice": f"?{asked}", "advice-error": "?advice=1&ask-minutes=soon"}

    for name, page in loaded_on_a_phone(
        opened, {name: f"/runs/launch/{query}" for name, query in queries.items()}, mia
    ):
        is_accessible(page, name)
