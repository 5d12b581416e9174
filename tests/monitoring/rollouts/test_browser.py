"""The pages of a rollout in a browser: they are accessible, keys work, and it refreshes itself."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from monitoring.rollouts.models import Rollout
from registry.endpoints import actions as served
from tests.support import registry
from tests.support.browser import is_accessible, is_legible, loaded_on_a_phone, settled

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def story(project, street, version, mia, ravi, omar):
    """A canary at 5 % with two hours of looks, a shadow beside it, and time as it is now."""
    street.shift(minutes=-125)
    approval = street.approved(version, min_requests=2000, min_minutes=480, margin=0.05, max_hours=720)
    rollout = street.begin(approval, mia)
    for minute in range(1, 123, 16):
        street.feed(
            minute,
            canary=(20, minute % 3 == 0),
            stable=(380, 1 + minute % 4),
            latency_ms=4.0 + minute % 3 / 4,
        )
        street.tick(minute + 1)
    version = registry.make_version(
        project,
        mia,
        ravi,
        model=street.endpoint.model,
        snapshot=rollout.version.run.snapshot,
        semver="1.2.0-rc1",
    )
    served.start_shadow(endpoint_id=street.endpoint.uuid, version_id=version.uuid, share=10_000, actor=omar)
    street.feed(123, canary=(5, 0), stable=(95, 0))
    street.tick(124)
    return rollout


def test_pages_are_accessible(opened, story, street, omar):
    paths = {
        "rollout-panel": reverse("rollouts:panel", args=[street.endpoint.uuid]),
        "rollout-detail": reverse("rollouts:detail", args=[story.uuid]),
        "rollout-list": reverse("rollouts:list"),
    }

    for name, page in loaded_on_a_phone(opened, paths, omar):
        if "list" not in name:
            expect(page.locator(".plot svg.main-svg").first).to_be_visible()
        is_accessible(page, name)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_page_of_a_start_is_accessible(opened, foretold, version, mia, width, scheme):
    hasty = foretold.approved(version, min_requests=10_000)
    page = opened(reverse("rollouts:start", args=[hasty.uuid]), mia, width=width, scheme=scheme)
    expect(page.get_by_text("This plan can't decide")).to_be_visible()
    is_legible(page, f"rollout-start-{width}-{scheme}")


def test_a_rollout_starts_from_its_page(opened, live_server, foretold, approval, mia):
    page = opened(reverse("rollouts:start", args=[approval.uuid]), mia)
    expect(page.get_by_text("Can decide in time")).to_be_visible()

    page.get_by_role("button", name="Start rollout").click()

    expect(page).to_have_url(live_server.url + reverse("endpoints:detail", args=[approval.endpoint.uuid]))
    settled(page)
    assert Rollout.objects.get().request == approval


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
    assert fresh(story).state == "aborted"


def test_the_panel_follows_a_rollback_by_itself(opened, story, street, omar):
    page = opened(reverse("rollouts:panel", args=[street.endpoint.uuid]), omar)
    page.clock.install()
    page.reload()
    expect(page.get_by_text("Canary running")).to_be_visible()
    street.feed(124.5, canary=(20, 19), stable=(95, 0))
    street.tick(125)

    page.clock.fast_forward(10_000)

    expect(page.get_by_text("rolled back", exact=False).first).to_be_visible()
    expect(page.get_by_text("Canary running")).to_have_count(0)
