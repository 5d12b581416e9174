"""Debian's Chromium on the pages of a live server of the test's own process."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect, sync_playwright

from registry.ground.access.models import User
from tests.support.people import sign_in

# the first, without windows, takes two thirds of the other's time
INSTALLED = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(os.path.exists, INSTALLED), INSTALLED[-1])
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
# a person's second page finds the scripts of the first compiled: half its time
ARGS += ["--process-per-site"]
WIDE, NARROW = 1440, 390
SETTLED = """document.readyState === "complete" && document.fonts.status === "loaded"
  && !document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")
  && [...document.querySelectorAll("[data-chart]")].every((plot) => plot.clientWidth === 0
    || Math.abs((plot.querySelector(".main-svg")?.clientWidth ?? 0) - plot.clientWidth) <= 1)"""
BEYOND = """document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".tw *, svg *, pre *"))
  .map((each) => each.outerHTML.slice(0, 200))"""  # noqa: E501
AXE = """async (rules) => { if (!window.axe) return null;
  const { passes, violations } = await axe.run({ resultTypes: ["violations"], ...(rules.length && { runOnly: rules }) });
  return [passes.length, violations.flatMap((rule) => rule.nodes.map((node) => [rule.id, node.html.slice(0, 300)]))]; }"""  # noqa: E501
REMEMBERED = """(() => { const { Color } = axe.commons.color, parse = Color.prototype.parseString, known = new Map();
  Color.prototype.parseString = function (text) { // a third of axe's time: the same few colours for every element
    if (known.has(text)) [this.r, this.g, this.b, this.alpha] = known.get(text);
    else { parse.call(this, text); known.set(text, [this.r, this.g, this.b, this.alpha]); }
    return this; }; })()"""  # noqa: E501
# those of axe's rules, of all that are on, that read colours
OF_COLOURS = ("color-contrast", "link-in-text-block")
# a newer request replaced this one; a failed request logs other messages as well
GIVEN_UP = ("htmx:afterRequest", "htmx:sendAbort")
SHOTS = os.environ.get("SHOTS", "")  # a folder: what `shot` is asked for is kept there
ANSWERING: set[threading.Thread] = set()  # those of the live server that have a request


class Parked:
    """A browser that runs for longer than it is used. Playwright's event loop stays where it is between two
    calls; only while the browser is used does this thread say that the loop runs, which the ORM and
    `asyncio.run` would refuse.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser, self.loop = browser, asyncio.get_running_loop()
        asyncio._set_running_loop(None)

    @contextmanager
    def in_use(self) -> Iterator[Browser]:
        """The browser; meanwhile the ORM may be used beside it."""
        with mock.patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="true"):
            asyncio._set_running_loop(self.loop)
            try:
                yield self.browser
            finally:
                asyncio._set_running_loop(None)


@contextmanager
def parked_chromium() -> Iterator[Parked]:
    """Debian's Chromium, which keeps static files, as behind production's server. Skips where it is not
    installed.
    """
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed.")
    expect.set_options(timeout=20_000)  # a busy machine is no failure
    served = mock.patch.object(StaticFilesHandler, "serve", kept_by_browsers(StaticFilesHandler.serve))
    with served, answers_are_watched(), sync_playwright() as playwright:
        parked = Parked(playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS))
        try:
            yield parked
            with parked.in_use() as browser:
                browser.close()
        finally:
            asyncio._set_running_loop(parked.loop)  # which ends with what follows


@contextmanager
def answers_are_watched() -> Iterator[None]:
    """What has a request is known, for `wait_for_late_requests`. One whose page is gone may end without a
    word, and its thread with it.
    """

    def begins(**of: Any) -> None:
        if threading.current_thread() is not threading.main_thread():  # a test's own client
            ANSWERING.add(threading.current_thread())

    def ends(**of: Any) -> None:
        ANSWERING.discard(threading.current_thread())

    request_started.connect(begins)
    request_finished.connect(ends)
    try:
        yield
    finally:
        request_started.disconnect(begins)
        request_finished.disconnect(ends)
        ANSWERING.clear()


def kept_by_browsers(serve: Callable[..., Any]) -> Callable[..., Any]:
    """Static files as this serves them, with leave to keep them."""

    def served(handler: StaticFilesHandler, request: Any) -> Any:
        response = serve(handler, request)
        response["Cache-Control"] = "max-age=3600"
        return response

    return served


@contextmanager
def people_at(browser: Browser, address: str) -> Iterator[Callable[[User | None], BrowserContext]]:
    """The window of each person for as long as a test takes. Afterwards windows are emptied and wait for the
    next test: what has compiled the pages' scripts once does so no more, which is most of what opening a page
    costs.
    """
    free, taken = browser.contexts, dict[Any, BrowserContext]()

    def window_of(user: User | None) -> BrowserContext:
        if (who := user and user.pk) not in taken:
            taken[who] = free.pop() if free else new_window(browser, address)
            if user:
                signed_in(taken[who], user, address)
        return taken[who]

    yield window_of
    for window in taken.values():
        empty(window, address)
    wait_for_late_requests()


def new_window(browser: Browser, address: str) -> BrowserContext:
    """A window without a person. Its first page stays there, so that its process does."""
    size: Any = {"width": WIDE, "height": 900}
    window = browser.new_context(
        base_url=address, viewport=size, color_scheme="light", reduced_motion="reduce"
    )
    window.new_page().goto("/static/img/favicon.svg")
    return window


def signed_in(window: BrowserContext, user: User, address: str) -> None:
    """Have pages of this window be those of a person who has signed in."""
    client, name = Client(), settings.SESSION_COOKIE_NAME
    sign_in(client, user)
    window.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])


def empty(window: BrowserContext, address: str) -> None:
    """Take away all pages but the first, and all that pages can store."""
    first, *others = window.pages
    for page in others:
        page.close()
    session = window.new_cdp_session(first)
    session.send(
        "Storage.clearDataForOrigin",
        {"origin": address, "storageTypes": "cookies,local_storage,indexeddb,service_workers"},
    )
    session.detach()
    assert (window.cookies(), first.evaluate("localStorage.length")) == ([], 0)


@contextmanager
def visits(window_of: Callable[[User | None], BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Open pages in a user's window. None may log an error; the browser reports violations of the content
    security policy as errors.
    """
    errors: list[str] = []

    def opened(path: str, user: User | None = None, *, width: int = WIDE, scheme: Any = "light") -> Page:
        page = window_of(user).new_page()
        listen(page, errors.append)
        shown_as(page, width, scheme)
        page.goto(path)
        return page

    yield opened
    assert not errors, errors


def shown_as(page: Page, width: int, scheme: Any) -> None:
    """Have a page be shown at this width in this colour scheme."""
    if page.viewport_size != {"width": width, "height": 900}:
        page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)


def intercept(page: Page, address: str | Callable[[str], bool], handle: Callable[[Route], object]) -> None:
    """Have this decide on the requests of a page, which is loaded anew: for a moment one that is there goes
    on sending as before.
    """
    page.route(address, handle)
    page.reload()


def listen(page: Page, report: Callable[[str], None]) -> None:
    """Report every script and console error of the page, except those of replaced requests and of the
    favicon.
    """

    def on_console(message: ConsoleMessage) -> None:
        if (
            message.type == "error"
            and not message.text.startswith(GIVEN_UP)
            and "favicon" not in message.text + message.location["url"]
        ):
            report(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: report(str(error)))


def wait_for_late_requests(*, seconds: float = 30) -> None:
    """A request that its page no longer waits for still writes, which nothing may once a test has ended."""
    until = time.monotonic() + seconds
    while any(thread.is_alive() for thread in tuple(ANSWERING)) and time.monotonic() < until:
        time.sleep(0.005)


def settled(page: Page) -> None:
    """Wait until the page has loaded its fragments and fonts, and its charts have their final width."""
    page.wait_for_function(f"() => {SETTLED}")


def violations(page: Page, rules: Sequence[str] = ()) -> list[tuple[str, str]]:
    """What axe finds on the page: rule and markup. rules: by these alone, where the others have read the page
    in other colours.
    """
    found = page.evaluate(AXE, rules)
    if found is None:
        page.evaluate(f"{Axe().axe_script};{REMEMBERED}")
        found = page.evaluate(AXE, rules)
    assert found[0] > (0 if rules else 10), "Few rules pass: the page isn't there."
    return [(rule, markup) for rule, markup in found[1]]


def fits(page: Page) -> None:
    """The page does not scroll sideways, once it has settled and its charts have followed the window; what
    sticks out is named.
    """
    script = f"""async () => {{
      const frame = () => new Promise(requestAnimationFrame), end = performance.now() + 20_000;
      for (await frame(), await frame(); performance.now() < end; await frame()) if ({SETTLED} && !({BEYOND}).length) return [];
      return [String({SETTLED}), ...{BEYOND}]; }}"""  # noqa: E501
    beyond = page.evaluate(script)
    assert not beyond, (page.url, beyond)


def is_legible(page: Page, name: str, rules: Sequence[str] = ()) -> None:
    """The page as it is fits its window, and everybody can read it. name: of its picture, and of what is
    wrong. rules: as of violations.
    """
    fits(page)
    shot(page, name)
    found = violations(page, rules)
    assert not found, (name, found)


def is_accessible(page: Page, name: str, *, both_schemes: bool = False) -> None:
    """The page is legible on a phone in dark colours and on a desk in light ones. both_schemes: on each in
    both, of which the second changes nothing but colours.
    """
    for width, schemes in ((NARROW, ("dark", "light")), (WIDE, ("light", "dark"))):
        for scheme, rules in zip(schemes if both_schemes else schemes[:1], ((), OF_COLOURS), strict=False):
            shown_as(page, width, scheme)
            is_legible(page, f"{name}-{width}-{scheme}", rules)


def loaded_on_a_phone(
    opened: Callable[..., Page], paths: Mapping[str, str], user: User | None
) -> Iterator[tuple[str, Page]]:
    """A person's pages at these addresses, one after the other; before each its name."""
    page = None
    for name, path in paths.items():
        if page is None:
            page = opened(path, user, width=NARROW, scheme="dark")
        else:
            shown_as(page, NARROW, "dark")
            page.goto(path)
        yield name, page


def shot(page: Page, name: str) -> None:
    """A picture for SHOTS."""
    if SHOTS:
        page.wait_for_timeout(1000)
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
