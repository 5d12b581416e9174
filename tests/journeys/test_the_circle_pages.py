"""Every page of the circle is accessible at 1440 px, light, and at 390 px, dark. Their content comes from
test_the_circle.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.support.circle import Circle
from tests.support.desk import Desk, look

pytestmark = [pytest.mark.journey, pytest.mark.browser]


@pytest.fixture(scope="module")
def desk(chromium: Browser, circle: Circle) -> Desk:
    return Desk(chromium, circle.story.product)


PAGES = {
    "endpoint-canary": ("omar", "/endpoints/{endpoint}/"),
    "rollouts": ("omar", "/rollouts/"),
    "rollout": ("omar", "/rollouts/{rollout}/"),
    "traffic": ("omar", "/traffic/endpoints/{endpoint}/"),
    "drift-list": ("mia", "/drift/"),
    "drift": ("mia", "/drift/endpoints/{endpoint}/"),
    "alerts": ("omar", "/alerts/"),
    "alert": ("omar", "/alerts/{alert}/"),
    "objectives": ("omar", "/alerts/endpoints/{endpoint}/"),
    "silences": ("omar", "/alerts/silences/"),
    "channels": ("omar", "/alerts/channels/"),
    "suppressed": ("omar", "/alerts/suppressed/"),
    "proposals": ("lee", "/retraining/"),
    "proposal": ("lee", "/retraining/{proposal}/"),
    "triggers": ("lee", "/retraining/endpoints/{endpoint}/"),
    "dashboard": ("lee", "/dashboard/"),
}
# by axe in tests/monitoring/rollouts/test_browser.py and drift/test_browser.py
PROVEN = {"rollouts", "rollout", "drift-list", "drift"}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_accessible(desk: Desk, circle: Circle, name: str):
    username, path = PAGES[name]
    if missing := {"rollout", "alert", "proposal"} - set(circle.places):
        pytest.skip(f"Run test_the_circle with it: there is no {', '.join(sorted(missing))} yet.")
    page = desk[username]
    page.goto(path.format(**circle.places))
    look(page, name, full=True, dark=True, axe=name not in PROVEN)


def test_the_dashboard_is_reached_by_its_keys_and_prints(desk: Desk, circle: Circle):
    page = desk["lee"]
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name="Dashboard", exact=True)).to_be_visible()
    page.evaluate("window.print = () => { document.title = 'printed' }")
    page.get_by_role("button", name="Print").click()
    expect(page).to_have_title("printed")


def test_no_page_logged_a_console_error(desk: Desk):
    assert desk.errors == []
