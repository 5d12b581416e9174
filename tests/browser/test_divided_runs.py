"""Sharding a model across processes is an option under More settings, and the run's page shows it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.training.models import Run
from tests.support.browser import fits, is_legible, shot
from tests.support.training import make_base, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def snapshot(project, mia):
    make_base(project, mia)
    return make_snapshot(project, mia)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_model_of_a_run_is_divided_among_two_processes(opened, snapshot, mia, width, scheme):
    page = opened("/runs/launch/", mia, width=width, scheme=scheme)

    page.get_by_text("More settings").click()
    page.get_by_label("Processes", exact=True).fill("2")
    page.get_by_label("Shard the model across processes").check()
    is_legible(page, f"divided-form-{width}-{scheme}")
    page.get_by_role("button", name="Start run").click()

    expect(page.get_by_text("2 processes, sharded")).to_be_visible()
    assert Run.objects.get().spec["sharded"] is True
    shot(page, f"divided-run-{width}-{scheme}")
    fits(page)
