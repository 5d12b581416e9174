"""Advice is asked for, read and applied on the page where a run is started, with the keyboard too, and everybody can read it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.training.models import Run
from tests.support.browser import fits, running_chromium, shot, violations, visits
from tests.support.training import make_base, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MODES = [(1440, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def opened(chromium, live_server):
    with visits(chromium, live_server.url) as opened:
        yield opened


@pytest.fixture
def snapshot(project, mia):
    snapshot = make_snapshot(project, mia)
    make_base(project, mia)
    return snapshot


def test_advice_is_asked_for_and_applied_by_keyboard(opened, snapshot, mia):
    page = opened("/runs/launch/", mia)

    page.get_by_label("The texts are sensitive").focus()
    page.keyboard.press("Space")
    page.get_by_label("Longest training, in minutes").fill("30")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Train the head alone, and label on.")).to_be_visible()
    page.get_by_role("link", name="Apply to the form").press("Enter")
    expect(page.get_by_text("Applied", exact=True)).to_be_visible()
    page.get_by_text("More settings").click()

    expect(page.get_by_label("Head only")).to_be_checked()
    expect(page.get_by_label("Patience, in evaluations")).to_have_value("2")
    assert not Run.objects.exists()


@pytest.mark.parametrize(("width", "scheme"), MODES)
def test_the_advice_fits_and_can_be_read_by_everybody(opened, snapshot, mia, width, scheme):
    asked = "advice=1&ask-sensitive=on&ask-minutes=30&ask-latency_ms=0.00001"
    for name, path in {"questions": "", "advice": f"?{asked}", "advice-error": "?advice=1&ask-minutes=soon"}.items():
        page = opened(f"/runs/launch/{path}", mia, width=width, scheme=scheme)
        page.wait_for_load_state("networkidle")
        shot(page, f"{name}-{width}-{scheme}")
        fits(page)
        assert violations(page) == []
