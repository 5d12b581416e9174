"""A run or a sweep starts with the options that its page shows, even if a user is quicker than the
response.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.training.models import Run, Sweep
from tests.support.training import make_base, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("path", "button", "made"),
    [
        ("/runs/launch/", "Start run", Run),
        ("/runs/launch/", "Run 10-step dry run", Run),
        ("/runs/sweeps/new/", "Start sweep", Sweep),
    ],
)
def test_nothing_starts_while_another_choice_is_on_its_way(opened, project, mia, path, button, made):
    make_base(make_snapshot(project, mia).dataset.project, mia)
    page, held, posted = opened(path, mia), [], []
    page.wait_for_load_state("networkidle")
    page.on("request", lambda request: request.method == "POST" and posted.append(request.url))
    page.route("**strategy=adapter**", lambda route: held.append(route))
    with page.expect_request("**strategy=adapter**"):
        page.get_by_label("Bottleneck adapters").check()
    page.get_by_role("button", name=button).click()
    held[0].continue_()

    expect(page.locator("form[method=post] [name=strategy][value=adapter]")).to_be_attached()
    assert (posted, made.objects.exists()) == ([], False)
    with page.expect_request(lambda request: request.method == "POST"):
        page.get_by_role("button", name=button).click()
    page.wait_for_url(lambda url: not url.split("?")[0].endswith(path))
    assert len(posted) == 1


@pytest.mark.parametrize(
    ("path", "button"), [("/runs/launch/", "Start run"), ("/runs/sweeps/new/", "Start sweep")]
)
def test_nothing_else_is_chosen_while_it_starts(opened, project, mia, path, button):
    make_base(make_snapshot(project, mia).dataset.project, mia)
    page, held = opened(path, mia), []
    page.wait_for_load_state("networkidle")
    page.route(
        "**/*", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    with page.expect_request(lambda request: request.method == "POST"):
        page.get_by_role("button", name=button).click()

    expect(page.get_by_label("Bottleneck adapters")).to_be_disabled()
    expect(page.get_by_label("Base model")).to_be_disabled()
    held[0].continue_()
    page.wait_for_url(lambda url: not url.endswith(path))
