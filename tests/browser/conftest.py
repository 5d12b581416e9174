"""A bench in Debian's Chromium, opened by somebody who is signed in. A file brings its own `queue`."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from tests.support.labeling import all_given_back


@pytest.fixture
def open_bench(chromium, live_server, queue):
    contexts = []

    def open_(user) -> Page:
        client = Client()
        client.force_login(user)
        context = chromium.new_context(viewport={"width": 1440, "height": 1000})
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{live_server.url}/labeling/{queue.uuid}/bench/")
        expect(page.locator("#find")).to_be_focused()
        return page

    yield open_
    for context in contexts:
        for page in context.pages:
            page.goto("about:blank")  # gives the items back; nothing more may come when the database is emptied
            all_given_back(page)
        context.close()
