"""A human evaluation starts from the comparison of two generation models, and its pages are accessible."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.queues.actions.managing import close_queue
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.models import SideBySide
from tests.lifecycle.modeling.evaluation.test_side_by_side import choose
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.generation import generation_snapshot, make_decoder, make_generation_run
from tests.support.jobs import run_ok

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pair(project, mia):
    snapshot, base = generation_snapshot(project, mia, copies=24), make_decoder(project, mia)
    runs = [
        make_generation_run(snapshot, mia, base, quality=quality, seed=seed)
        for quality, seed in ((0.2, 1), (0.9, 2))
    ]
    return [queries.latest_evaluation(run, "test") for run in runs]


def test_people_are_asked_and_choose_by_keys(opened, pair, mia, ana):
    page = opened(f"/evaluations/compare/?a={pair[0].uuid}&b={pair[1].uuid}", mia)
    page.get_by_label("Response pairs").fill("10")
    page.get_by_role("button", name="Start preference test").click()
    expect(page.get_by_role("heading", name="Run 1 and Run 2, side by side")).to_be_visible()
    run_ok("default")
    page.get_by_role("button", name="Open queue").click()
    expect(page.get_by_text("0 of 10 pairs resolved")).to_be_visible()

    side = SideBySide.objects.get()
    bench = opened(f"/labeling/{side.queue.uuid}/bench/", ana)
    expect(bench.locator("[data-at='0']")).to_be_visible()
    assert "Run 1" not in bench.content()
    assert "Run 2" not in bench.locator("main").inner_text()
    bench.keyboard.press("1")
    expect(bench.locator("#n")).to_have_text("1")
    # the screen is ahead of the server
    expect(bench.locator("#bench")).to_have_attribute("data-unsaved", "0")
    page.reload()
    expect(page.get_by_text("1 of 10 pairs resolved")).to_be_visible()


def test_the_pages_fit_and_can_be_read_by_everybody(opened, pair, mia, ana):
    states = {}
    for name in ("importing", "ready", "waiting", "closed"):
        states[name] = actions.ask_people(first=pair[0], second=pair[1], actor=mia, pairs=10)
        if name != "importing":
            run_ok("default")
        if name in ("waiting", "closed"):
            states[name] = actions.open_side_by_side(side_id=states[name].uuid, actor=mia)
        if name == "waiting":
            choose(states[name], ana, "first", most=4)
        if name == "closed":
            choose(states[name], ana, "second", most=8)
            close_queue(queue_id=states[name].queue.uuid, actor=mia)
    states["importing"] = actions.ask_people(first=pair[0], second=pair[1], actor=mia, pairs=10)
    paths = {
        f"side-by-side-{name}": f"/evaluations/side-by-side/{side.uuid}/" for name, side in states.items()
    }
    paths["side-by-side-compare"] = f"/evaluations/compare/?a={pair[0].uuid}&b={pair[1].uuid}"

    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name)
