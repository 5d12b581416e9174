"""Back to the last live version: a role, a reason, the typed version; no approval."""

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import actions as catalog
from registry.catalog.models import Alias
from registry.endpoints import actions
from registry.endpoints.actions import switch
from registry.endpoints.models import Deployment
from registry.endpoints.queries import rollback
from registry.ground.access import actions as access
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.support import endpoints
from tests.support.unchanged import refused


@pytest.fixture
def endpoint(live_endpoint):
    return live_endpoint


def roll_back(endpoint, actor, **more):
    given = {"reason": "Wrong answers on refunds.", "typed": "1.0.0", "seen_moves": 2}
    return actions.roll_back(endpoint_id=endpoint.uuid, actor=actor, **given | more)


def live(endpoint):
    return Alias.objects.get(endpoint=endpoint).version.semver


def test_the_last_live_version_is_live_again(endpoint, omar, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        deployment = roll_back(endpoint, omar)

    assert live(endpoint) == "1.0.0"
    assert (deployment.cause, deployment.approval, deployment.reason) == (
        "rollback",
        None,
        "Wrong answers on refunds.",
    )
    ended = deployment.previous
    assert (ended.version.semver, ended.ended_by, ended.end_reason) == (
        "1.1.0",
        omar,
        "Wrong answers on refunds.",
    )
    route = endpoints.routes()["endpoints"][endpoint.full_name]
    assert route["arms"][0]["version"] == str(deployment.version.uuid)
    assert route["standby"] == []
    event = Event.objects.get(verb="endpoints.rolled_back")
    assert '"reason":"Wrong answers on refunds."' in event.canonical


@pytest.mark.parametrize("person", ["ana", "ravi", "mia", "gita", "aida", "otto", "adam"])
def test_only_leads_and_those_on_call_roll_back(person, request, endpoint):
    from registry.ground.access.models import User

    actor = User.objects.filter(username=person).first() or request.getfixturevalue(person)
    with pytest.raises(PermissionDenied):
        roll_back(endpoint, actor)

    assert live(endpoint) == "1.1.0"


@pytest.mark.parametrize(
    ("given", "field"),
    [({"typed": "1.1.0"}, "typed"), ({"typed": ""}, "typed"), ({"reason": "  "}, "reason")],
)
def test_wrong_words_change_nothing(endpoint, omar, given, field):
    with pytest.raises(Refused) as refusal:
        roll_back(endpoint, omar, **given)

    assert field in refusal.value.fields
    assert live(endpoint) == "1.1.0"
    assert Deployment.objects.count() == 2


def test_a_look_that_is_stale_changes_nothing(endpoint, omar):
    with pytest.raises(Conflict):
        roll_back(endpoint, omar, seen_moves=1)

    assert live(endpoint) == "1.1.0"


def test_a_second_click_finds_another_version_live(endpoint, omar):
    roll_back(endpoint, omar)

    with pytest.raises((Conflict, Refused)):
        roll_back(endpoint, omar)
    assert live(endpoint) == "1.0.0"
    assert Deployment.objects.count() == 3


def test_there_is_nothing_to_go_back_to_after_the_first_deployment(endpoint, omar):
    another = endpoints.copied(endpoint, "another", before=False)

    with pytest.raises(Refused):
        roll_back(another, omar)
    assert live(another) == "1.1.0"


def test_a_quarantined_version_is_no_target(endpoint, omar):
    first = Deployment.objects.order_by("id").first().version
    catalog.quarantine(version_id=first.uuid, reason="Leaks.", actor=omar)

    assert rollback.rollback_target(endpoint) is None
    with pytest.raises(Refused):
        roll_back(endpoint, omar)
    assert live(endpoint) == "1.1.0"


@pytest.fixture
def last_to_come(monkeypatch):
    """Have something happen before the locks of a rollback are taken."""
    real = switch.next_epoch

    def set_up(change):
        monkeypatch.setattr(switch, "next_epoch", lambda: (change(), real())[1])

    return set_up


@pytest.mark.parametrize("typed", ["1.1.0", "1.0.0"])
def test_a_role_that_is_taken_while_a_rollback_waits_for_its_lock_does_not_count(
    canary, live_endpoint, project, omar, last_to_come, typed
):
    last_to_come(lambda: access.revoke(user=omar, role=Role.ONCALL, root=project, actor=None))

    before = Event.objects.count()
    with pytest.raises(PermissionDenied):
        roll_back(live_endpoint, omar, typed=typed)

    assert (live(live_endpoint), Event.objects.count()) == ("1.1.0", before)
    assert Deployment.objects.get(arm="canary", ended_at=None) == canary


@pytest.mark.parametrize("typed", ["1.1.0", "1.0.0"])
def test_what_changed_while_a_rollback_waits_for_its_lock_is_a_conflict(
    canary, live_endpoint, lee, omar, last_to_come, typed
):
    first = Deployment.objects.order_by("id").first().version
    last_to_come(
        (lambda: catalog.quarantine(version_id=first.uuid, reason="Leaks.", actor=lee))
        if typed == "1.0.0"
        else (lambda: actions.stop_canary(deployment_id=canary.uuid, reason="Errors.", actor=lee))
    )

    before = Event.objects.count()
    with pytest.raises(Conflict):
        roll_back(live_endpoint, omar, typed=typed)

    assert (live(live_endpoint), Event.objects.count()) == ("1.1.0", before)
    assert Deployment.objects.get(arm="canary", ended_at=None) == canary


def test_a_stale_look_stops_no_canary(canary, live_endpoint, omar):
    with refused(by=Conflict):
        roll_back(live_endpoint, omar, typed="1.1.0", seen_moves=1)


def test_who_may_not_roll_back_learns_nothing_of_what_to_type(live_endpoint, mia):
    with refused(by=PermissionDenied):
        roll_back(live_endpoint, mia, typed="9.9.9")
