"""The gates judge recorded or computed values: values replaced or made up in the database pass none, with any
digest.
"""

from __future__ import annotations

import json

import pytest

from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.modeling.evaluation import compare, rules
from lifecycle.modeling.evaluation.models import Analysis, Comparison, Evaluation
from registry.catalog.models import Alias
from registry.policies import queries as policies
from registry.policies import rules as policy_rules
from registry.promotions import actions
from registry.promotions.evidence import gather
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.jobs import run_jobs
from tests.support.trail import behind_its_back
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
RULES = policy_rules.read(policies.STANDARD.read_text())


def under_its_digest(worse: Evaluation, better: Evaluation) -> None:
    behind_its_back(
        "UPDATE evaluation_evaluation SET report = %s WHERE id = %s", json.dumps(better.report), worse.pk
    )


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
    worse = registry.make_version(
        project, mia, ravi, model=version.model, snapshot=snapshot, semver="2.0.0", wrong=140
    )
    replaced(worse.evaluation, version.evaluation)

    request = actions.request(version=worse, endpoint=endpoint, note="", actor=mia)
    (job,) = run_jobs("default")

    request.refresh_from_db()
    assert (Job.objects.get(pk=job.pk).state, request.status, request.gates.count()) == (
        State.FAILED,
        Status.DRAFT,
        0,
    )
    assert f"The evaluation of {worse.run}" in request.reason


def test_a_comparison_that_was_made_up_passes_no_gate(project, endpoint, version, mia, ravi, monkeypatch):
    Alias.objects.filter(endpoint=endpoint).update(version=version, moves=1)
    snapshot = version.run.snapshot
    worse = registry.make_version(
        project, mia, ravi, model=version.model, snapshot=snapshot, semver="2.0.0", wrong=23
    )
    monkeypatch.setattr(compare, "LARGE", 0)
    made_up = compare.computed(version.evaluation, version.evaluation)
    Comparison.objects.create(
        a=version.evaluation, b=worse.evaluation, report=compare.kept_as(made_up), changed=[]
    )
    # as its page has it
    assert compare.paired_report(version.evaluation, worse.evaluation)["changes"]["broken"] == 0

    request = registry.asked_request(worse, endpoint, mia)

    assert (request.status, request.gates.get(gate="live").status) == (Status.DRAFT, "failed")
    assert request.comparison["measures"]["accuracy"]["difference"] == -0.1


@pytest.mark.postgres
@pytest.mark.parametrize("column", ["report", "evaluation_id"])
def test_a_membership_inference_that_was_replaced_is_judged_by_no_gate(project, version, mia, ravi, column):
    other = registry.make_version(
        project, mia, ravi, model=version.model, snapshot=version.run.snapshot, semver="2.0.0"
    )
    found = registry.make_membership(other, {"auc": 0.62, "low": 0.58, "high": 0.66})
    values = {
        "report": json.dumps({"auc": 0.5, "low": 0.45, "high": 0.55}),
        "evaluation_id": version.evaluation_id,
    }
    behind_its_back(f"UPDATE evaluation_analysis SET {column} = %s WHERE id = %s", values[column], found.pk)

    with refused():
        gather(RULES, version if column == "evaluation_id" else other, None, None, "")


def test_a_membership_inference_that_was_made_up_is_judged_by_no_gate(version):
    report = {"auc": 0.5, "low": 0.45, "high": 0.55}
    Analysis.objects.create(evaluation=version.evaluation, kind=Analysis.Kind.MEMBERSHIP, report=report)

    with refused():
        gather(RULES, version, None, None, "")


@pytest.mark.postgres
def test_numbers_that_a_database_spells_otherwise_are_kept_as_it_gives_them_back(version):
    report = rules.finite({"log_loss": -0.0, "perplexity": 1e300, "small": 1e-7, "nan": float("nan")})
    behind_its_back(
        "UPDATE evaluation_evaluation SET report = %s WHERE id = %s",
        json.dumps(report),
        version.evaluation_id,
    )

    kept = Evaluation.objects.get(pk=version.evaluation_id)
    assert kept.computed_digest == Evaluation(report=report, predictions=kept.predictions).computed_digest
    assert (
        json.dumps(report) == f'{{"log_loss": 0.0, "perplexity": {int(1e300)}, "small": 1e-07, "nan": null}}'
    )
