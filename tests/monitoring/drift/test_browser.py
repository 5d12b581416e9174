"""The pages of drift in a browser: they are accessible, nothing runs sideways, and the texts behind a bin
come without leaving the page.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.urls import reverse
from playwright.sync_api import expect

from monitoring.drift import actions
from monitoring.drift.models import TextCheck
from monitoring.drift.rules import Span
from monitoring.traffic import actions as spool
from tests.support import endpoints
from tests.support.browser import (
    NARROW,
    WIDE,
    fits,
    is_accessible,
    is_legible,
    loaded_on_a_phone,
    settled,
    shot,
    shown_as,
)
from tests.support.endpoints import deployed_endpoint

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar):
    return deployed_endpoint(project, test=60)


@pytest.fixture
def story(traffic, live_endpoint):
    """Three quiet weeks, then five days on which one answer and shorter texts take over, with words and texts
    of yesterday.
    """
    today, rng = (
        datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
        np.random.default_rng(3),
    )
    for back in range(26, 0, -1):
        strange = min(1.0, max(0, 6 - back) / 4)
        draw = rng.multinomial(600, np.array([1 + 4 * strange, 1, 1]) / (3 + 4 * strange))
        unsure = int(rng.binomial(600, (strange + 0.02) / (strange + 1.02)))
        traffic.write(
            today - timedelta(days=back) + timedelta(hours=4),
            dict(zip(("billing", "delivery", "refund"), draw.tolist(), strict=True)),
            confidence={"47": unsure, "48": 600 - unsure},
            right=int(rng.integers(20, 60)),
            wrong=int(rng.integers(1, 4 + int(12 * strange))),
        )
    at = (today - timedelta(hours=12)).isoformat(timespec="milliseconds")
    texts = [f"Somebody stole my card number {n} and the phone, what now?" for n in range(40)]
    endpoints.write_segment(
        *[endpoints.spool_line(live_endpoint, (text, "billing", 0.94), at=at) for text in texts]
    )
    spool.ingest()
    reports = actions.catch_up(live_endpoint, today + timedelta(hours=1))
    yesterday = Span(today - timedelta(days=1), today)
    result = {
        "mark": "watch",
        "why": "",
        "value": 0.81,
        "critical": 0.58,
        "p": 1e-9,
        "n": 900,
        "m": 640,
        "limit": 0.58,
        "unit": "AUC",
        "senders": None,
        "design_effect": None,
        "sure": True,
        "open": False,
        "ratio": 3.9,
        "mean": 1.2,
        "control": None,
        "over": True,
        "overs": 2,
        "of": 5,
        "held": "few",
        "quiet": False,
    }
    TextCheck.objects.create(
        endpoint=live_endpoint,
        version=live_endpoint.alias.version,
        baseline=reports[-1].baseline,
        window_start=yesterday.start,
        window_end=yesterday.end,
        rows=640,
        state="ok",
        results={"words": result, "meaning": result | {"value": 0.79, "ratio": 3.6}},
        worst="words",
        ratio=3.9,
        why="Words was over its limit.",
        reference_rows=900,
        outside=0.081,
        new_words=[
            {"word": word, "reference": 0.004, "current": 0.31}
            for word in ("stole", "stolen", "phone", "police")
        ],
        missing_words=[
            {"word": word, "reference": 0.22, "current": 0.05} for word in ("fee", "exchange", "top")
        ],
        typical=[str(each.uuid) for each in live_endpoint.predictions.order_by("-id")[:6]],
    )
    return reports[-1]


def test_pages_are_accessible(opened, story, mia, ana):
    of_endpoint = {
        f"drift-{name}": reverse(f"drift:{name}", args=[story.endpoint.uuid])
        for name in ("endpoint", "panel", "behind")
    }
    behind = {"drift-behind": of_endpoint.pop("drift-behind")}
    pages = {mia: {"drift-list": reverse("drift:list")} | of_endpoint, ana: behind}
    assert story.state == "drift"

    for person, paths in pages.items():
        for name, page in loaded_on_a_phone(opened, paths, person):
            if "endpoint" in name:
                expect(page.locator(".plot svg.main-svg").first).to_be_visible()
            is_accessible(page, name)
            for width, scheme in ((WIDE, "dark"), (NARROW, "light")):
                shown_as(page, width, scheme)
                settled(page)
                shot(page, f"{name}-{width}-{scheme}")
                fits(page)


def test_empty_pages_are_accessible(opened, live_endpoint, mia):
    for name, address in {
        "empty": reverse("drift:endpoint", args=[live_endpoint.uuid]),
        "empty-list": reverse("drift:list"),
    }.items():
        is_legible(opened(address, mia, width=390), f"drift-{name}")


def test_the_texts_behind_a_bin_come_without_leaving_the_page(opened, live_server, story, ana):
    address = reverse("drift:endpoint", args=[story.endpoint.uuid])
    page = opened(address, ana)

    page.get_by_role("link", name="Texts in the bin that grew most").first.click()

    expect(page.get_by_role("heading", name="Predicted label: billing")).to_be_visible()
    expect(page.get_by_text("Somebody stole my card number").first).to_be_visible()
    expect(page).to_have_url(live_server.url + address)


def test_it_is_measured_now_by_keys_alone(opened, story, mia):
    page = opened(reverse("drift:endpoint", args=[story.endpoint.uuid]), mia)
    page.get_by_role("button", name="Measure the last 24 hours").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("group", name="Measure drift now")).to_be_visible()
    expect(page.get_by_role("button", name="Measure the last 24 hours")).to_have_attribute(
        "aria-disabled", "true"
    )
    is_legible(page, "drift-measuring")
