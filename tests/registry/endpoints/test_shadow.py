"""A shadow: any active version may be compared, one at a time; it needs no approval and answers no client."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import actions as catalog
from registry.endpoints import actions
from registry.endpoints.queries import deployments
from registry.ground.ledger.models import Event
from registry.promotions import plans
from tests.support import endpoints, registry
from tests.support.unchanged import refused


@pytest.fixture
def version(project, live_endpoint, mia, ravi):
    snapshot = live_endpoint.alias.version.run.snapshot
    return registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=snapshot, semver="1.2.0"
    )


@pytest.fixture
def shadow(live_endpoint, version, omar):
    return actions.start_shadow(
        endpoint_id=live_endpoint.uuid, version_id=version.uuid, share=2_500, actor=omar
    )


def start(endpoint, version, actor, share=2_500):
    return actions.start_shadow(endpoint_id=endpoint.uuid, version_id=version.uuid, share=share, actor=actor)


def running(endpoint):
    return [(row.arm, row.version.semver, row.share) for row in deployments.serving(endpoint).order_by("id")]


def verbs(endpoint):
    return list(
        Event.objects.filter(object_id=str(endpoint.uuid)).order_by("id").values_list("verb", flat=True)
    )


def test_the_servers_get_it_and_no_client_is_affected(
    live_endpoint, version, mia, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        made = start(live_endpoint, version, mia)

    route = endpoints.routes()["endpoints"][live_endpoint.full_name]
    assert [(arm["arm"], arm["share"]) for arm in route["arms"]] == [("stable", 10_000)]
    named = {"version": str(version.uuid), "label": str(version), "root_digest": version.root_digest}
    assert route["shadow"] == named | {"share": 2500, "deployment": str(made.uuid)}
    live_endpoint.alias.refresh_from_db()
    assert live_endpoint.alias.version.semver == "1.1.0"
    assert (made.cause, made.approval, made.started_by) == ("shadow", None, mia)
    assert verbs(live_endpoint)[-1] == "endpoints.shadow_started"


def test_stopping_takes_it_out(shadow, live_endpoint, lee, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        ended = actions.stop_shadow(deployment_id=shadow.uuid, actor=lee, reason="")

    assert (ended.ended_by, ended.end_reason) == (lee, "Stopped.")
    assert endpoints.routes()["endpoints"][live_endpoint.full_name]["shadow"] is None
    assert verbs(live_endpoint)[-1] == "endpoints.shadow_stopped"
    with pytest.raises(Conflict, match="has already ended"):
        actions.stop_shadow(deployment_id=shadow.uuid, actor=lee, reason="")
    again = actions.stop_shadow(deployment_id=shadow.uuid, actor=None, reason="Late news.")
    assert (again.end_reason, verbs(live_endpoint).count("endpoints.shadow_stopped")) == ("Stopped.", 1)


def test_there_is_one_at_a_time(shadow, project, live_endpoint, mia, ravi, omar):
    other = registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=shadow.version.run.snapshot, semver="1.3.0"
    )

    with pytest.raises(
        Conflict, match="1.2.0 is already the shadow on support-inbox-prod, and only one can run at a time"
    ):
        start(live_endpoint, other, omar)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000), ("shadow", "1.2.0", 2_500)]


def test_what_answers_already_is_no_shadow(live_endpoint, omar):
    with pytest.raises(Conflict, match="1.1.0 already serves support-inbox-prod"):
        start(live_endpoint, live_endpoint.alias.version, omar)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


def test_what_cannot_be_compared_is_refused(project, live_endpoint, version, mia, ravi, lee, omar):
    foreign = registry.make_version(project, mia, ravi)
    empty = registry.make_endpoint(live_endpoint.model, mia)

    with refused("version"):
        start(live_endpoint, foreign, omar)
    with pytest.raises(Refused, match="Nothing is live"):
        start(empty, version, omar)
    with refused("share"):
        start(live_endpoint, version, omar, share=0)
    catalog.quarantine(version_id=version.uuid, reason="Leaks.", actor=omar)
    with refused(match="is quarantined"):
        start(live_endpoint, version, omar)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


@pytest.mark.postgres
def test_a_frozen_endpoint_starts_none_and_stops_one(shadow, project, live_endpoint, mia, ravi, lee, omar):
    catalog.freeze(
        endpoint_id=live_endpoint.uuid,
        reason="Incident.",
        until=timezone.now() + timedelta(days=1),
        actor=lee,
    )

    actions.stop_shadow(deployment_id=shadow.uuid, actor=omar, reason="Incident.")
    with pytest.raises(Refused, match="Incident[.]"):
        start(live_endpoint, shadow.version, omar)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


def test_it_ends_when_it_becomes_a_canary(shadow, project, live_endpoint, omar):
    request = endpoints.approved(project, live_endpoint, shadow.version, plans.by_hand(500))

    actions.deploy(request_id=request.uuid, actor=omar)

    shadow.refresh_from_db()
    assert shadow.end_reason == "It serves clients now."
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000), ("canary", "1.2.0", 500)]


def test_one_in_quarantine_is_taken_out(shadow, live_endpoint, omar):
    catalog.quarantine(version_id=shadow.version.uuid, reason="Leaks.", actor=omar)

    shadow.refresh_from_db()
    assert (shadow.ended_by, shadow.end_reason) == (omar, "1.2.0 was quarantined: Leaks.")


@pytest.mark.parametrize("person", ["ana", "ravi", "gita", "aida", "otto"])
def test_others_neither_start_nor_stop_one(person, request, shadow, live_endpoint):
    actor = request.getfixturevalue(person)

    with pytest.raises(PermissionDenied):
        start(live_endpoint, shadow.version, actor)
    with pytest.raises(PermissionDenied):
        actions.stop_shadow(deployment_id=shadow.uuid, actor=actor, reason="No.")
    assert running(live_endpoint)[1] == ("shadow", "1.2.0", 2_500)


def test_only_a_shadow_is_stopped_as_one(live_endpoint, omar):
    live = deployments.live_deployment(live_endpoint)

    with refused(match="1.1.0 runs there as stable, not as shadow"):
        actions.stop_shadow(deployment_id=live.uuid, actor=omar, reason="")
    with refused():
        actions.stop_canary(deployment_id=live.uuid, actor=omar, reason="x")
    with refused():
        actions.set_share(deployment_id=live.uuid, share=5, actor=omar, reason="It held.")
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]
