"""Debian's Chromium on the pages of a live server of the test's own process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

from registry.access.models import User

INSTALLED = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")  # the first, without windows, takes two thirds of the other's time
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(os.path.exists, INSTALLED), INSTALLED[-1])
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
BEYOND = """() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".tw *, svg *, pre *"))
  .map((each) => each.outerHTML.slice(0, 200))"""
GIVEN_UP = ("htmx:afterRequest", "htmx:sendAbort")  # a later choice took a request's place; one that failed is told by other words too
SHOTS = os.environ.get("SHOTS", "")  # a folder: what `shot` is asked for is kept there


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A browser, within whose time the ORM may be used beside Playwright's event loop. Skips where Chromium is not installed."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed.")
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        expect.set_options(timeout=20_000)  # a busy machine is no failure
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            yield browser
            browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@contextmanager
def visits(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens pages as a person. None of them may log an error, which is where a breach of the content policy is told."""
    contexts, errors = [], []

    def opened(path: str, user: User | None = None, *, width: int = 1440, scheme: Any = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        if user:
            client, name = Client(), settings.SESSION_COOKIE_NAME
            client.force_login(user)
            context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])
        page = context.new_page()
        listen(page, errors.append)
        page.goto(address + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    wait_for_late_requests()
    assert errors == []


def intercept(page: Page, address: str | Callable[[str], bool], handle: Callable[[Route], object]) -> None:
    """Have this decide on the requests of a page, which is loaded anew: for a moment one that is there goes on sending as before."""
    page.route(address, handle)
    page.reload()


def listen(page: Page, tell: Callable[[str], None]) -> None:
    """Tell of every error of the page's scripts and in its console, but of requests that a later choice replaced and of the icon."""

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(GIVEN_UP) and "favicon" not in message.text + message.location["url"]:
            tell(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: tell(str(error)))


def wait_for_late_requests() -> None:
    """A request that its page no longer waits for still holds tables, which the end of the test wants to empty."""
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(10)


def violations(page: Page) -> list[tuple[str, str]]:
    """What axe finds on the page: rule and markup."""
    found = Axe().run(page).response
    assert len(found["passes"]) > 10
    return [(rule["id"], node["html"][:300]) for rule in found["violations"] for node in rule["nodes"]]


def fits(page: Page, *, seconds: float = 10) -> None:
    """The page does not scroll sideways, once its charts have followed the window; what sticks out is named."""
    for _ in range(int(seconds * 4)):
        if not (beyond := page.evaluate(BEYOND)):
            return
        page.wait_for_timeout(250)
    raise AssertionError((page.url, beyond))


def shot(page: Page, name: str) -> None:
    """A picture for SHOTS."""
    if SHOTS:
        page.wait_for_timeout(1000)
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
