"""The running product in Debian's Chromium: everybody's window, what a page must be, and the tour's
pictures.
"""

from __future__ import annotations

import os

from playwright.sync_api import Browser, Page, expect

from tests.support.browser import fits, listen, violations
from tests.support.people import PASSWORD
from tests.support.product import ROOT, Product

TOUR = ROOT / "docs" / "tour"
PATIENCE = 300_000  # milliseconds; ends a test that would hang, while a product is at work beside it
WIDE, NARROW = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}


class Desk:
    """A browser window for each user, and the console errors of their pages."""

    def __init__(self, browser: Browser, product: Product) -> None:
        expect.set_options(timeout=PATIENCE)
        self.browser, self.product = browser, product
        self.pages: dict[str, Page] = {}
        self.errors: list[str] = []

    def __getitem__(self, username: str) -> Page:
        if username not in self.pages:
            self.pages[username] = self.sign_in(username)
        return self.pages[username]

    def sign_in(self, username: str) -> Page:
        """Through the form."""
        context = self.browser.new_context(viewport=WIDE, base_url=self.product.url, reduced_motion="reduce")  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        listen(page, lambda error: self.errors.append(f"{username} {page.url}: {error}"))
        page.goto("/accounts/login/")
        page.get_by_label("Username or e-mail").fill(username)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{self.product.url}/")
        return page


def look(page: Page, name: str, *, full: bool = False, dark: bool = False, axe: bool = True) -> None:
    """A page is accessible at both widths and doesn't scroll sideways. name: of its picture, empty for
    none. dark: when it is narrow.

    axe: False where the browser's suite has axe look at the same page at both widths: here it fits, with what
    a whole story left on it.
    """
    page.wait_for_load_state("networkidle")
    if name:
        picture(page, name, full=full)
    assert not axe or violations(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark" if dark else "light")
    fits(page)
    assert not axe or violations(page) == []
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light")


def picture(page: Page, name: str, *, full: bool = False) -> None:
    """Take the tour's picture of a page, where the tour is being made. full: all of a long page, not the
    window alone.
    """
    if os.environ.get("TOUR") == "1":
        TOUR.mkdir(exist_ok=True)
        page.screenshot(path=TOUR / f"{name}.png", full_page=full, animations="disabled")


def freeze(page: Page, dataset: str) -> str:
    """Create a dataset's first version on its page and leave that page open; returns its uuid."""
    page.goto(f"/dataset-versions/dataset/{dataset}/")
    for split, share in (("Train", "60"), ("Validation", "20"), ("Test", "20")):
        page.get_by_label(split).fill(share)
    page.get_by_role("button", name="Create version").click()
    link = page.get_by_role("link", name="Version 1")
    expect(link).to_be_visible(timeout=60_000)
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("1")
    return page.url.rstrip("/").rpartition("/")[2]
