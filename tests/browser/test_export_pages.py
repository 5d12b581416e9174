"""A version is exported on its page: a button, the job's progress, and the download."""

from __future__ import annotations

import zipfile

import pytest
from playwright.sync_api import expect

from lifecycle.ground.jobs.models import Job
from registry.ground.ledger.models import Event
from tests.support import registry
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.jobs import run_ok

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


def test_an_export_goes_from_the_button_to_progress_to_the_download(opened, version, mia, tmp_path):
    page = opened(f"/models/versions/{version.uuid}/", mia)
    page.get_by_role("button", name="Export version").click()
    bar = page.get_by_role("group", name="Export version: ")
    expect(bar).to_be_visible()
    expect(page.get_by_role("button", name="Export version")).to_have_count(0)

    run_ok("default")
    link = page.locator("#export").get_by_role("link", name="Download")
    expect(link).to_be_visible()  # without a reload
    expect(bar).to_have_count(0)
    with page.expect_download() as downloaded:
        link.click()

    assert downloaded.value.suggested_filename == f"{version.model.slug}-1.0.0.zip"
    downloaded.value.save_as(tmp_path / "version.zip")
    assert zipfile.ZipFile(tmp_path / "version.zip").testzip() is None
    assert Event.objects.filter(verb="catalog.exported", actor=str(mia.uuid)).count() == 1


def test_a_cancelled_export_can_be_started_again(opened, version, mia):
    page = opened(f"/models/versions/{version.uuid}/", mia)
    page.get_by_role("button", name="Export version").click()

    page.get_by_role("button", name="Cancel job").click()

    expect(page.get_by_role("button", name="Export version")).to_be_visible()
    assert Job.objects.get(kind="catalog.export").state == "cancelled"


def test_the_pages_fit_and_can_be_read_by_everybody(opened, version, mia):
    address = f"/models/versions/{version.uuid}/"
    for name, page in loaded_on_a_phone(opened, {"not made": address}, mia):
        is_accessible(page, name, both_schemes=True)
    registry.exported(version, mia).close()
    for name, page in loaded_on_a_phone(opened, {"made": address}, mia):
        is_accessible(page, name, both_schemes=True)
