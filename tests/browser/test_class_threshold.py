"""A class with a threshold, as the launch form asks for it and as the pages of its run, evaluation and version tell it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.evaluation.models import Evaluation
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from tests.support.browser import fits, shot, violations
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_model
from tests.support.training import make_run, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WANTED = {"operating_class": "card", "operating_point": "recall", "operating_target": 1.0}


@pytest.fixture
def run(project, mia):
    return make_run(make_snapshot(project, mia, copies=27), mia, accuracy=0.8, **WANTED)


def test_a_class_is_chosen_on_the_form_and_the_run_says_what_is_wanted(opened, run, mia):
    page = opened("/runs/launch/", mia)

    page.get_by_label("Class with a threshold").select_option("refund")
    page.get_by_label("Thresholds, chosen for").select_option("recall")
    page.get_by_label("Precision or recall asked for").fill("0.97")
    shot(page, "threshold-launch")
    page.get_by_role("button", name="Start run").click()

    expect(page.get_by_text("for refund, recall of 0.97 or more; chosen when it has trained")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark"), (1440, "dark"), (390, "light")])
def test_the_pages_tell_it_to_everybody(opened, project, run, mia, width, scheme):
    catalog.register(model=make_model(project, mia), run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    test = Evaluation.objects.get(run=run, split="test")
    pages = {
        "run": f"/runs/{run.uuid}/", "report": f"/evaluations/{test.uuid}/", "chooser": f"/evaluations/{test.uuid}/threshold/",
        "version": f"/models/versions/{ModelVersion.objects.get().uuid}/", "launch": f"/runs/launch/?like={run.uuid}",
    }  # fmt: skip
    for name, path in pages.items():
        page = opened(path, mia, width=width, scheme=scheme)
        page.wait_for_load_state("networkidle")
        shot(page, f"deciding-{name}-{width}-{scheme}")
        fits(page)
        assert violations(page) == []
        if name not in ("chooser", "launch"):
            expect(page.get_by_text("card is the answer from").first).to_be_visible()
