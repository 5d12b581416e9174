"""A dry run's page in Debian's Chromium: it sends no request until a user changes an option."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.datasets.models import Upload
from tests.support.datasets import make_dataset, receive

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def upload(project, ana):
    return receive(
        make_dataset(project, ana), ana, b"text,label\nA card,card\nA transfer,transfer\n", "messages.csv"
    )


def test_a_page_as_it_came_looks_through_no_file(opened, upload, ana):
    page, asked = opened("/", ana), []
    page.on("request", lambda request: asked.append(request.method))
    page.goto(f"/datasets/uploads/{upload.uuid}/")
    page.wait_for_load_state("networkidle")

    expect(page.get_by_label("The first row has the column names")).to_be_checked()
    assert set(asked) == {"GET"}


def test_a_change_looks_through_it_again(opened, upload, ana):
    page = opened(f"/datasets/uploads/{upload.uuid}/", ana)
    page.wait_for_load_state("networkidle")
    page.get_by_label("The first row has the column names").uncheck()

    expect(page.get_by_role("button", name="Import 3 rows")).to_be_visible()
    upload.refresh_from_db()
    assert upload.has_header is False


def test_nothing_is_imported_while_a_change_is_on_its_way(opened, upload, ana):
    page, held = opened(f"/datasets/uploads/{upload.uuid}/", ana), []
    page.wait_for_load_state("networkidle")
    page.route("**/inspect/", lambda route: held.append(route))
    with page.expect_request("**/inspect/"):
        page.get_by_label("The first row has the column names").uncheck()
    page.get_by_role("button", name="Import 2 rows").click()
    held[0].continue_()

    expect(page.get_by_role("button", name="Import 3 rows")).to_be_visible()
    upload.refresh_from_db()
    assert upload.state == Upload.State.INSPECTED
