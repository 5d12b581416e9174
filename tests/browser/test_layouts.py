"""What boxes measure: on no width is a word broken or cut, a cell too narrow for what it holds, or a text
over another.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from registry.ground.access.actions import grant
from registry.ground.access.roles import Role
from tests.support.alerts import make_alerts
from tests.support.browser import NARROW, settled, shown_as
from tests.support.layout import flaws
from tests.support.people import make_project

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDTHS = (NARROW, 768, 1024, 1360, 1440, 1920)
LONG = "about an endpoint of which there is more to say than fits into half of a page, though a page pages"
REACHED = """() => [...document.querySelectorAll("#nav a, #nav button")].filter((each) => each.checkVisibility()).filter((each) => {
  each.scrollIntoView({ block: "center" });
  const box = each.getBoundingClientRect(), at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const covered = !each.contains(at) && !at?.closest("#me-menu, #nav .who");
  return covered || box.left < 0 || box.right > innerWidth || box.top < 0 || box.bottom > innerHeight + 1;
}).map((each) => each.outerHTML.slice(0, 120))"""  # noqa: E501


@pytest.fixture
def burning(live_endpoint, omar, lee):
    """An endpoint with an open page, an objective and a silence, each with long words. Lee has a second
    project to choose from.
    """
    make_alerts(live_endpoint, omar, LONG)
    grant(
        user=lee,
        role=Role.LEAD,
        root=make_project("elsewhere", "Elsewhere, with a name of many words"),
        actor=None,
    )
    return live_endpoint


def test_no_page_breaks_cuts_or_covers_its_words(opened, burning, omar, mia, lee):
    paths = {"/": omar, "/dashboard/": lee, "/runs/bases/": mia}
    paths |= {
        f"/{place}/{burning.uuid}/": omar
        for place in ("endpoints", "traffic/endpoints", "drift/endpoints", "retraining/endpoints")
    }
    found = []
    for path, person in paths.items():
        page = opened(path, person)
        for width in WIDTHS:
            shown_as(page, width, "light")
            settled(page)
            found += [(path, width, flaw) for flaw in flaws(page)]

    assert found == []


@pytest.mark.parametrize("height", [900, 640])
def test_all_of_the_drawer_can_be_reached_on_a_phone(opened, burning, omar, height):
    page = opened("/", omar, width=NARROW)
    page.set_viewport_size({"width": NARROW, "height": height})
    page.locator(".navtoggle").click()
    expect(page.locator("#nav .brand")).to_be_in_viewport(ratio=1)

    assert page.evaluate(REACHED) == []
    page.locator("#nav .me").click()
    expect(page.locator("#me-menu")).to_be_visible()
    assert page.evaluate(REACHED) == []
    assert page.evaluate("nav.scrollWidth - nav.clientWidth") == 0
