"""The labeling bench in Debian's Chromium, with a signed-in user. Each file defines its own `queue`."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.labeling import all_given_back


@pytest.fixture
def open_bench(window_of, queue):
    pages = []

    def open_(user) -> Page:
        page = window_of(user).new_page()
        pages.append(page)
        page.goto(f"/labeling/{queue.uuid}/bench/")
        expect(page.locator("#find")).to_be_focused()
        return page

    yield open_
    for page in pages:
        page.goto("about:blank")  # gives the items back; nothing more may come when the test has ended
    assert not pages or all_given_back(pages[0])
