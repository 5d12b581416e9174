"""A label with a threshold, on the launch form and on the pages of its run, evaluation, and version."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.evaluation.models import Evaluation
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from tests.support.browser import is_accessible, loaded_on_a_phone, shot
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_model
from tests.support.training import make_run, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WANTED = {"operating_class": "card", "operating_point": "recall", "operating_target": 1.0}


@pytest.fixture
def run(project, mia):
    return make_run(make_snapshot(project, mia, copies=27), mia, accuracy=0.8, **WANTED)


def test_a_label_is_chosen_on_the_form_and_the_run_shows_its_goal(opened, run, mia):
    page = opened("/runs/launch/", mia)

    page.get_by_label("Label with a threshold").select_option("refund")
    page.get_by_label("Optimise thresholds for").select_option("recall")
    page.get_by_label("Target precision or recall").fill("0.97")
    shot(page, "threshold-launch")
    page.get_by_role("button", name="Start run").click()

    expect(page.get_by_text("for refund, recall of at least 0.97; chosen after training")).to_be_visible()


def test_the_pages_that_show_the_threshold_are_accessible(opened, project, run, mia):
    catalog.register(model=make_model(project, mia), run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    test = Evaluation.objects.get(run=run, split="test")
    pages = {
        "deciding-run": f"/runs/{run.uuid}/",
        "deciding-report": f"/evaluations/{test.uuid}/",
        "deciding-chooser": f"/evaluations/{test.uuid}/threshold/",
        "deciding-version": f"/models/versions/{ModelVersion.objects.get().uuid}/",
        "deciding-launch": f"/runs/launch/?like={run.uuid}",
    }

    for name, page in loaded_on_a_phone(opened, pages, mia):
        is_accessible(page, name, both_schemes=True)
        if "chooser" not in name and "launch" not in name:
            expect(page.get_by_text("card is predicted from").first).to_be_visible()
