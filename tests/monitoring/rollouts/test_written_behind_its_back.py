"""What is written into a rollout's row widens no canary: who decided, and by which plan, is read from the
audit log.
"""

from __future__ import annotations

import json

import pytest

from lifecycle.runtime.refusals import Conflict
from monitoring.rollouts import actions
from monitoring.rollouts.actions import steer
from monitoring.rollouts.models import Rollout, Segment
from registry.catalog.models import ModelVersion
from registry.endpoints import actions as served
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.ground.ledger.models import Event
from registry.promotions import plans
from tests.support import endpoints, registry
from tests.support.trail import behind_its_back, found

# a plan that no one agreed to
HASTY = {"steps": [500, 10_000], "margin": 0.9, "min_requests": 1, "min_minutes": 0}


def claim_in_the_name_of(person) -> None:
    Rollout.objects.update(next_share=10_000, next_by=person, next_reason="All well.")


def test_a_share_that_no_one_claimed_is_dropped_and_given_in_no_ones_name(
    rollout, street, omar, verbs, fresh
):
    claim_in_the_name_of(omar)
    assert found() == [("not-in-trail", f"rollouts, {rollout.uuid}")]

    street.tick(2)

    assert street.running() == [("stable", "1.0.0", 10_000), ("canary", "1.1.0", 500)]
    assert (fresh(rollout).state, fresh(rollout).next_share, fresh(rollout).next_by) == (
        "running",
        None,
        None,
    )
    assert verbs(rollout) == ["rollouts.started", "rollouts.step_dropped"]
    assert not Event.objects.filter(actor=str(omar.uuid), object_type="rollouts.rollout").exists()
    assert found() == []


def test_it_is_decided_anew(rollout, street, omar, verbs, fresh):
    street.feed(1, canary=(120, 0), stable=(400, 9))
    claim_in_the_name_of(omar)

    street.tick(3)

    assert (fresh(rollout).share, verbs(rollout)) == (
        2500,
        ["rollouts.started", "rollouts.step_dropped", "rollouts.step_decided", "rollouts.widened"],
    )


@pytest.mark.postgres
def test_a_widening_that_was_cut_off_is_finished_in_the_name_of_who_decided_it(
    rollout, street, lee, verbs, fresh
):
    steer.decide_to_widen(rollout.uuid, lee, 0, "Known from shadow.", street.at(1))

    street.tick(2)

    assert (fresh(rollout).share, fresh(rollout).next_share) == (2500, None)
    assert verbs(rollout) == ["rollouts.started", "rollouts.step_decided", "rollouts.widened"]
    assert set(
        Event.objects.filter(object_id=str(rollout.uuid))
        .exclude(verb="rollouts.started")
        .values_list("actor", flat=True)
    ) == {str(lee.uuid)}


@pytest.mark.parametrize("change", [{"next_share": 10_000}, {"next_by": None}, {"next_reason": "All well."}])
def test_a_claim_that_was_changed_is_dropped(rollout, street, lee, fresh, change):
    steer.decide_to_widen(rollout.uuid, lee, 0, "Known from shadow.", street.at(1))
    Rollout.objects.update(**change)

    street.tick(2)

    assert (fresh(rollout).share, fresh(rollout).next_share, len(street.running())) == (500, None, 2)


def test_a_claim_that_was_given_up_is_not_taken_up_again(rollout, street, lee, fresh, verbs, canary_of):
    claimed = steer.decide_to_widen(rollout.uuid, lee, 0, "Known from shadow.", street.at(1))
    endpoints.write_status(guard=[{"deployment": str(canary_of(rollout).uuid), "failures": 10, "of": 20}])
    with pytest.raises(Conflict, match="A server closed"):
        steer.carry_out(rollout.uuid, claimed, street.at(1))
    endpoints.write_status()
    Rollout.objects.update(next_share=2500, next_by=lee, next_reason="Known from shadow.")

    street.tick(2)

    dropped = "rollouts.step_dropped"
    assert (fresh(rollout).share, fresh(rollout).next_share) == (500, None)
    assert verbs(rollout) == ["rollouts.started", "rollouts.step_decided", dropped, dropped]


def test_the_rule_goes_by_the_plan_that_it_was_started_by(rollout, street, fresh):
    street.feed(1, canary=(20, 0), stable=(380, 2))
    behind_its_back("UPDATE rollouts_rollout SET plan = %s", json.dumps(rollout.plan | HASTY))

    street.tick(2)

    assert (fresh(rollout).share, street.running()) == (
        500,
        [("stable", "1.0.0", 10_000), ("canary", "1.1.0", 500)],
    )
    assert [rule for rule, _ in found()] == ["not-in-trail", "not-in-database"]


def test_the_next_step_goes_by_the_share_of_the_canary(rollout, street, fresh):
    street.feed(1, canary=(120, 0), stable=(400, 9))
    Rollout.objects.update(share=5000)

    street.tick(3)

    assert street.running() == [("stable", "1.0.0", 10_000), ("canary", "1.1.0", 2500)]


def test_a_rollout_that_no_one_started_widens_nothing(next_by_hand, rollout, street, omar, lee):
    actions.abort(
        rollout_id=rollout.uuid, actor=omar, seen=0, reason="Errors.", typed="1.0.0", now=street.at(1)
    )
    canary = served.deploy(request_id=next_by_hand.uuid, actor=omar)
    made = Rollout.objects.create(
        endpoint=canary.endpoint,
        request=next_by_hand,
        version=canary.version,
        baseline=rollout.baseline,
        plan=rollout.plan | HASTY,
        share=500,
        step_started_at=street.at(1),
        window_started_at=street.at(1),
        started_at=street.at(1),
        started_by=lee,
    )
    Segment.objects.create(rollout=made, number=1, deployment=canary, share=500, started_at=street.at(1))

    street.tick(30)
    with pytest.raises(Conflict, match="doesn't name who started"):
        actions.widen(rollout_id=made.uuid, actor=lee, seen=0, reason="All well.")

    assert street.running() == [("stable", "1.0.0", 10_000), ("canary", "1.2.0", 500)]


@pytest.fixture
def elsewhere(rollout, street, project, mia, ravi, lee, gita, omar) -> Deployment:
    """A canary of 1.2.0 on another endpoint, which Omar steers by hand."""
    model = street.endpoint.model
    other = registry.make_endpoint(model, mia, slug="other-prod")
    endpoints.deploy(project, other, ModelVersion.objects.get(model=model, semver="1.0.0"))
    version = registry.make_version(
        project, mia, ravi, model=model, snapshot=rollout.version.run.snapshot, semver="1.2.0"
    )
    request = endpoints.approved(project, other, version, plans.by_hand(500))
    return served.deploy(request_id=request.uuid, actor=omar)


@pytest.fixture
def adopted(rollout, street, elsewhere) -> Deployment:
    """A segment was written that makes it the rollout's canary."""
    before = Segment.objects.get()
    Segment.objects.create(
        rollout=rollout,
        number=2,
        deployment=elsewhere,
        share=500,
        started_at=street.at(0),
        counted_from=street.at(0),
        groups=before.groups,
    )
    return elsewhere


def test_no_canary_of_another_endpoint_is_widened_by_a_segment_that_names_it(rollout, street, adopted, verbs):
    street.feed(1, canary=(120, 0), stable=(400, 9))
    assert found() == [("not-in-trail", f"rollouts, {rollout.uuid}")]

    street.tick(3)
    for minute in range(3, 6):
        street.feed(minute, canary=(60, 0), stable=(200, 1), epoch=adopted.epoch)
        street.tick(minute + 1)

    assert [
        (each.arm, each.share, each.pk) for each in deployments.serving(adopted.endpoint).filter(arm="canary")
    ] == [("canary", 500, adopted.pk)]
    assert street.running() == [("stable", "1.0.0", 10_000), ("canary", "1.1.0", 2500)]
    assert verbs(rollout) == ["rollouts.started", "rollouts.step_decided", "rollouts.widened"]
    assert ("not-in-trail", f"rollouts, {rollout.uuid}") in found()


def test_nor_is_it_stopped_by_who_aborts_the_rollout(rollout, street, adopted, omar):
    actions.abort(
        rollout_id=rollout.uuid, actor=omar, seen=0, reason="Errors.", typed="1.0.0", now=street.at(1)
    )

    assert street.running() == [("stable", "1.0.0", 10_000)]
    assert deployments.canary_of(adopted.endpoint) == adopted


def test_nor_does_a_canary_go_on_as_one_of_another_endpoint_that_names_it_as_the_one_before(
    rollout, street, elsewhere, canary_of, omar
):
    behind_its_back(
        "UPDATE endpoints_deployment SET previous_id = %s WHERE id = %s", canary_of(rollout).pk, elsewhere.pk
    )
    served.stop_canary(deployment_id=canary_of(rollout).uuid, reason="Errors.", actor=omar, steered=True)

    street.tick(2)

    rollout.refresh_from_db()
    assert (rollout.state, Segment.objects.count()) == ("rolled_back", 1)
    assert deployments.canary_of(elsewhere.endpoint) == elsewhere


def test_a_rollout_that_was_moved_to_another_version_widens_nothing(rollout, street, elsewhere, lee):
    street.feed(1, canary=(120, 0), stable=(400, 9))
    behind_its_back(
        "UPDATE rollouts_rollout SET endpoint_id = %s, version_id = %s",
        elsewhere.endpoint.pk,
        elsewhere.version.pk,
    )

    street.tick(3)
    with pytest.raises(Conflict, match="name different rollouts"):
        actions.widen(rollout_id=rollout.uuid, actor=lee, seen=0, reason="All well.")

    assert street.running() == [("stable", "1.0.0", 10_000), ("canary", "1.1.0", 500)]
    assert deployments.canary_of(elsewhere.endpoint) == elsewhere
