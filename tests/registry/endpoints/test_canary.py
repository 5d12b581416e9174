"""A canary: beside the live version at a share, widened under the approval, stopped at any time, live at 100
%.
"""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from lifecycle.ground.notices.models import Outbox
from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import actions as catalog
from registry.catalog import queries as catalog_queries
from registry.catalog.models import Alias, ModelVersion
from registry.endpoints import actions, tasks
from registry.endpoints.queries import deployments
from registry.ground.ledger.models import Event
from registry.promotions import actions as promotions
from registry.promotions import plans
from registry.promotions.rules import Status
from tests.support import endpoints, registry
from tests.support.jobs import run_ok
from tests.support.unchanged import refused


@pytest.fixture
def next_request(canary, live_endpoint, project, mia, ravi, lee, gita):
    """While the canary runs, the approved request for 1.3.0."""
    version = registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=canary.version.run.snapshot, semver="1.3.0"
    )
    return endpoints.approved(project, live_endpoint, version, plans.by_hand(500))


@pytest.fixture
def ruled(live_endpoint, project, version):
    """The approved request for 1.2.0 as a canary under a rule, from 5 %."""
    return endpoints.approved(project, live_endpoint, version, plans.canary(plans.Plan()))


def verbs(endpoint):
    return list(
        Event.objects.filter(object_id=str(endpoint.uuid)).order_by("id").values_list("verb", flat=True)
    )


def served(endpoint):
    route = endpoints.routes()["endpoints"][endpoint.full_name]
    return [(arm["arm"], arm["share"], arm["label"].split()[-1]) for arm in route["arms"]], [
        s["label"].split()[-1] for s in route["standby"]
    ]


def running(endpoint):
    return [(row.arm, row.version.semver, row.share) for row in deployments.serving(endpoint).order_by("id")]


def test_it_takes_its_share_and_the_live_version_the_rest(
    ruled, live_endpoint, omar, django_capture_on_commit_callbacks
):
    seen = []
    with django_capture_on_commit_callbacks(execute=True):
        made = actions.deploy(
            request_id=ruled.uuid, actor=omar, steered=lambda new: seen.append((new.pk, new.share))
        )

    assert seen == [(made.pk, 500)]
    assert (made.arm, made.share, made.cause, made.approval, made.previous) == (
        "canary",
        500,
        "promotion",
        ruled,
        None,
    )
    alias = Alias.objects.get(endpoint=live_endpoint)
    assert (alias.version.semver, alias.moves) == ("1.1.0", 2)
    ruled.refresh_from_db()
    assert ruled.status == Status.FULFILLED
    assert served(live_endpoint) == ([("stable", 9500, "1.1.0"), ("canary", 500, "1.2.0")], ["1.0.0"])
    assert endpoints.routes()["endpoints"][live_endpoint.full_name]["arms"][1]["deployment"] == str(made.uuid)
    assert verbs(live_endpoint)[-1] == "endpoints.canary_started"


def test_nothing_is_kept_when_what_comes_with_it_fails(ruled, live_endpoint, omar):
    def fail(_):
        raise Refused("The plan does not fit.")

    with pytest.raises(Refused, match="The plan"):
        actions.deploy(request_id=ruled.uuid, actor=omar, steered=fail)

    ruled.refresh_from_db()
    assert ruled.status == Status.APPROVED
    assert running(live_endpoint) == [("stable", "1.1.0", 10000)]
    assert "endpoints.canary_started" not in verbs(live_endpoint)


def test_a_canary_needs_something_live_beside_it(live_endpoint, version, mia, lee, gita, omar):
    """What was live when it was requested is quarantined before its gates are checked."""
    request = promotions.request(
        version=version, endpoint=live_endpoint, note="", actor=mia, plan=plans.by_hand(500)
    )
    for live in ModelVersion.objects.exclude(pk=version.pk):
        catalog.quarantine(version_id=live.uuid, reason="Leaks.", actor=lee)
    run_ok("default")
    for reviewer in (lee, gita):
        request = registry.approve(request, reviewer)

    with pytest.raises(Refused, match=f"Nothing is live on {live_endpoint}"):
        actions.deploy(request_id=request.uuid, actor=omar)
    request.refresh_from_db()
    assert (request.status, running(live_endpoint)) == (Status.APPROVED, [])


def test_widening_ends_the_interval_and_begins_another(
    canary, live_endpoint, lee, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        new = actions.set_share(deployment_id=canary.uuid, share=2500, actor=lee, reason="It held.", seen=2)

    canary.refresh_from_db()
    assert (canary.ended_by, canary.end_reason) == (lee, "It held.")
    assert (new.arm, new.share, new.previous, new.approval, new.started_by) == (
        "canary",
        2500,
        canary,
        canary.approval,
        lee,
    )
    assert served(live_endpoint)[0] == [("stable", 7500, "1.1.0"), ("canary", 2500, "1.2.0")]
    assert verbs(live_endpoint)[-1] == "endpoints.share_set"


def test_the_system_widens_too_and_at_100_percent_it_is_live(
    canary, live_endpoint, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        new = actions.set_share(deployment_id=canary.uuid, share=10_000, actor=None, reason="Non-inferior.")

    alias = Alias.objects.get(endpoint=live_endpoint)
    assert (alias.version.semver, alias.moves) == ("1.2.0", 3)
    assert (new.arm, new.share, new.previous.version.semver, new.started_by) == (
        "stable",
        10_000,
        "1.1.0",
        None,
    )
    assert running(live_endpoint) == [("stable", "1.2.0", 10_000)]
    assert served(live_endpoint) == ([("stable", 10_000, "1.2.0")], ["1.1.0"])
    assert verbs(live_endpoint)[-1] == "endpoints.deployed"
    event = Event.objects.get(object_id=str(live_endpoint.uuid), verb="endpoints.deployed", actor="system")
    assert f'"canary":"{canary.uuid}"' in event.canonical


def test_an_older_page_changes_nothing(canary, live_endpoint, omar):
    actions.set_share(deployment_id=canary.uuid, share=2500, actor=omar, reason="It held.")
    before = running(live_endpoint)

    with pytest.raises(Conflict, match="has ended or its share has changed"):
        actions.set_share(deployment_id=canary.uuid, share=5000, actor=omar, reason="It held.")
    with pytest.raises(Conflict):
        actions.stop_canary(deployment_id=canary.uuid, reason="Errors.", actor=omar)
    newest = deployments.canary_of(live_endpoint)
    with pytest.raises(Conflict, match="Another version went live"):
        actions.set_share(deployment_id=newest.uuid, share=5000, actor=omar, reason="It held.", seen=1)
    with pytest.raises(Conflict, match="already has this share"):
        actions.set_share(deployment_id=newest.uuid, share=2500, actor=omar, reason="It held.")
    assert running(live_endpoint) == before


def test_a_changed_card_holds_the_canary_and_lets_it_shrink(canary, live_endpoint, mia, omar):
    version = canary.version
    card = catalog_queries.newest_card(version)
    catalog.edit_card(version=version, stated={"purpose": "Other."}, seen=card.digest, actor=mia)

    with pytest.raises(Conflict, match="the model card"):
        actions.set_share(deployment_id=canary.uuid, share=2500, actor=None)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000), ("canary", "1.2.0", 500)]
    assert actions.set_share(deployment_id=canary.uuid, share=100, actor=None).share == 100


def test_a_freeze_stops_starting_and_widening_and_nothing_else(canary, live_endpoint, lee, omar):
    catalog.freeze(
        endpoint_id=live_endpoint.uuid,
        reason="Incident.",
        until=timezone.now() + timedelta(days=1),
        actor=lee,
    )

    with pytest.raises(Refused, match="Incident[.]"):
        actions.set_share(deployment_id=canary.uuid, share=2500, actor=omar, reason="It held.")
    assert running(live_endpoint)[1] == ("canary", "1.2.0", 500)
    actions.stop_canary(deployment_id=canary.uuid, reason="Incident.", actor=omar)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


def test_stopping_needs_a_reason_and_leaves_the_live_version(
    canary, live_endpoint, omar, django_capture_on_commit_callbacks
):
    with refused("reason", match="needs a reason"):
        actions.stop_canary(deployment_id=canary.uuid, reason=" ", actor=omar)
    with django_capture_on_commit_callbacks(execute=True):
        ended = actions.stop_canary(deployment_id=canary.uuid, reason="Errors.", actor=omar)

    assert (ended.ended_by, ended.end_reason) == (omar, "Errors.")
    assert served(live_endpoint) == ([("stable", 10_000, "1.1.0")], ["1.0.0"])
    assert verbs(live_endpoint)[-1] == "endpoints.canary_stopped"
    row = Outbox.objects.get(topic="endpoints.canary_stopped")
    assert (row.payload["deployment"], row.payload["by"]) == (str(canary.uuid), str(omar.uuid))


@pytest.mark.postgres
def test_the_system_may_stop_late_and_twice(canary, live_endpoint, omar):
    newer = actions.set_share(deployment_id=canary.uuid, share=2500, actor=omar, reason="It held.")

    ended = actions.stop_canary(deployment_id=canary.uuid, reason="The guard.", actor=None)
    again = actions.stop_canary(deployment_id=canary.uuid, reason="The guard, again.", actor=None)

    assert ended == newer
    assert again.end_reason != "The guard, again."
    assert verbs(live_endpoint).count("endpoints.canary_stopped") == 1
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


@pytest.mark.parametrize("person", ["ana", "ravi", "gita", "aida", "otto", "adam"])
def test_only_engineers_leads_and_those_on_call_steer(person, request, canary, live_endpoint):
    from registry.ground.access.models import User

    actor = User.objects.filter(username=person).first() or request.getfixturevalue(person)
    with pytest.raises(PermissionDenied):
        actions.set_share(deployment_id=canary.uuid, share=2500, actor=actor, reason="It held.")
    with pytest.raises(PermissionDenied):
        actions.stop_canary(deployment_id=canary.uuid, reason="No.", actor=actor)
    assert running(live_endpoint)[1] == ("canary", "1.2.0", 500)


def test_there_is_one_canary_at_a_time_and_no_plain_deployment_beside_it(
    canary, next_request, live_endpoint, project, mia, ravi, omar
):
    at_once = endpoints.approved(
        project,
        live_endpoint,
        registry.make_version(
            project,
            mia,
            ravi,
            model=live_endpoint.model,
            snapshot=canary.version.run.snapshot,
            semver="1.4.0",
        ),
    )
    for request in (next_request, at_once):
        with pytest.raises(Conflict, match="1.2.0 is a canary on support-inbox-prod"):
            actions.deploy(request_id=request.uuid, actor=omar)
        request.refresh_from_db()
        assert request.status == Status.APPROVED
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000), ("canary", "1.2.0", 500)]


def test_a_stopped_canary_needs_a_new_approval(canary, by_hand, live_endpoint, omar):
    actions.stop_canary(deployment_id=canary.uuid, reason="Errors.", actor=omar)

    before = verbs(live_endpoint)
    with pytest.raises(Conflict, match="is fulfilled; only an approved request"):
        actions.deploy(request_id=by_hand.uuid, actor=omar)

    by_hand.refresh_from_db()
    assert (by_hand.status, verbs(live_endpoint)) == (Status.FULFILLED, before)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


def test_rolling_back_to_the_live_version_stops_the_canary(canary, live_endpoint, omar):
    back = actions.roll_back(
        endpoint_id=live_endpoint.uuid, actor=omar, reason="Errors.", typed="1.1.0", seen_moves=2
    )

    assert (back.version.semver, back.ended_at) == ("1.1.0", None)
    assert Alias.objects.get(endpoint=live_endpoint).moves == 2
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]
    canary.refresh_from_db()
    assert (canary.ended_by, canary.end_reason) == (omar, "Errors.")
    with refused("typed", match="1.1.0 already has all traffic"):
        actions.roll_back(
            endpoint_id=live_endpoint.uuid, actor=omar, reason="Errors.", typed="1.1.0", seen_moves=2
        )


def test_rolling_back_further_stops_the_canary_too(canary, live_endpoint, omar):
    back = actions.roll_back(
        endpoint_id=live_endpoint.uuid, actor=omar, reason="Both fail.", typed="1.0.0", seen_moves=2
    )

    assert (back.version.semver, back.cause) == ("1.0.0", "rollback")
    assert running(live_endpoint) == [("stable", "1.0.0", 10_000)]
    assert verbs(live_endpoint)[-2:] == ["endpoints.canary_stopped", "endpoints.rolled_back"]


def test_a_canary_in_quarantine_is_taken_out(canary, live_endpoint, omar):
    catalog.quarantine(version_id=canary.version.uuid, reason="Leaks.", actor=omar)

    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]
    canary.refresh_from_db()
    assert (canary.ended_by, canary.end_reason) == (omar, "1.2.0 was quarantined: Leaks.")
    assert ModelVersion.objects.get(pk=canary.version_id).state == "quarantined"


@pytest.mark.postgres
def test_a_canary_that_a_server_closed_is_not_widened_and_is_stopped(canary, live_endpoint):
    endpoints.write_status(guard=[{"deployment": str(canary.uuid), "failures": 10, "of": 13}])

    with pytest.raises(Conflict, match="10 of its last 13 requests failed"):
        actions.set_share(deployment_id=canary.uuid, share=2500, actor=None)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000), ("canary", "1.2.0", 500)]
    tasks.tend()

    canary.refresh_from_db()
    assert (canary.ended_by, canary.end_reason) == (
        None,
        "The server's guard closed it: 10 of its last 13 requests failed.",
    )


def test_a_wider_share_needs_a_reason_and_a_smaller_one_does_not(canary, live_endpoint, lee):
    for reason in ("", " "):
        with refused("reason"):
            actions.set_share(deployment_id=canary.uuid, share=501, actor=lee, reason=reason)
    assert running(live_endpoint)[-1] == ("canary", "1.2.0", 500)

    assert actions.set_share(deployment_id=canary.uuid, share=100, actor=lee).share == 100


def test_the_keys_of_a_canary_are_its_own_and_stay_while_its_share_changes(
    canary, next_request, live_endpoint, omar
):
    def salt():
        actions.publish()
        return endpoints.routes()["endpoints"][live_endpoint.full_name]["salt"]

    assert salt() == str(canary.uuid)
    wider = actions.set_share(deployment_id=canary.uuid, share=2500, actor=None)
    assert salt() == str(canary.uuid)
    actions.stop_canary(deployment_id=wider.uuid, reason="Errors.", actor=None)
    assert salt() == str(live_endpoint.uuid)

    another = actions.deploy(request_id=next_request.uuid, actor=omar)
    assert salt() == str(another.uuid)


def test_as_of_knows_the_arms(canary, live_endpoint, omar):
    wider = actions.set_share(deployment_id=canary.uuid, share=2500, actor=omar, reason="It held.")
    actions.stop_canary(deployment_id=wider.uuid, reason="Errors.", actor=omar)

    assert deployments.live_at(live_endpoint, canary.started_at).version.semver == "1.1.0"
    assert deployments.live_at(live_endpoint, canary.started_at, "canary") == canary
    assert deployments.live_at(live_endpoint, wider.started_at, "canary") == wider
    wider.refresh_from_db()
    assert deployments.live_at(live_endpoint, wider.ended_at, "canary") is None
