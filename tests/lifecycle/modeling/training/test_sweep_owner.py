"""Trials of a sweep are launched on behalf of the user who started it by the audit log."""

import pytest

from lifecycle.modeling.training.models import Run, Sweep
from tests.support.jobs import run_jobs, run_ok
from tests.support.sweeps import finish_trial, make_sweep
from tests.support.trail import behind_its_back

pytestmark = pytest.mark.django_db


def test_no_trial_is_launched_on_behalf_of_another_user(snapshot, mia, omar):
    sweep = make_sweep(snapshot, mia, trials=3)
    run_ok("default")
    behind_its_back("UPDATE training_sweep SET launched_by_id = %s", omar.pk)
    finish_trial(Run.objects.get(), 0.7)

    (job,) = run_jobs("default")

    assert (job.state, job.refusal, Sweep.objects.get(pk=sweep.pk).state) == ("failed", "refused", "failed")
    assert [run.launched_by for run in Run.objects.all()] == [mia]
