"""A run is started from another run's model on its pages, and reads what it forgets, by everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import BaseModel, Run
from tests.lifecycle.modeling.training.test_train_on import REPORT
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.training import make_run, make_snapshot, write_base

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def first(project, mia) -> Run:
    return make_run(make_snapshot(project, mia), mia, splits=())


def test_a_run_is_started_from_another_ones_model(opened, first, mia, tmp_path):
    page = opened(f"/runs/{first.uuid}/", mia)

    page.get_by_role("button", name="Continue training").click()
    expect(page.get_by_role("heading", name="Run 1 is being prepared")).to_be_visible()
    actions.keep_base(BaseModel.objects.get(kind="run"), write_base(tmp_path / "merged"))
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_label("Rehearsal (share of training rows)")).to_have_value("0.5")
    page.get_by_label("Rehearsal (share of training rows)").fill("0.25")
    page.get_by_label("Reuse the base model's head").uncheck()
    page.get_by_role("button", name="Start run").click()
    expect(page.get_by_role("heading", name="Run 2", exact=True)).to_be_visible()

    spec = Run.objects.get(number=2).spec
    assert (spec["base"]["name"], spec["rehearsal"], spec["keep_head"]) == ("Run 1", 0.25, False)


def test_the_pages_fit_and_can_be_read_by_everybody(opened, first, mia, tmp_path):
    waiting = actions.add_run_base(run=make_run(first.snapshot, mia, splits=()), actor=mia)
    base = actions.keep_base(actions.add_run_base(run=first, actor=mia), write_base(tmp_path / "merged"))
    run = make_run(first.snapshot, mia, base=base, splits=())
    run.result = run.result | {"forgetting": REPORT, "rehearsed": 7}
    run.save()
    paths = {
        "train-on-run": f"/runs/{run.uuid}/",
        "train-on-launch": f"/runs/launch/?dataset_version={first.snapshot.uuid}&base={base.uuid}",
        "train-on-waiting": f"/runs/launch/?dataset_version={first.snapshot.uuid}&base={waiting.uuid}",
        "train-on-bases": "/runs/bases/",
    }

    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name)
