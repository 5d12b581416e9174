"""The pages of a model that puts responses in order: mistakes open and are ticked for a queue; all can be read by everybody."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from lifecycle.evaluation.models import Evaluation
from tests.support.browser import loaded_on_a_phone, shuts_nobody_out
from tests.support.ranked import ranked_snapshot
from tests.support.training import make_run

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def runs(project, mia):
    snapshot = ranked_snapshot(project, mia, rows=120)
    return [make_run(snapshot, mia, accuracy=accuracy) for accuracy in (0.1, 0.5)]


@pytest.fixture
def evaluations(runs):
    return [Evaluation.objects.get(run=run, split="test") for run in runs]


def test_mistakes_open_and_ticked_rows_become_a_queue(opened, evaluations, mia):
    page = opened(f"/evaluations/{evaluations[0].uuid}/", mia)

    page.get_by_role("link", name=re.compile("with a mistake")).click()
    expect(page.get_by_role("heading", name="Rows with a mistake")).to_be_visible()
    page.get_by_role("checkbox", name=re.compile("Select item")).first.check()
    page.get_by_role("button", name="Label selected items").click()

    expect(page.get_by_label("The selected item")).to_be_checked()


def test_the_closest_rows_are_chosen_without_a_button(opened, evaluations, mia):
    page = opened(f"/evaluations/{evaluations[0].uuid}/items/", mia)

    page.get_by_label("Order").select_option("close")

    page.wait_for_url(lambda url: "sort=close" in url)
    expect(page.get_by_text("best with").first).to_be_visible()


def test_the_pages_fit_and_can_be_read_by_everybody(opened, runs, evaluations, mia):
    first, second = evaluations
    paths = {
        "orders-report": f"/evaluations/{first.uuid}/",
        "orders-items": f"/evaluations/{first.uuid}/items/",
        "orders-compare": f"/evaluations/compare/?a={first.uuid}&b={second.uuid}",
        "orders-run": f"/runs/{runs[0].uuid}/",
    }

    for name, page in loaded_on_a_phone(opened, paths, mia):
        shuts_nobody_out(page, name, both_schemes=True)
