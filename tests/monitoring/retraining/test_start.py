"""A retraining starts from the live version's base model, or continues with its own weights."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions as training
from lifecycle.modeling.training.models import BaseModel, Run
from monitoring.retraining import actions
from monitoring.retraining.models import Proposal
from registry.ground.ledger import accounts
from registry.ground.ledger.verbs import Verb
from tests.monitoring.retraining.conftest import advance, approve, collect, label_queue
from tests.support.training import write_base
from tests.support.unchanged import refused

ASKED = {"min_labels": 8, "queue_items": 15}


@pytest.fixture
def merging(endpoint, traffic, mia, lee, ana):
    """Its dataset version is there, and a job merges the live version's weights."""
    proposal = actions.propose(endpoint_id=endpoint.uuid, actor=mia, start="live", **ASKED)
    approve(collect(proposal), lee)
    label_queue(proposal, ana)
    return fresh(advance(proposal))


def fresh(proposal):
    rows = Proposal.objects.select_related("run__base__run", "live__run", "job")
    return rows.get(pk=proposal.pk)


@pytest.mark.parametrize(
    ("given", "kept"), [({}, "base"), ({"start": "base"}, "base"), ({"start": "live"}, "live")]
)
def test_what_it_starts_from_is_part_of_the_proposal_and_of_the_log(endpoint, mia, given, kept):
    api = APIClient()
    api.force_authenticate(mia)
    made = api.post("/api/v1/retraining/", {"endpoint": str(endpoint.uuid), **ASKED, **given}, format="json")

    assert (made.status_code, made.json()["start"]) == (201, kept)
    assert Proposal.objects.get().start == kept
    (event,) = accounts.events_about(Proposal.objects.get().uuid, {Verb.RETRAIN_PROPOSED})
    assert event.payload["start"] == kept


def test_a_version_whose_weights_cannot_be_merged_is_refused(endpoint, mia):
    run = endpoint.alias.version.run
    spec = run.spec | {"strategy": {"kind": "prompt", "tokens": 8}}
    Run.objects.filter(pk=run.pk).update(spec=spec)

    with refused():
        actions.propose(endpoint_id=endpoint.uuid, actor=mia, start="live", **ASKED)


def test_the_run_waits_for_the_merged_weights_and_starts_from_them(merging, tmp_path):
    base = BaseModel.objects.get(run=merging.live.run)
    assert (merging.run, merging.job.subject_uuid, base.added_by) == (None, base.uuid, None)
    actions.advance(merging.uuid)
    assert fresh(merging).run is None

    training.keep_base(base, write_base(tmp_path / "merged"))
    Job.objects.filter(pk=merging.job.pk).update(state="succeeded", finished_at=timezone.now())
    actions.advance(merging.uuid)
    found = fresh(merging)

    assert (found.run.base.run, found.run.strategy) == (found.live.run, found.live.run.strategy)
    assert (found.job, Job.objects.filter(kind="training.keep_base").count()) == (None, 1)


def test_weights_that_cannot_be_merged_fail_the_proposal_with_the_reason(merging):
    Job.objects.filter(pk=merging.job.pk).update(
        state="failed", error="The disk is full.", finished_at=timezone.now()
    )

    actions.advance(merging.uuid)
    found = fresh(merging)

    assert (found.state, found.run) == ("failed", None)
    assert "The disk is full." in found.failure


@pytest.mark.parametrize("mergeable", [True, False])
def test_a_trigger_starts_from_the_live_version_where_that_can_be(endpoint, lee, mergeable):
    if not mergeable:
        run = endpoint.alias.version.run
        Run.objects.filter(pk=run.pk).update(spec=run.spec | {"strategy": {"kind": "prompt", "tokens": 8}})
    trigger = actions.set_trigger(
        endpoint_id=endpoint.uuid, kind="schedule", actor=lee, threshold=1, enabled=True, start="live"
    )

    made = actions.consider(trigger.uuid, now=timezone.now() + timedelta(days=2))

    assert (made.start, bool(made.note)) == (("live", False) if mergeable else ("base", True))


def test_a_trigger_keeps_what_it_starts_from_where_none_is_given(endpoint, lee):
    asked = {"endpoint_id": endpoint.uuid, "kind": "schedule", "actor": lee, "enabled": True}
    first = actions.set_trigger(**asked, threshold=1)
    live = actions.set_trigger(**asked, threshold=1, start="live")
    kept = actions.set_trigger(**asked, threshold=2)

    assert [first.start, live.start, kept.start] == ["base", "live", "live"]
