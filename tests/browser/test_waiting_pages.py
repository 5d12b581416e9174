"""Where a page waits for a job, its bar stays in its place, and what came of the job follows."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions
from lifecycle.modeling.training import actions as training
from tests.support.training import make_evaluation, make_run, make_snapshot, write_base

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_second_split_appears_once_it_is_measured(opened, project, mia):
    run = make_run(make_snapshot(project, mia), mia, splits=("validation",))
    job = actions.evaluate(run=run, split="test", actor=mia)
    page = opened(f"/runs/{run.uuid}/", mia)
    expect(page.get_by_role("link", name="Evaluation on validation")).to_be_visible()
    expect(page.get_by_role("group", name=f"Evaluate: {run}")).to_be_visible()

    make_evaluation(run, "test")
    Job.objects.filter(pk=job.pk).update(state="succeeded", finished_at=timezone.now())

    expect(page.get_by_role("link", name="Evaluation on test")).to_be_visible()
    expect(page.get_by_role("group", name=f"Evaluate: {run}")).to_have_count(0)


def test_the_form_follows_once_the_model_is_ready(opened, project, mia, tmp_path):
    run = make_run(make_snapshot(project, mia), mia, splits=())
    base = training.add_run_base(run=run, actor=mia)
    page = opened(f"/runs/launch/?dataset_version={run.snapshot.uuid}&base={base.uuid}", mia)
    expect(page.get_by_role("heading", name=f"{base.name} is being prepared")).to_be_visible()
    Job.objects.filter(subject_uuid=base.uuid).update(stage="Merging weights")
    expect(page.get_by_text("Merging weights")).to_be_visible()
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()  # the bar has not taken the page's place

    training.keep_base(base, write_base(tmp_path / "base"))
    Job.objects.filter(subject_uuid=base.uuid).update(state="succeeded", finished_at=timezone.now())

    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
