"""The pages of drift in a browser: nobody is shut out, nothing runs sideways, and the texts behind a bin come without leaving the page."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse
from playwright.sync_api import expect, sync_playwright

from monitoring.drift import actions
from monitoring.drift.models import TextCheck
from monitoring.drift.rules import Span
from monitoring.traffic import actions as spool
from tests.support import endpoints

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SHOTS = os.environ.get("DRIFT_SHOTS", "")  # a folder: pages are kept there as pictures
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
    pytest.mark.skipif(
        os.environ.get("ROOM_BROWSER") != "1",
        reason="ROOM_BROWSER=1 runs it: a page's late request may hold a table of the database in memory while the next test empties it",
    ),
]


@pytest.fixture(scope="module")
def chromium():
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop in this thread
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def opened(chromium, live_server):
    """Open an address; the page must not log an error, which is where a breach of the content policy is told."""
    contexts, errors = [], []

    def make(path, user, *, width=1440, scheme="light"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        session = SessionStore()
        session.update({SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend"})
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        context.add_cookies([{"name": "sessionid", "value": session.session_key, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(live_server.url + path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert [error for error in errors if "favicon" not in error] == []


@pytest.fixture
def story(traffic, live_endpoint):
    """Three quiet weeks, then five days on which one answer and shorter texts take over, with words and texts of yesterday."""
    today, rng = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0), np.random.default_rng(3)
    for back in range(26, 0, -1):
        strange = min(1.0, max(0, 6 - back) / 4)
        draw = rng.multinomial(600, np.array([1 + 4 * strange, 1, 1]) / (3 + 4 * strange))
        unsure = int(rng.binomial(600, (strange + 0.02) / (strange + 1.02)))
        traffic.write(
            today - timedelta(days=back) + timedelta(hours=4), dict(zip(("billing", "delivery", "refund"), draw.tolist(), strict=True)),
            confidence={"47": unsure, "48": 600 - unsure}, right=int(rng.integers(20, 60)),
            wrong=int(rng.integers(1, 4 + int(12 * strange))),
        )  # fmt: skip
    at = (today - timedelta(hours=12)).isoformat(timespec="milliseconds")
    texts = [f"Somebody stole my card number {n} and the phone, what now?" for n in range(40)]
    endpoints.write_segment(*[endpoints.spool_line(live_endpoint, (text, "billing", 0.94), at=at) for text in texts])
    spool.ingest()
    reports = actions.catch_up(live_endpoint, today + timedelta(hours=1))
    yesterday = Span(today - timedelta(days=1), today)
    result = {
        "mark": "watch", "why": "", "value": 0.81, "critical": 0.58, "p": 1e-9, "n": 900, "m": 640, "limit": 0.58, "unit": "AUC",
        "sure": True, "open": False, "ratio": 3.9, "mean": 1.2, "control": None, "over": True, "overs": 2, "of": 5,
        "held": "few", "quiet": False,
    }  # fmt: skip
    TextCheck.objects.create(
        endpoint=live_endpoint, version=live_endpoint.alias.version, baseline=reports[-1].baseline, window_start=yesterday.start,
        window_end=yesterday.end, rows=640, state="ok", results={"words": result, "meaning": result | {"value": 0.79, "ratio": 3.6}},
        worst="words", ratio=3.9, why="Words of the texts was over its limit.", reference_rows=900, outside=0.081,
        new_words=[{"word": word, "reference": 0.004, "current": 0.31} for word in ("stole", "stolen", "phone", "police")],
        missing_words=[{"word": word, "reference": 0.22, "current": 0.05} for word in ("fee", "exchange", "top")],
        typical=[str(each.uuid) for each in live_endpoint.predictions.order_by("-id")[:6]],
    )  # fmt: skip
    return reports[-1]


def violations(page):
    found = Axe().run(page).response
    assert len(found["passes"]) > 10
    return [(rule["id"], node["html"][:300]) for rule in found["violations"] for node in rule["nodes"]]


def shot(page, name):
    if SHOTS:
        page.wait_for_timeout(1000)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def test_nobody_is_shut_out(opened, story, mia, ana):
    pages = {
        "list": reverse("drift:list"), "endpoint": reverse("drift:endpoint", args=[story.endpoint.uuid]),
        "panel": reverse("drift:panel", args=[story.endpoint.uuid]), "behind": reverse("drift:behind", args=[story.endpoint.uuid]),
    }  # fmt: skip
    assert story.state == "drift"
    for width, scheme in ((1440, "light"), (390, "dark"), (1440, "dark"), (390, "light")):
        for name, address in pages.items():
            page = opened(address, ana if name == "behind" else mia, width=width, scheme=scheme)
            if name == "endpoint":
                expect(page.locator(".plot svg.main-svg").first).to_be_visible()
            shot(page, f"{name}-{width}-{scheme}")
            if scheme == ("light" if width == 1440 else "dark"):
                assert violations(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            page.context.close()


def test_empty_pages_shut_nobody_out(opened, live_endpoint, mia):
    for name, address in {"empty": reverse("drift:endpoint", args=[live_endpoint.uuid]), "empty-list": reverse("drift:list")}.items():
        page = opened(address, mia, width=390)
        shot(page, name)
        assert violations(page) == []
        page.context.close()


def test_the_texts_behind_a_bin_come_without_leaving_the_page(opened, live_server, story, ana):
    address = reverse("drift:endpoint", args=[story.endpoint.uuid])
    page = opened(address, ana)

    page.get_by_role("link", name="Texts of the bin that grew most").first.click()

    expect(page.get_by_role("heading", name="Predicted label: billing")).to_be_visible()
    expect(page.get_by_text("Somebody stole my card number").first).to_be_visible()
    expect(page).to_have_url(live_server.url + address)


def test_it_is_measured_now_by_keys_alone(opened, story, mia):
    page = opened(reverse("drift:endpoint", args=[story.endpoint.uuid]), mia)
    page.get_by_role("button", name="Measure the last 24 hours").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("group", name="Measure drift now")).to_be_visible()
    expect(page.get_by_role("button", name="Measure the last 24 hours")).to_have_attribute("aria-disabled", "true")
    assert violations(page) == []
