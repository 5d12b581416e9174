"""The gates judge the report that was recorded: one that was replaced in the database is refused, whatever its digest says."""

from __future__ import annotations

import json

import pytest

from lifecycle.evaluation import rules
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State
from registry.promotions import actions
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.jobs import run_jobs
from tests.support.trail import behind_its_back

pytestmark = pytest.mark.django_db


def under_its_digest(worse: Evaluation, better: Evaluation) -> None:
    behind_its_back("UPDATE evaluation_evaluation SET report = %s WHERE id = %s", json.dumps(better.report), worse.pk)


def with_a_digest_that_fits(worse: Evaluation, better: Evaluation) -> None:
    under_its_digest(worse, better)
    digest = Evaluation.objects.get(pk=worse.pk).computed_digest
    behind_its_back("UPDATE evaluation_evaluation SET report_digest = %s WHERE id = %s", digest, worse.pk)


def with_the_others_predictions(worse: Evaluation, better: Evaluation) -> None:
    columns = "report = %s, report_digest = %s, predictions_id = %s"
    values = json.dumps(better.report), better.report_digest, better.predictions_id
    behind_its_back(f"UPDATE evaluation_evaluation SET {columns} WHERE id = %s", *values, worse.pk)


@pytest.mark.postgres
@pytest.mark.parametrize("replaced", [under_its_digest, with_a_digest_that_fits, with_the_others_predictions])
def test_a_report_that_was_replaced_passes_no_gate(project, endpoint, version, mia, ravi, replaced):
    snapshot = version.run.snapshot
    worse = registry.make_version(project, mia, ravi, model=version.model, snapshot=snapshot, semver="2.0.0", wrong=40)
    replaced(worse.evaluation, version.evaluation)

    request = actions.request(version=worse, endpoint=endpoint, note="", actor=mia)
    (job,) = run_jobs("default")

    request.refresh_from_db()
    assert (Job.objects.get(pk=job.pk).state, request.status, request.gates.count()) == (State.FAILED, Status.DRAFT, 0)
    assert f"The evaluation of {worse.run}" in request.reason


@pytest.mark.postgres
def test_numbers_that_a_database_spells_otherwise_are_kept_as_it_gives_them_back(version):
    report = rules.finite({"log_loss": -0.0, "perplexity": 1e300, "small": 1e-7, "nan": float("nan")})
    behind_its_back("UPDATE evaluation_evaluation SET report = %s WHERE id = %s", json.dumps(report), version.evaluation_id)

    kept = Evaluation.objects.get(pk=version.evaluation_id)
    assert kept.computed_digest == Evaluation(report=report, predictions=kept.predictions).computed_digest
    assert json.dumps(report) == f'{{"log_loss": 0.0, "perplexity": {int(1e300)}, "small": 1e-07, "nan": null}}'
