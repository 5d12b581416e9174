"""The pages of an evaluation: groups of rows and a threshold are chosen without a button; all can be read by everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.browser import fits, running_chromium, shot, violations, visits
from tests.support.evaluations import channelled, evaluated
from tests.support.training import make_run

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MODES = [(1440, "light"), (390, "dark"), (1440, "dark"), (390, "light")]
OTHER = {"card": "refund", "refund": "card"}


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def opened(chromium, live_server):
    with visits(chromium, live_server.url) as opened:
        yield opened


def answer(item, label):
    """Phone calls are answered worse, and less surely."""
    number = int(item.text.split()[2])
    sure = 0.55 + number % 43 / 100
    wrong = number % (3 if item.metadata.get("channel") == "phone" else 11) == 0
    said = OTHER[label] if wrong else label
    return {said: sure, OTHER[said]: 1 - sure}


@pytest.fixture
def evaluation(project, mia):
    run = make_run(channelled(project, mia), mia, splits=())
    evaluated(run, "validation", answer, temperature=1.4)
    return evaluated(run, "test", answer, temperature=1.4)


def test_a_column_and_a_class_are_chosen_and_the_rows_of_a_group_open(opened, evaluation, mia):
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name="Groups").click()
    page.get_by_label("Group rows by").select_option("channel")
    expect(page.get_by_text("Worst is phone:")).to_be_visible()
    page.get_by_label("Fairness for the class").select_option("card")
    expect(page.get_by_role("heading", name="Fairness for card")).to_be_visible()
    page.get_by_role("link", name="errors of phone").click()

    expect(page.get_by_role("heading", name="channel: phone")).to_be_visible()


def test_a_threshold_is_chosen_by_costs(opened, evaluation, mia):
    page = opened(f"/evaluations/{evaluation.uuid}/threshold/", mia)

    page.get_by_label("Class optional").select_option("card")
    page.get_by_role("link", name="Least cost").click()
    page.get_by_label("Cost of a missed row").fill("20")
    page.get_by_label("Cost of a missed row").press("Enter")

    expect(page.get_by_text("Call a row card from")).to_be_visible()
    assert "missed=20" in page.url


@pytest.mark.parametrize(("width", "scheme"), MODES)
def test_the_pages_fit_and_can_be_read_by_everybody(opened, evaluation, mia, width, scheme):
    pages = {
        "report": "", "groups": "groups/?column=metadata:channel&class=card", "threshold": "threshold/?goal=cost&class=card&person=0.3",
    }  # fmt: skip
    for name, path in pages.items():
        page = opened(f"/evaluations/{evaluation.uuid}/{path}", mia, width=width, scheme=scheme)
        page.wait_for_load_state("networkidle")
        shot(page, f"{name}-{width}-{scheme}")
        fits(page)
        assert violations(page) == []
