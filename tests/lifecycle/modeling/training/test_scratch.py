"""A job's scratch folder holds texts; it is removed with the job, even if the worker was lost before cleaning
up.
"""

from __future__ import annotations

import pytest

from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs import runner
from lifecycle.ground.jobs.context import LeaseLost
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.folders import scratch


def left_behind(job: Job):
    """Texts left by a killed worker."""
    folder = scratch(job)
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text('{"id": "a", "text": "my card"}\n')
    return folder


@pytest.mark.django_db
def test_a_job_of_a_lost_worker_leaves_no_texts(measured, snapshot, base, mia):
    tried = actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia)
    robustness = evaluation.analyse(
        evaluation=queries.latest_evaluation(measured, "test"), kind=Analysis.Kind.ROBUSTNESS, actor=mia
    )
    folders = [left_behind(job) for job in (tried.job, robustness)]

    actions.cancel_estimate(estimate_id=tried.uuid, actor=mia)
    jobs.cancel(robustness.uuid, actor=mia)

    assert [folder.exists() for folder in folders] == [False, False]


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize(
    "room", ["lifecycle.modeling.training.estimate_task", "lifecycle.modeling.evaluation.child"]
)
def test_a_worker_that_lost_its_job_leaves_the_folder_to_the_next_one(
    measured, snapshot, base, mia, monkeypatch, room
):
    if room == "lifecycle.modeling.training.estimate_task":
        job = actions.estimate(snapshot=snapshot, base=base, strategy="lora", actor=mia).job
    else:
        job = evaluation.evaluate(run=measured, split="test", actor=mia)

    def lose(ctx, verb, folder, on_events, **options):
        ctx.lose()
        raise LeaseLost

    monkeypatch.setattr(f"{room}.run_child", lose)
    runner.execute(jobs.claim(job.queue), beating=False)

    job.refresh_from_db()
    assert job.state == "running"
    assert (scratch(job) / "spec.json").exists()
