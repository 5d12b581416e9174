"""A canary that a server closed is stopped in the registry, once, and what came of it is noted."""

import uuid

import pytest
from django.utils import timezone

from monitoring.traffic import actions
from monitoring.traffic.models import GuardTrip
from registry.endpoints import actions as endpoint_actions
from registry.endpoints.queries import deployments
from registry.ground.ledger.models import Event
from registry.promotions import plans
from tests.support import endpoints, registry


@pytest.fixture
def canary(live_endpoint, project, mia, ravi, lee, gita, omar):
    snapshot = live_endpoint.alias.version.run.snapshot
    version = registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=snapshot, semver="1.1.0"
    )
    request = endpoints.approved(project, live_endpoint, version, plans.by_hand(500))
    return endpoint_actions.deploy(request_id=request.uuid, actor=omar)


def guard_line(deployment, **more):
    return {
        "kind": "guard",
        "uuid": str(uuid.uuid4()),
        "at": endpoints.now(),
        "endpoint": deployment.endpoint.full_name,
        "deployment": str(deployment.uuid),
        "failures": 12,
        "of": 20,
    } | more


def test_the_canary_is_stopped_and_the_outcome_noted(canary):
    line = guard_line(canary)
    endpoints.write_segment(line, line)

    actions.ingest()

    canary.refresh_from_db()
    trip = GuardTrip.objects.get()
    assert deployments.canary_of(canary.endpoint) is None
    assert canary.ended_at is not None
    assert "12" in canary.end_reason
    assert (trip.failures, trip.of, trip.outcome) == (12, 20, "The canary was stopped.")
    assert Event.objects.filter(verb="endpoints.canary_stopped").count() == 1
    endpoints.write_segment(line)
    actions.ingest()
    assert Event.objects.filter(verb="endpoints.canary_stopped").count() == 1


def test_a_share_that_changed_meanwhile_does_not_save_it(canary, omar):
    wider = endpoint_actions.set_share(deployment_id=canary.uuid, share=2500, actor=omar, reason="It held.")
    endpoints.write_segment(guard_line(canary))

    actions.ingest()

    wider.refresh_from_db()
    assert wider.ended_at is not None
    assert GuardTrip.objects.get().outcome == "The canary was stopped."


@pytest.mark.postgres
def test_one_that_has_ended_is_left_as_it_is(canary, omar):
    endpoint_actions.stop_canary(deployment_id=canary.uuid, reason="Too slow for us.", actor=omar)
    endpoints.write_segment(guard_line(canary))

    actions.ingest()

    canary.refresh_from_db()
    assert canary.end_reason == "Too slow for us."
    assert GuardTrip.objects.get().outcome == "It had already ended: Too slow for us."


def test_a_line_of_another_endpoint_or_of_the_stable_arm_stops_nothing(canary, live_endpoint, caplog):
    stable = deployments.live_deployment(live_endpoint)
    endpoints.write_segment(guard_line(canary, endpoint="gone"), guard_line(stable))

    actions.ingest()

    canary.refresh_from_db()
    stable.refresh_from_db()
    assert (canary.ended_at, stable.ended_at) == (None, None)
    assert GuardTrip.objects.get().outcome == "It wasn't a canary, so nothing was stopped."
    assert "event=guard_of_unknown_deployment" in caplog.text


def test_what_fails_is_tried_again_and_keeps_no_other_waiting(canary, monkeypatch):
    endpoints.write_segment(guard_line(canary))
    with monkeypatch.context() as patch:
        patch.setattr(endpoint_actions, "stop_closed", lambda **_: 1 / 0)
        actions.ingest()
    assert GuardTrip.objects.get().handled_at is None

    actions.ingest()

    assert GuardTrip.objects.get().handled_at <= timezone.now()
    assert deployments.canary_of(canary.endpoint) is None
