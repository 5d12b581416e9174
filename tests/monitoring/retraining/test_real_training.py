"""The real engine, a tiny model, the whole circle: answers called wrong become labels, and the live version's
recipe learns from them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from lifecycle.modeling.training import actions as runs
from lifecycle.modeling.training.models import Run
from monitoring.retraining import actions
from monitoring.retraining.models import Proposal
from monitoring.retraining.rules import Start
from monitoring.traffic import actions as traffic_actions
from monitoring.traffic.models import Prediction
from registry.catalog import actions as catalog
from registry.catalog.models import Alias, ModelVersion
from registry.promotions import analyses
from tests.monitoring.retraining.conftest import approve, collect, label_queue, report_wrong
from tests.support import endpoints, registry, training
from tests.support.jobs import run_ok
from tests.support.tiny_models import make_tiny_base

pytestmark = pytest.mark.engine  # two real trainings
QUICK = {"epochs": 6, "batch_size": 8, "head_learning_rate": 0.02, "precision": "fp32", "patience": 0}
# what customers write since: the live version never saw it
NEW = [f"charge twice wrong delivery {n}" for n in range(80)]


@pytest.fixture
def endpoint(project, mia, ravi, lee, gita, omar, tmp_path: Path):
    """1.0.0 was really trained. It is live by its alias alone: whether it passes the gates is no matter of
    this test.
    """
    snapshot = training.make_snapshot(project, mia, copies=8)
    base = training.make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))
    run = runs.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=QUICK)
    run_ok("training", "evaluation")
    run.refresh_from_db()
    model = registry.make_model(project, mia)
    catalog.register(model=model, run=run, semver="1.0.0", actor=mia, stated=registry.STATED)
    run_ok("default")
    found = registry.make_endpoint(model, mia, slug="support-inbox-prod")
    Alias.objects.filter(endpoint=found).update(version=ModelVersion.objects.get(model=model))
    found.refresh_from_db()
    return found


@pytest.mark.parametrize("start", Start.values)
def test_the_circle_closes_with_real_weights(endpoint, ana, mia, lee, start):
    at = timezone.now() - timedelta(hours=20)
    endpoints.write_segment(
        *(
            endpoints.spool_line(endpoint, (text, "card", 0.5), at=(at + timedelta(minutes=n)).isoformat())
            for n, text in enumerate(NEW)
        )
    )
    traffic_actions.ingest()
    report_wrong(endpoint, list(Prediction.objects.order_by("id")), mia)
    proposal = actions.propose(
        endpoint_id=endpoint.uuid, actor=mia, queue_items=80, min_labels=30, start=start
    )
    assert "accuracy" in [reason["code"] for reason in proposal.reasons_for]
    approve(collect(proposal), lee)
    label_queue(proposal, ana, label="refund")

    for _ in range(8):  # the clock and the workers, in turn
        actions.tick()
        run_ok()

    found = Proposal.objects.select_related(
        "run__base__run", "live__run", "snapshot", "evaluation", "live_evaluation", "promotion"
    ).get()
    assert found.state == "requested", (found.state, found.outcome, found.failure, found.comparison)
    assert found.run.state == Run.State.SUCCEEDED
    assert found.run.artifact.root_digest != found.live.root_digest
    assert {name: found.run.spec[name] for name in QUICK} == QUICK
    assert found.snapshot.counts["splits"]["test"] == found.evaluation.rows == found.live_evaluation.rows
    assert found.comparison["verdict"] == "better"
    assert found.comparison["metrics"]["accuracy"]["difference"] > 0
    assert found.promotion.requester == lee
    assert Alias.objects.get(endpoint=endpoint).version == found.live
    continued = found.run.base.run == found.live.run
    assert (continued, found.run.launched_by) == (start == Start.LIVE, None)
    if continued:
        assert (found.run.base.added_by, found.run.spec["keep_head"]) == (None, True)
        lost = analyses.forgetting(found.run)
        assert (lost.base, lost.rows > 0, lost.lost.low <= lost.lost.value <= lost.lost.high) == (
            str(found.live.run),
            True,
            True,
        )
