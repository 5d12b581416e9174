"""Agreed items are accepted by whom the audit log names."""

from __future__ import annotations

import pytest

from datasets_app.queues.models import Agreed, Decision
from datasets_app.review.actions.checks import accept_check, start_check
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.review.queries.checks import to_review
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import label_items, label_value, make_dataset, make_queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def accepted(project, mia, ana, ben, ravi) -> Job:
    """Ravi looked at one of the six items on which Ana and Ben agree, and accepted the others: its job
    waits.
    """
    queue = make_queue(
        make_dataset(project, mia, [f"text {n}" for n in range(6)]), mia, overlap=2, acceptance="reviewer"
    )
    run_ok("default")
    label_items(queue, {ana: ["card"] * 6, ben: ["card"] * 6})
    check = start_check(queue_id=queue.uuid, actor=ravi, size=1, tolerated=0)
    (row,) = to_review(check)
    adjudicate(
        queue_id=queue.uuid,
        item_id=row.item.uuid,
        actor=ravi,
        value=label_value(queue.schema.labels.get(name="card")),
    )
    return accept_check(check_id=check.uuid, actor=ravi)


def test_the_accepted_labels_are_the_adjudicators(accepted, ravi):
    run_ok("default")

    assert {row.by for row in Decision.objects.filter(how="accepted")} == {ravi}
    assert (Decision.objects.count(), Agreed.objects.count()) == (6, 0)


def test_labels_are_not_accepted_in_another_name(accepted, omar):
    Job.objects.filter(pk=accepted.pk).update(created_by=omar)

    (job,) = run_jobs("default")

    assert (job.state, job.refusal) == (State.FAILED, "refused")
    assert (Decision.objects.count(), Agreed.objects.count()) == (1, 5)
