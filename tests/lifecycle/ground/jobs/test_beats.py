"""What a beat of a running job writes, and what it hears."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.utils import timezone

from lifecycle.ground.jobs import actions, context
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from tests.support.jobs import kind, run_jobs

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def held() -> Job:
    """A job that a worker has begun."""
    with kind("test.held", lambda ctx: None):
        actions.enqueue("test.held", actor=None, project=None, args={})
        return actions.claim("default")


def test_news_and_the_lease_are_one_statement(held, django_assert_num_queries):
    ctx, began = context.JobContext(held, beating=True), timezone.now()
    ctx.progress(3, 10, stage="Reading rows")

    with django_assert_num_queries(1):
        ctx.beat(renew=True)

    held.refresh_from_db()
    assert (held.stage, held.done, held.total) == ("Reading rows", 3, 10)
    assert held.lease_until >= began + context.lease_time()
    assert (ctx.lost, ctx.cancelled) == (False, False)


def test_a_beat_with_news_hears_of_a_cancel_and_writes_the_news():
    def work(ctx):
        Job.objects.update(cancel_requested_at=timezone.now())
        ctx.progress(1, 3)
        ctx.raise_if_cancelled()
        raise AssertionError("It went on.")

    with kind("test.work", work):
        actions.enqueue("test.work", actor=None, project=None, args={})
        (job,) = run_jobs()

    assert (job.state, job.done, job.total) == (State.CANCELLED, 1, 3)


def test_a_beat_with_news_hears_that_the_lease_is_lost_and_writes_nothing(held):
    Job.objects.update(lease_token=uuid4())  # of another worker
    ctx = context.JobContext(held, beating=False)
    ctx.progress(1, 3, stage="Late")

    with pytest.raises(context.LeaseLost):
        ctx.raise_if_cancelled()

    assert Job.objects.get().stage == ""
