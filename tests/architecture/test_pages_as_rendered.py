"""Every page and every answer of the API, as it is rendered in a full world: what people wrote never runs,
and texts are hidden from roles that may not read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.core.cache import cache

from tests.support import registry
from tests.support.kept import rolled_back
from tests.support.pairs import WHOLE
from tests.support.role_table import PEOPLE, ROWS, Browser, Row, filled_in
from tests.support.world import NUMBER, SCRIPT, World

READER = "mia"  # an engineer, who may read every text
WALKERS = [READER, "ravi", "lee", "adam", "aida"]  # of each address the first who may see it goes there
NO_READERS = ["lee", "omar", "aida"]
# what they answer may be kept
WITHOUT_COOKIES = ("/accounts/", "/api/schema/", "/api/docs/", "/favicon.ico", "/healthz", "/readyz")
REFUSED = {  # what the world has no answer for, or that a URL alone doesn't determine
    "/runs/<uuid:uuid>/manifest/": 409,
    "/api/v1/runs/<uuid:uuid>/manifest/": 409,
    "/evaluations/<uuid:uuid>/predictions/": 422,
    "/api/v1/evaluations/<uuid:uuid>/predictions/": 422,
    "/api/v1/evaluations/<uuid:uuid>/attribution/": 400,
    "/api/v1/evaluations/compare/": 400,
    "/api/v1/datasets/<uuid:uuid>/data-issues/": 400,
}


@dataclass(frozen=True)
class Page:
    """A user's response at the URL of a row. content: all of its body."""

    path: str
    name: str
    status: int
    headers: dict[str, str]
    content: bytes


def visit(row: Row, browser: Browser, name: str, world: World) -> Page:
    """One page, really rendered."""
    cache.clear()
    browser.client.raise_request_exception = True
    answer = browser.ask("get", filled_in(row.path, row.thing, world))
    content = b"".join(answer) if answer.streaming else answer.content
    return Page(row.path, name, answer.status_code, {**answer.headers}, content)


def gets_in(name: str, row: Row) -> bool:
    return row.get[PEOPLE.index(name)] == "+"


def walker(row: Row) -> str | None:
    return next((name for name in WALKERS if gets_in(name, row)), None)


@pytest.fixture
def pages(world) -> list[Page]:
    """Every page that a walker may see, as the first such walker sees it."""
    registry.copies_are_as_packed()
    browsers = {name: Browser(world, name) for name in WALKERS}
    with rolled_back():
        return [visit(row, browsers[name], name, world) for row in ROWS if (name := walker(row))]


def faults(page: Page) -> Iterator[str]:
    """The faults of a page that don't depend on its user."""
    headers = page.headers
    if page.status != REFUSED.get(page.path, page.status if page.status == 302 else 200):
        yield f"answers {page.status}"
    if not page.content and page.status != 302:
        yield "is empty"
    if not page.path.startswith(WITHOUT_COOKIES) and "no-store" not in headers.get("Cache-Control", ""):
        yield "may be cached on its way"
    if headers["Content-Type"].startswith("text/html"):
        if SCRIPT.encode() in page.content:
            yield "lets a script through"
        if "script-src 'self';" not in headers.get("Content-Security-Policy", "") + ";":
            yield "allows scripts of others"
        if (headers.get("X-Frame-Options"), headers.get("X-Content-Type-Options")) != ("DENY", "nosniff"):
            yield "may be framed, or read as something else"


def shows_texts(page: Page) -> bool:
    return NUMBER.encode() in page.content


def complain(pages: list[Page]) -> None:
    """Fail where one of them has a fault."""
    wrong = [f"{page.path} {fault}, as {page.name} sees it" for page in pages for fault in faults(page)]
    assert not wrong, f"{len(wrong)} faults:\n" + "\n".join(wrong)


def test_every_address_that_anybody_sees_is_walked_to():
    assert [row.path for row in ROWS if "+" in row.get and not walker(row)] == []


@pytest.mark.postgres
def test_every_page_is_rendered_and_what_people_wrote_never_runs(pages):
    complain(pages)

    escaped = SCRIPT.replace("<", "&lt;").replace(">", "&gt;").encode()
    assert sum(escaped in page.content for page in pages) > 100, "the pages show what users wrote"
    assert sum(shows_texts(page) for page in pages) > 20


@pytest.mark.parametrize("name", NO_READERS)
def test_texts_are_hidden_from_roles_that_may_not_read_them(world, pages, name):
    """Where a reader sees a text, and wherever no reader gets in. The lead labels, so the bench shows them
    the items they label.
    """
    with_texts = {page.path for page in pages if shows_texts(page)}
    rows = [row for row in ROWS if gets_in(name, row) and not row.path.endswith("/bench/")]
    browser = Browser(world, name)
    seen = [
        visit(row, browser, name, world)
        for row in rows
        if WHOLE or row.path in with_texts or not gets_in(READER, row)
    ]

    complain(seen)
    assert [page.path for page in seen if shows_texts(page)] == []
    assert len(seen) > 15


LISTS = [
    "/jobs/",
    "/datasets/",
    "/labeling/",
    "/dataset-versions/",
    "/runs/",
    "/evaluations/",
    "/promotions/",
    "/audit/",
    "/notices/",
    "/alerts/",
]
LISTS += ["/alerts/suppressed/", "/data-issues/", "/runs/sweeps/"]


@pytest.mark.postgres
@pytest.mark.parametrize("key", ["²", "9" * 30, "-1", "\x00"])
def test_a_place_in_a_list_that_is_no_number_is_refused(world, key):
    browser = Browser(world, READER)
    paths = [*LISTS, "/api/v1/labeling/queues/"]

    assert {
        path: browser.ask("get", path, data={"before": key}).status_code for path in paths
    } == dict.fromkeys(paths, 400)
