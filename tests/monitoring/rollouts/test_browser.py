"""The pages of a rollout in a browser: nobody is shut out, keys work, and it refreshes itself."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse
from playwright.sync_api import expect, sync_playwright

from registry.endpoints import actions as served
from tests.support import registry

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SHOTS = None  # a folder: pages are kept there as pictures
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
def story(project, street, begun, mia, ravi, omar):
    """A canary at 5 % with two hours of looks, a shadow beside it, and time as it is now."""
    street.shift(minutes=-125)
    rollout = begun(min_requests=2000, min_minutes=480, margin=0.05, max_hours=720)
    for minute in range(1, 123, 16):
        street.feed(minute, canary=(20, minute % 3 == 0), stable=(380, 1 + minute % 4), latency_ms=4.0 + minute % 3 / 4)
        street.tick(minute + 1)
    version = registry.make_version(
        project, mia, ravi, model=street.endpoint.model, snapshot=rollout.version.run.snapshot, semver="1.2.0-rc1"
    )
    served.start_shadow(endpoint_id=street.endpoint.uuid, version_id=version.uuid, share=10_000, actor=omar)
    street.feed(123, canary=(5, 0), stable=(95, 0))
    street.tick(124)
    return rollout


def violations(page):
    found = Axe().run(page).response
    assert len(found["passes"]) > 10
    return [(rule["id"], node["html"]) for rule in found["violations"] for node in rule["nodes"]]


def test_nobody_is_shut_out(opened, story, street, omar):
    pages = {
        "panel": reverse("rollouts:panel", args=[street.endpoint.uuid]), "detail": reverse("rollouts:detail", args=[story.uuid]),
        "list": reverse("rollouts:list"),
    }  # fmt: skip
    for width, scheme in ((1440, "light"), (390, "dark")):
        for name, address in pages.items():
            page = opened(address, omar, width=width, scheme=scheme)
            if name != "list":
                expect(page.locator(".plot svg.main-svg").first).to_be_visible()
            if SHOTS:
                page.wait_for_timeout(1500)
                page.screenshot(path=f"{SHOTS}/{name}-{width}-{scheme}.png", full_page=True)
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_form_of_a_start_shuts_nobody_out_and_foretells(opened, street, approval, mia, width, scheme):
    street.take_in_now(400, 2)
    page = opened(reverse("rollouts:start", args=[approval.uuid]), mia, width=width, scheme=scheme)
    expect(page.get_by_text("This plan cannot decide")).to_be_visible()
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/start-{width}-{scheme}.png", full_page=True)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.get_by_label("Steps, %").fill("50, 100")
    page.get_by_label("Canary requests at each step").fill("100")
    page.get_by_label("Margin, percentage points").fill("10")
    page.get_by_label("Minutes at each step").fill("10")
    page.get_by_label("Rise to be found, percentage points").fill("20")
    page.keyboard.press("Tab")

    expect(page.get_by_text("It can decide within its time")).to_be_visible()
    expect(page.get_by_label("Steps, %")).to_have_value("50, 100")


def test_it_is_taken_back_by_keys_alone(opened, live_server, story, street, omar, fresh):
    page = opened(reverse("rollouts:panel", args=[street.endpoint.uuid]), omar)
    button = page.get_by_role("button", name="Roll back to 1.0.0")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Roll back to 1.0.0?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Roll back", exact=True)).to_be_disabled()
    dialog.get_by_label("Reason").fill("Complaints.")
    dialog.get_by_label("Type").fill("1.0.0")
    page.keyboard.press("Enter")
    expect(page).to_have_url(live_server.url + reverse("endpoints:detail", args=[street.endpoint.uuid]))
    page.wait_for_load_state("networkidle")

    assert fresh(story).state == "aborted"


def test_the_panel_follows_a_rollback_by_itself(opened, story, street, omar):
    page = opened(reverse("rollouts:panel", args=[street.endpoint.uuid]), omar)
    expect(page.get_by_text("Canary running")).to_be_visible()
    street.feed(124.5, canary=(20, 19), stable=(95, 0))
    street.tick(125)

    expect(page.get_by_text("rolled back", exact=False).first).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Canary running")).to_have_count(0)
