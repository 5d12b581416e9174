"""A run is prepared on the launch form, and run again from its page; both can be read by everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.engine.memory import Parts
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.training import finish_run, make_run, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def first(project, mia):
    return make_run(make_snapshot(project, mia), mia, strategy="fast_lora", splits=())


def test_a_strategy_brings_its_own_settings_and_starts_a_run(opened, first, mia):
    page = opened("/runs/launch/", mia)

    page.get_by_label("Bottleneck adapters").check()
    expect(page.get_by_label("Adapter width")).to_have_value("48")
    page.get_by_label("Adapter width").fill("12")
    page.get_by_text("More settings").click()
    page.get_by_label("Schedule").select_option("cosine")
    page.get_by_role("button", name="Start run").click()
    page.wait_for_url(lambda url: "launch" not in url)

    run = Run.objects.get(number=2)
    assert (run.strategy, run.spec["strategy"]["width"], run.spec["schedule"]) == ("adapter", 12, "cosine")
    expect(page.get_by_text("width 12, dropout 0.1")).to_be_visible()


def test_a_reproduced_run_is_reported_as_identical(opened, first, mia):
    page = opened(f"/runs/{first.uuid}/", mia)

    page.get_by_role("button", name="Reproduce").click()
    expect(page.get_by_role("heading", name="Run 2")).to_be_visible()
    again = finish_run(Run.objects.get(number=2))
    Run.objects.filter(pk=again.pk).update(artifact=first.artifact)
    page.reload()

    expect(page.get_by_text("Bit-identical weights.")).to_be_visible()


def test_a_run_is_laid_over_another_and_taken_away_again(opened, first, mia):
    second = make_run(first.snapshot, mia, strategy="full", splits=())
    page = opened(f"/runs/{first.uuid}/", mia)

    page.get_by_role("link", name="Overlay runs").click()
    page.get_by_label("Add a run").select_option(str(second.uuid))
    expect(page.locator("#overlay .legendtext")).to_have_text(["Run 1", "Run 2"])
    page.get_by_label("Metric").select_option("macro_f1")
    expect(page.locator("#overlay")).to_contain_text("reaches the highest value")
    page.get_by_role("link", name="Remove Run 1").click()

    expect(page.get_by_role("table", name="Results by run").get_by_role("link")).to_have_text(
        ["Run 2", "remove"]
    )


def test_a_run_is_paused_and_goes_on(opened, first, mia):
    run = actions.reproduce(run_id=first.uuid, actor=mia)
    page = opened(f"/runs/{run.uuid}/", mia)

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Queued", exact=True).first).to_be_visible()

    run.refresh_from_db()
    assert run.state == "queued"


def test_the_pages_of_a_paused_run_and_of_one_that_ended_early_fit(opened, first, mia, settings):
    settings.TRAINING_IMAGE = "registry.example.org/lifecycle:1.4"
    paused, early = (actions.reproduce(run_id=first.uuid, actor=mia) for _ in range(2))
    actions.pause(run_id=paused.uuid, actor=mia)
    explanation = "The loss became NaN at step 43. The weights of step 40, the best earlier step, are used."
    finish_run(
        early,
        error={
            "code": "nan_loss",
            "message": explanation,
            "next_step": "Lower both learning rates, and start a new run.",
        },
    )
    actions.record_events(early, [parts_event()])
    paths = {"run-paused": f"/runs/{paused.uuid}/", "run-early": f"/runs/{early.uuid}/"}

    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name, both_schemes=True)


def parts_event():
    """As the engine reports a run that ran out of memory."""
    return {
        "seq": 99,
        "at": "2026-11-24T12:00:00+00:00",
        "kind": "finding",
        **Parts(32, 8, 10).finding().to_json(),
    }


def test_the_pages_fit_and_can_be_read_by_everybody(opened, first, mia, settings):
    settings.PRICE_PER_CORE_HOUR = 0.08
    finish_run(actions.reproduce(run_id=first.uuid, actor=mia))
    again = Run.objects.get(number=2)
    overlay = f"/runs/overlay/?run={first.uuid}&run={again.uuid}"
    paths = {"launch": "/runs/launch/?strategy=fast_lora", "run": f"/runs/{first.uuid}/", "overlay": overlay}

    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name, both_schemes=True)
