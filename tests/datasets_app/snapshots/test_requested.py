"""A snapshot is created for its requester, with the requested split, according to the audit log."""

from uuid import uuid4

import pytest

from datasets_app.datasets import actions as datasets
from datasets_app.snapshots import actions
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import decided_dataset

pytestmark = pytest.mark.django_db
ROWS = [(f"text {n}", ("billing", "card", "lost")[n % 3]) for n in range(30)]
SHARES = {"train": 60, "validation": 20, "test": 20}
CHANGES = [
    {"seed": 4711},
    {"shares": {"train": 80, "validation": 10, "test": 10}},
    {"snapshot": str(uuid4())},
    {"note": "As agreed."},
    {"filters": {"length_to": "6"}},
]


@pytest.fixture
def dataset(project, ana, mia):
    return decided_dataset(project, ana, ROWS, manager=mia)


def refused() -> None:
    (job,) = (job for job in run_jobs("default") if job.kind == "snapshots.create")
    assert (job.state, job.refusal, Snapshot.objects.count()) == (State.FAILED, "refused", 0)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_version_whose_split_differs_from_the_request_is_not_created(dataset, lee, change):
    job = actions.freeze(dataset=dataset, actor=lee, shares=SHARES)
    Job.objects.filter(pk=job.pk).update(args=job.args | change)

    refused()


def test_a_version_requested_by_someone_else_in_the_log_is_not_created(dataset, lee, omar):
    job = actions.freeze(dataset=dataset, actor=lee, shares=SHARES)
    Job.objects.filter(pk=job.pk).update(created_by=omar)

    refused()


def test_a_version_of_a_slice_uses_the_requested_filters(dataset, lee):
    kept = datasets.save_slice(dataset_id=dataset.uuid, actor=lee, name="Short", filters={"length_to": "6"})
    actions.freeze(dataset=dataset, actor=lee, shares=SHARES, slice_id=kept.uuid)

    run_ok("default")

    assert (Snapshot.objects.get().created_by, Snapshot.objects.get().counts["rows"]) == (lee, 10)
