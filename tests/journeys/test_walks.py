"""Each user follows every link on their pages: each link opens, with no server error and no link to a page
without permission.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from urllib.parse import urljoin, urlsplit

import pytest

from tests.support.story import Story
from tests.support.visitors import Visitor

pytestmark = pytest.mark.journey
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}")
LINKS = re.compile(r'<a\b[^>]*?\bhref="([^"#]+)|\bhx-get="([^"]+)"')
SAME_KIND, PAGES_MAX = 2, 250
# one of each role, the admin and a stranger
SEEN_BY = {"ana", "ravi", "mia", "lee", "gita", "omar", "aida", "adam", "otto"}


@pytest.fixture(scope="module")
def opened() -> set[str]:
    """The paths that any user opened."""
    return set()


def walk(visitor: Visitor, opened: set[str]) -> dict[str, int]:
    """Status by path of everything reachable from the home page: of each kind of page (queries counting as a
    kind) the first, and a second that no user has opened yet.
    """
    waiting, kinds, found = ["/"], Counter[str](), {}
    while waiting and len(found) < PAGES_MAX:
        path = waiting.pop(0)
        kind = UUID.sub("*", re.sub(r"=[^&]*", "=", path))
        if path in found or kinds[kind] >= SAME_KIND or (kinds[kind] and path in opened):
            continue
        kinds[kind] += 1
        answer = visitor.client.get(path, follow_redirects=True)
        found[path] = answer.status_code
        opened.add(path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            waiting += links_of(answer.text, path)
    return found


def links_of(page: str, path: str) -> list[str]:
    """The addresses of this site that a page links to or loads."""
    found = []
    for link, fragment in LINKS.findall(page):
        address = urlsplit(urljoin(f"http://site{path}", html.unescape(link or fragment)))
        if address.netloc == "site" and not address.path.startswith(
            ("/static/", "/api/docs", "/accounts/logout")
        ):
            found.append(address.path + (f"?{address.query}" if address.query else ""))
    return found


@pytest.mark.parametrize("username", sorted(SEEN_BY))
def test_every_link_opens(inbox_story: Story, opened: set[str], username: str):
    assert inbox_story.second_live
    found = walk(inbox_story[username], opened)

    assert {path: status for path, status in found.items() if status != 200} == {}
    assert len(found) > 5


def test_no_request_caused_a_server_error(inbox_story: Story):
    log = inbox_story.product.log()

    assert "Traceback" not in log
    assert "Internal Server Error" not in log
