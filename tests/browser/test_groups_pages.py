"""Groups of the rows of every task: the measure is chosen without a button, the rows open, and all can be
read by everybody and printed.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_evaluation_pages import CUT, PAPER
from tests.support.browser import is_accessible, loaded_on_a_phone, settled
from tests.support.grouped import grouped_evaluation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_measure_is_chosen_and_ticked_rows_of_a_group_become_a_queue(opened, project, mia):
    evaluation = grouped_evaluation(project, mia, "spans")
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name="Slices", exact=True).click()
    page.get_by_label("Slice by").select_option("channel")
    expect(page.get_by_text("phone is below the rest: micro-F1 0.857")).to_be_visible()
    settled(page)  # what came is heard from a moment after it is seen
    page.get_by_label("Compare by").select_option("Texts with every span correct")
    expect(page.get_by_text("phone is below the rest: texts with every span correct 0.500")).to_be_visible()
    page.get_by_role("link", name="errors of phone").click()
    expect(page.get_by_role("heading", name="channel: phone")).to_be_visible()
    page.get_by_role("checkbox", name="Select item").first.check()
    page.get_by_role("button", name="Label selected items").click()

    page.wait_for_url(lambda url: "/open/" in url and "item=" in url)


def test_three_groups_and_the_fairness_of_a_label_fit_can_be_read_by_everybody_and_are_printed_whole(
    opened, project, mia
):
    evaluation = grouped_evaluation(project, mia, "multi_label")
    shown = "slices/?column=metadata:channel&label=refund"
    pages = {"groups": shown, "rows": "slices/items/?column=metadata:channel&group=1"}
    paths = {name: f"/evaluations/{evaluation.uuid}/{path}" for name, path in pages.items()}

    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name, both_schemes=True)
    page = opened(f"/evaluations/{evaluation.uuid}/{shown}", mia)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER[0], "height": PAPER[1]})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".paper")).to_contain_text(evaluation.report_digest)
    assert page.evaluate(CUT) == []
