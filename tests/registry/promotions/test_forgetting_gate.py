"""What a run that continued another run's model has forgotten, as its gate reads it."""

from __future__ import annotations

import json

import pytest

from lifecycle.modeling.training import actions as training
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from registry.ground.ledger.rules import digest_of
from registry.policies.gates.evidence import Forgetting, Measure
from registry.promotions import analyses
from tests.support.trail import behind_its_back
from tests.support.training import make_run, make_snapshot, write_base
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
LISTED = metrics_of("single_label").listed.name
FOUND = {
    "rows": 120,
    "labels": 3,
    "by": LISTED,
    "metrics": {
        LISTED: {"baseline": 0.9, "candidate": 0.87, "difference": -0.03, "low": -0.05, "high": -0.01}
    },
    "per_class": {},
}


@pytest.fixture
def continued(project, mia, tmp_path):
    """A run that continued the model of another one, and ended with this measurement."""
    snapshot = make_snapshot(project, mia)
    first = make_run(snapshot, mia)
    base = training.keep_base(training.add_run_base(run=first, actor=mia), write_base(tmp_path / "merged"))
    run = training.launch(snapshot=snapshot, base=base, strategy="head", actor=mia)
    return first, run


def end(run: Run, result: dict) -> Run:
    """The run succeeds with this result."""
    artifact = run.base.run.artifact
    Run.objects.filter(pk=run.pk).update(state=Run.State.TRAINING)
    training.succeed(run.uuid, {"metrics": {}, "best_step": 1} | result, artifact)
    return Run.objects.select_related("base__run").get(pk=run.pk)


@pytest.mark.postgres
def test_the_gate_reads_what_the_run_measured(continued):
    first, run = continued

    found = analyses.forgetting(end(run, {"forgetting": FOUND}))

    assert found == Forgetting(str(first), LISTED, Measure(0.03, 0.01, 0.05), 120, digest_of(FOUND))


def test_a_run_from_a_base_model_is_not_asked_and_one_without_rows_has_no_figure(continued):
    first, run = continued

    assert analyses.forgetting(first) is None
    assert analyses.forgetting(end(run, {})) == Forgetting(str(first))


def test_less_of_a_score_where_lower_is_better_is_signed_as_any_other(continued):
    """Comparisons are signed so that more is better, of perplexity too."""
    _, run = continued
    worse = FOUND | {"by": "log_loss", "metrics": {"log_loss": FOUND["metrics"][LISTED]}}

    assert analyses.forgetting(end(run, {"forgetting": worse})).lost == Measure(0.03, 0.01, 0.05)


def test_a_measurement_from_before_the_log_had_it_counts_as_none(continued, monkeypatch):
    first, run = continued
    ended = end(run, {})
    ended.result |= {"forgetting": FOUND}

    assert analyses.forgetting(ended) == Forgetting(str(first))


def test_a_measurement_that_was_made_up_in_the_database_is_refused(continued):
    _, run = continued
    ended = end(run, {"forgetting": FOUND})
    better = json.dumps(ended.result | {"forgetting": FOUND | {"rows": 1_000}})
    behind_its_back("UPDATE training_run SET result = %s WHERE id = %s", better, ended.pk)

    with refused():
        analyses.forgetting(Run.objects.select_related("base__run").get(pk=ended.pk))
