"""A number a text: the slider by keys and without a script, and the pages of what is measured."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from datasets_app.queues.models import Annotation
from lifecycle.modeling.evaluation import queries
from tests.support import regression
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.labeling import annotate, make_dataset, make_queue, queue_items

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def queue(project, mia):
    dataset = make_dataset(
        project,
        mia,
        [f"The room was clean, and the staff were kind: {n}." for n in range(4)],
        task=regression.TASK,
    )
    return make_queue(dataset, mia, schema=(), overlap=2)


def numbers() -> list[float]:
    return [each.value["number"] for each in Annotation.objects.order_by("item_id")]


def saved(page, done: int) -> None:
    expect(page.locator("#n")).to_have_text(str(done))
    expect(page.locator("#bench")).to_have_attribute("data-unsaved", "0")


def test_the_slider_is_moved_and_saved_by_keys(opened, queue, ana):
    page = opened(f"/labeling/{queue.uuid}/bench/", ana)
    expect(page.locator("#slider")).to_be_focused()

    page.keyboard.press("Enter")
    expect(page.locator("#missing")).to_contain_text("Give a number from 0 to 10")
    page.locator("#slider").focus()
    page.keyboard.press("7")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#number")).to_have_value("7.1")
    page.keyboard.press("Enter")
    saved(page, 1)
    page.locator("#number").fill("2,75")
    expect(page.locator("#slider")).to_have_value(re.compile("2.[78]"))
    page.keyboard.press("Enter")
    saved(page, 2)

    assert numbers() == [7.1, 2.75]
    page.locator("#slider").focus()
    page.keyboard.press("Shift+U")
    expect(page.locator("#number")).to_have_value("2.75")


def test_the_bench_and_the_review_can_be_read_by_everybody(opened, queue, ana, ben, ravi):
    bench = opened(f"/labeling/{queue.uuid}/bench/", ana)
    is_accessible(bench, "regression-bench", both_schemes=True)
    for person, number in ((ana, 2.0), (ben, 4.5)):
        annotate(queue, person, queue_items(queue)[0], {"number": number})

    is_accessible(opened(f"/labeling/{queue.uuid}/review/", ravi), "regression-review", both_schemes=True)


@pytest.mark.engine
def test_the_pages_of_what_is_measured_can_be_read_by_everybody(opened, project, mia):
    snapshot = regression.numbered_snapshot(project, mia)
    good = regression.trained(snapshot, mia)
    poor = regression.trained(snapshot, mia, epochs=1, learning_rate=1e-5, head_learning_rate=1e-5)
    first, second = (queries.latest_evaluation(run, "test") for run in (poor, good))
    paths = {
        "regression-report": f"/evaluations/{second.uuid}/",
        "regression-items": f"/evaluations/{second.uuid}/items/",
        "regression-groups": f"/evaluations/{second.uuid}/slices/",
        "regression-compare": f"/evaluations/compare/?a={first.uuid}&b={second.uuid}",
        "regression-run": f"/runs/{good.uuid}/",
        "regression-list": "/evaluations/",
    }

    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name, both_schemes=True)
    page.goto(f"/evaluations/{second.uuid}/items/")
    page.get_by_label("Order").select_option("low")
    page.wait_for_url(lambda url: "sort=low" in url)
