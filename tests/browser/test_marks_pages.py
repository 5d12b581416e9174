"""The pages of a run that marks parts of texts: they fit, can be read by everybody, and their numbers open texts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from lifecycle.evaluation import queries
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from tests.support.browser import loaded_on_a_phone, settled, shuts_nobody_out
from tests.support.jobs import run_ok
from tests.support.marks import marked_snapshot
from tests.support.registry import STATED, make_model
from tests.support.training import make_run

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def runs(project, mia):
    snapshot = marked_snapshot(project, mia)
    return [make_run(snapshot, mia, accuracy=share, seed=seed) for seed, share in ((1, 0.5), (2, 0.9))]


def registered(project, run, user) -> ModelVersion:
    """A version of the run."""
    model = make_model(project, user)
    catalog.register(model=model, run=run, semver="1.0.0", actor=user, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get(model=model)


def test_what_is_missed_opens_its_texts_with_both_marks_and_goes_to_a_queue(opened, runs, mia):
    evaluation = queries.latest_evaluation(runs[0], "test")
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name=f"{evaluation.report['kinds']['boundary']} spans: Right class, other place").click()

    expect(page.get_by_role("heading", name="Right class, other place")).to_be_visible()
    expect(page.locator("#items mark.true.found").first).to_be_visible()
    page.locator("#items tbody input[name=item]").first.check()
    page.get_by_role("button", name="Label selected items").click()
    expect(page).to_have_url(re.compile("item="))


def test_from_which_confidence_on_spans_are_kept_is_chosen_for_any_class_or_one(opened, runs, mia):
    evaluation = queries.latest_evaluation(runs[0], "test")
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name="Threshold", exact=True).click()
    page.get_by_label("Target precision").fill("0.6")
    page.get_by_label("Target precision").press("Enter")
    settled(page)  # else its answer takes the place of the form in which the class is chosen
    expect(page.get_by_text("Keep a span from")).to_be_visible()
    page.get_by_label("Class optional").select_option("wish")

    expect(page.get_by_text("Keep a span of wish from")).to_be_visible()


def test_the_pages_fit_and_can_be_read_by_everybody(opened, runs, project, mia):
    version = registered(project, runs[1], mia)
    first, second = (queries.latest_evaluation(run, "test") for run in runs)
    paths = {
        "marks-launch": f"/runs/launch/?snapshot={runs[0].snapshot.uuid}",
        "marks-run": f"/runs/{runs[0].uuid}/",
        "marks-of-run": f"/evaluations/run/{runs[0].uuid}/",
        "marks-evaluation": f"/evaluations/{first.uuid}/",
        "marks-items": f"/evaluations/{first.uuid}/items/",
        "marks-threshold": f"/evaluations/{first.uuid}/threshold/?class=wish&goal=cost&false=4&missed=4&person=0.1",
        "marks-compare": f"/evaluations/compare/?a={first.uuid}&b={second.uuid}",
        "marks-suggest": f"/evaluations/suggest/{runs[0].snapshot.dataset.uuid}/",
        "marks-version": f"/models/versions/{version.uuid}/",
    }

    for name, page in loaded_on_a_phone(opened, paths, mia):
        shuts_nobody_out(page, name)
