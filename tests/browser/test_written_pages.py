"""The pages of a run that writes texts: they fit, can be read by everybody, and their rows are found by a score."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.task_types.generation.rows import ENTRY as ROWS
from registry.catalog import actions as catalog
from registry.catalog.models import ModelVersion
from tests.support.browser import loaded_on_a_phone, shuts_nobody_out
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_model
from tests.support.written import make_decoder, make_written_evaluation, make_written_run, written_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def runs(project, mia):
    snapshot, base = written_snapshot(project, mia, copies=6), make_decoder(project, mia)
    return [make_written_run(snapshot, mia, base, quality=share, seed=seed) for seed, share in ((1, 0.5), (2, 0.9))]


def registered(project, run, user) -> ModelVersion:
    """A version of the run."""
    model = make_model(project, user)
    catalog.register(model=model, run=run, semver="1.0.0", actor=user, stated=STATED)
    run_ok("default")
    return ModelVersion.objects.get(model=model)


def test_rows_are_found_by_a_score(opened, runs, mia):
    evaluation = queries.latest_evaluation(runs[0], "test")
    found = queries.rows_of(evaluation)
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name=f"All {len(found)} rows").click()
    page.get_by_label("To", exact=True).fill("0.5")
    page.get_by_label("To", exact=True).press("Tab")

    expect(page.locator("#items tbody tr")).to_have_count(len(ROWS.find(found, {"sort": "rouge_l", "high": "0.5"})))
    expect(page.locator("#items tbody tr").first).to_contain_text("please look again")


def test_the_pages_fit_and_can_be_read_by_everybody(opened, runs, project, mia):
    version = registered(project, runs[1], mia)
    first, second = (queries.latest_evaluation(run, "test") for run in runs)
    weak = make_written_evaluation(runs[0], "test", quality=0.0, seed=5)
    paths = {
        "written-launch": f"/runs/launch/?snapshot={runs[0].snapshot.uuid}&strategy=prompt",
        "written-run": f"/runs/{runs[0].uuid}/",
        "written-evaluation": f"/evaluations/{first.uuid}/",
        "written-weak": f"/evaluations/{weak.uuid}/",
        "written-answers": f"/evaluations/{first.uuid}/answers/",
        "written-none": f"/evaluations/{first.uuid}/answers/?low=5",
        "written-compare": f"/evaluations/compare/?a={first.uuid}&b={second.uuid}",
        "written-version": f"/models/versions/{version.uuid}/",
        "written-bases": "/runs/bases/",
        "written-list": "/evaluations/",
    }

    for name, page in loaded_on_a_phone(opened, paths, mia):
        shuts_nobody_out(page, name)
