"""A browser on the pages of this wing."""

from __future__ import annotations

import pytest

from tests.support.browser import running_chromium, visits


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def opened(chromium, live_server):
    """Open an address as somebody."""
    with visits(chromium, live_server.url) as opened:
        yield opened
