"""The pages of a run that gives any number of classes a text: they fit, can be read by everybody, and their numbers open rows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.task_types.multi_label.page import most_mistaken
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from tests.support.browser import loaded_on_a_phone, shuts_nobody_out
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_model
from tests.support.training import make_run, several_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def runs(project, mia):
    snapshot = several_snapshot(project, mia)
    return [make_run(snapshot, mia, accuracy=share, seed=seed) for seed, share in ((1, 0.6), (2, 0.9))]


def registered(project, run, user) -> ModelVersion:
    """A version of the run."""
    model = make_model(project, user)
    catalog.register(model=model, run=run, semver="1.0.0", actor=user, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get(model=model)


def test_what_a_class_misses_opens_its_rows(opened, runs, mia):
    evaluation = queries.latest_evaluation(runs[0], "test")
    worst = max(evaluation.report["per_class"], key=lambda each: each["missed"])
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name=f"{worst['missed']} rows that miss {worst['label']}").click()

    expect(page.get_by_role("heading", name=f"Rows that miss {worst['label']}")).to_be_visible()
    expect(page.locator("#items tbody tr")).to_have_count(worst["missed"])


def test_a_threshold_of_another_class_is_chosen(opened, runs, mia):
    evaluation = queries.latest_evaluation(runs[0], "test")
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name="Threshold", exact=True).click()
    expect(page.get_by_label("Class")).to_have_value(most_mistaken(evaluation.report))
    page.get_by_label("Class").select_option("login")
    expect(page).to_have_url(re.compile("class=login"))
    page.get_by_role("link", name="Target recall").click()

    expect(page.get_by_text("Give login to a row from")).to_be_visible()
    expect(page.get_by_text("the model goes on giving login from 0.500 on")).to_be_visible()


def test_the_pages_fit_and_can_be_read_by_everybody(opened, runs, project, mia):
    version = registered(project, runs[1], mia)
    first, second = (queries.latest_evaluation(run, "test") for run in runs)
    paths = {
        "several-launch": f"/runs/launch/?snapshot={runs[0].snapshot.uuid}",
        "several-run": f"/runs/{runs[0].uuid}/",
        "several-evaluation": f"/evaluations/{first.uuid}/",
        "several-items": f"/evaluations/{first.uuid}/items/",
        "several-threshold": f"/evaluations/{first.uuid}/threshold/?goal=cost&false=4&missed=4&person=0.1",
        "several-compare": f"/evaluations/compare/?a={first.uuid}&b={second.uuid}",
        "several-suggest": f"/evaluations/suggest/{runs[0].snapshot.dataset.uuid}/",
        "several-version": f"/models/versions/{version.uuid}/",
    }

    for name, page in loaded_on_a_phone(opened, paths, mia):
        shuts_nobody_out(page, name, both_schemes=True)
