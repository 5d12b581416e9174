"""What people do to a running rollout, what the servers' guard and a freeze do to it, and what a form that is
too old does not.
"""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.utils.html import escape

from lifecycle.runtime.refusals import Conflict, Refused
from monitoring.alerts.models import Alert
from monitoring.rollouts import actions
from monitoring.rollouts.models import Rollout, Segment
from monitoring.rollouts.rules.state import ENDS, State
from registry.catalog import actions as catalog
from registry.endpoints import actions as served
from registry.endpoints import fates, history
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.promotions.api import FateOut
from tests.support import endpoints
from tests.support.unchanged import refused


def good(street, minute):
    street.feed(minute, canary=(120, 0), stable=(400, 9))


def test_a_paused_rollout_keeps_its_share_and_goes_on_when_resumed(rollout, street, omar, verbs, fresh):
    good(street, 1)
    actions.pause(rollout_id=rollout.uuid, actor=omar, seen=0, now=street.at(2))

    street.tick(5)
    assert (fresh(rollout).state, fresh(rollout).share) == ("paused", 500)
    actions.resume(rollout_id=rollout.uuid, actor=omar, seen=1, now=street.at(6))
    street.tick(7)

    assert (fresh(rollout).state, fresh(rollout).share) == ("running", 2500)
    assert verbs(rollout) == [
        "rollouts.started",
        "rollouts.paused",
        "rollouts.resumed",
        "rollouts.step_decided",
        "rollouts.widened",
    ]


def test_a_paused_canary_is_still_taken_back(rollout, street, omar, fresh):
    actions.pause(rollout_id=rollout.uuid, actor=omar, seen=0, now=street.at(1))
    street.feed(2, canary=(20, 7), stable=(380, 2))

    street.tick(3)

    assert fresh(rollout).state == "rolled_back"
    assert Alert.objects.get().severity == "page"


def test_widening_before_the_rule_would_needs_a_reason_and_keeps_the_persons_name(
    rollout, street, lee, verbs, fresh
):
    street.feed(1, canary=(40, 0), stable=(760, 4))
    street.tick(1.5)

    with refused("reason", match="Widening ahead of the rule needs a reason"):
        actions.widen(rollout_id=rollout.uuid, actor=lee, seen=0, now=street.at(2))
    assert (fresh(rollout).share, fresh(rollout).moves) == (500, 0)
    actions.widen(rollout_id=rollout.uuid, actor=lee, seen=0, reason="Known from shadow.", now=street.at(2))

    rollout = fresh(rollout)
    assert (rollout.share, rollout.next_share, rollout.step_started_at) == (2500, None, street.at(2))
    last = Segment.objects.order_by("number").last()
    assert (last.number, last.share, last.deployment.started_by, last.deployment.reason) == (
        2,
        2500,
        lee,
        "Known from shadow.",
    )
    assert verbs(rollout) == ["rollouts.started", "rollouts.step_decided", "rollouts.widened"]


def test_a_plan_may_ask_a_person_at_each_step_once(begun, street, mia, lee, fresh):
    rollout = begun(automatic=False)
    good(street, 1)

    street.tick(3)
    street.tick(4)

    assert (fresh(rollout).share, fresh(rollout).asked_at) == (500, street.at(3))
    assert sum("1.1.0" in notice.text and "25\xa0%" in notice.text for notice in lee.notices.all()) == 1
    actions.widen(rollout_id=rollout.uuid, actor=lee, seen=1, now=street.at(5))
    assert (fresh(rollout).share, fresh(rollout).asked_at) == (2500, None)


def test_no_one_widens_against_the_evidence(rollout, street, lee, fresh):
    street.feed(1, canary=(20, 7), stable=(380, 2))
    from monitoring.rollouts.actions.count import count

    count(rollout, street.at(2))
    with pytest.raises(Refused, match="Too many failed requests"):
        actions.widen(rollout_id=rollout.uuid, actor=lee, seen=0, reason="I trust it.", now=street.at(2))
    assert fresh(rollout).share == 500


def test_aborting_sends_all_traffic_back_in_a_freeze_too(rollout, street, omar, lee, verbs, fresh):
    catalog.freeze(
        endpoint_id=street.endpoint.uuid,
        reason="Incident.",
        until=timezone.now() + timedelta(days=1),
        actor=lee,
    )

    with pytest.raises(Refused):
        actions.abort(
            rollout_id=rollout.uuid, actor=omar, seen=0, reason="Complaints.", typed="1.1.0", now=street.at(2)
        )
    with refused("reason"):
        actions.abort(
            rollout_id=rollout.uuid, actor=omar, seen=0, reason=" ", typed="1.0.0", now=street.at(2)
        )
    assert street.running()[1] == ("canary", "1.1.0", 500)
    actions.abort(
        rollout_id=rollout.uuid, actor=omar, seen=0, reason="Complaints.", typed="1.0.0", now=street.at(2)
    )

    rollout = fresh(rollout)
    assert (rollout.state, rollout.ended_by, rollout.reason) == ("aborted", omar, "Complaints.")
    assert street.running() == [("stable", "1.0.0", 10_000)]
    assert verbs(rollout)[-1] == "rollouts.aborted"
    assert not Alert.objects.exists()


def last_line(endpoint):
    """The newest line of the endpoint's timeline."""
    newest = history.changes(list(deployments.deployments(endpoint)))[0]
    return newest.title, newest.kind


def test_the_pages_of_the_request_and_of_the_endpoint_have_the_word_of_the_rollout(
    rollout, approval, street, omar, fresh
):
    actions.abort(
        rollout_id=rollout.uuid, actor=omar, seen=0, reason="Complaints.", typed="1.0.0", now=street.at(2)
    )

    found = fates.fate_of(approval)

    assert (found.word, found.kind, found.text, found.by) == (
        "Aborted",
        fresh(rollout).mark,
        "Complaints.",
        omar,
    )
    assert last_line(street.endpoint) == ("Canary 1.1.0 aborted", "")
    assert all(State(end).label in str(FateOut().fields["word"].help_text) for end in ENDS - {State.PROMOTED})


def test_a_canary_that_the_rule_took_back_is_rolled_back_on_all_pages(rollout, approval, street, fresh):
    street.feed(1, canary=(20, 7), stable=(380, 2))
    street.tick(2)

    found = fates.fate_of(approval)

    assert (found.word, found.kind, found.text) == ("Rolled back", "bad", fresh(rollout).reason)
    assert last_line(street.endpoint) == ("Canary 1.1.0 rolled back", "bad")


@pytest.mark.parametrize("step", ["pause", "resume", "widen", "abort"])
def test_a_form_that_is_too_old_changes_nothing(rollout, street, omar, step, fresh, verbs):
    actions.pause(rollout_id=rollout.uuid, actor=omar, seen=0, now=street.at(1))
    before = (fresh(rollout).state, fresh(rollout).moves, verbs(rollout))
    more = {"widen": {"reason": "Now."}, "abort": {"reason": "Now.", "typed": "1.0.0"}}.get(step, {})

    with pytest.raises(Conflict, match="changed while you had it open"):
        getattr(actions, step)(rollout_id=rollout.uuid, actor=omar, seen=0, **more)

    assert (fresh(rollout).state, fresh(rollout).moves, verbs(rollout)) == before


@pytest.mark.parametrize("step", ["pause", "resume", "widen", "abort"])
def test_an_ended_rollout_is_not_steered(rollout, street, omar, step, fresh, verbs):
    actions.abort(
        rollout_id=rollout.uuid, actor=omar, seen=0, reason="Enough.", typed="1.0.0", now=street.at(2)
    )
    more = {"widen": {"reason": "Now."}, "abort": {"reason": "Now.", "typed": "1.0.0"}}.get(step, {})

    before = (fresh(rollout).ended_at, fresh(rollout).moves, verbs(rollout))
    with pytest.raises(Conflict, match="has ended: aborted"):
        getattr(actions, step)(rollout_id=rollout.uuid, actor=omar, seen=1, **more)
    assert (fresh(rollout).ended_at, fresh(rollout).moves, verbs(rollout)) == before


@pytest.mark.parametrize("person", ["ana", "ravi", "gita", "aida", "otto"])
def test_only_engineers_leads_and_those_on_call_steer(person, request, rollout, fresh):
    actor = request.getfixturevalue(person)

    for step, more in (
        ("pause", {}),
        ("resume", {}),
        ("widen", {"reason": "x"}),
        ("abort", {"reason": "x", "typed": "1.0.0"}),
    ):
        with pytest.raises(PermissionDenied):
            getattr(actions, step)(rollout_id=rollout.uuid, actor=actor, seen=0, **more)
    assert (fresh(rollout).state, fresh(rollout).moves) == ("running", 0)


def test_an_engineer_stops_the_canary_that_they_started(rollout, street, mia, verbs, fresh):
    actions.abort(
        rollout_id=rollout.uuid, actor=mia, seen=0, reason="Complaints.", typed="1.0.0", now=street.at(2)
    )

    assert (fresh(rollout).state, fresh(rollout).ended_by) == ("aborted", mia)
    assert street.running() == [("stable", "1.0.0", 10_000)]
    assert verbs(rollout) == ["rollouts.started", "rollouts.aborted"]


def test_the_servers_guard_ends_the_rollout(rollout, street, verbs, fresh, canary_of):
    served.stop_canary(
        deployment_id=canary_of(rollout).uuid,
        reason="The server's guard closed it: 10 of its last 20 requests failed.",
        actor=None,
    )

    street.tick(2)

    rollout = fresh(rollout)
    assert (rollout.state, rollout.ended_by, rollout.reason) == (
        "rolled_back",
        None,
        "The server's guard closed it: 10 of its last 20 requests failed.",
    )
    assert verbs(rollout)[-1] == "rollouts.rolled_back"
    assert [(alert.severity, alert.title) for alert in Alert.objects.filter(source="canary")] == [
        ("page", "1.1.0 was rolled back on support-inbox-prod")
    ]


def test_a_closed_arm_does_not_widen_before_the_registry_knows(rollout, street, fresh, canary_of):
    good(street, 1)
    endpoints.write_status(guard=[{"deployment": str(canary_of(rollout).uuid), "failures": 10, "of": 20}])

    street.tick(3)

    assert (fresh(rollout).state, fresh(rollout).share) == ("running", 500)


@pytest.mark.postgres
def test_a_person_who_stops_the_canary_elsewhere_ends_the_rollout_in_their_name(rollout, street, omar, fresh):
    served.roll_back(
        endpoint_id=street.endpoint.uuid, actor=omar, reason="Errors.", typed="1.0.0", seen_moves=1
    )

    street.tick(2)

    assert (fresh(rollout).state, fresh(rollout).ended_by, fresh(rollout).reason) == (
        "rolled_back",
        omar,
        "Errors.",
    )
    assert not Alert.objects.filter(severity="page").exists()


def test_no_one_sets_the_share_or_stops_the_canary_by_hand_round_the_rule(
    rollout, street, lee, client_for, fresh, canary_of
):
    page = client_for(lee)
    canary = canary_of(rollout)
    message = "1.1.0 is controlled by its rollout's rule."

    for do in (
        lambda: served.set_share(deployment_id=canary.uuid, share=1000, actor=lee, reason="A little more."),
        lambda: served.set_share(deployment_id=canary.uuid, share=100, actor=lee, reason="Less."),
        lambda: served.stop_canary(deployment_id=canary.uuid, actor=lee, reason="Errors."),
    ):
        with pytest.raises(Refused) as refusal:
            do()
        assert (refusal.value.message, refusal.value.next_step) == (
            message,
            (
                f"Widen, pause, or abort it on /rollouts/{rollout.uuid}/ (API:"
                f" /api/v1/rollouts/{rollout.uuid}/), or roll the endpoint back."
            ),
        )

    assert street.running() == [("stable", "1.0.0", 10_000), ("canary", "1.1.0", 500)]
    assert fresh(rollout).moves == 0
    shown = page.get(f"/endpoints/{street.endpoint.uuid}/").content.decode()
    assert escape(message) in shown
    assert "stop_canary" not in shown


def test_a_canary_whose_rollout_has_ended_is_free_and_a_new_one_without_a_rule_is_stopped_by_hand(
    rollout, next_by_hand, street, omar
):
    actions.abort(rollout_id=rollout.uuid, actor=omar, seen=0, reason="Errors.", typed="1.0.0")
    alone = served.deploy(request_id=next_by_hand.uuid, actor=omar)

    served.stop_canary(deployment_id=alone.uuid, actor=omar, reason="Errors.")

    assert street.running() == [("stable", "1.0.0", 10_000)]


def test_a_start_before_the_last_rollout_is_closed_waits_for_it(
    rollout, next_approval, street, mia, omar, fresh
):
    served.roll_back(
        endpoint_id=street.endpoint.uuid, actor=omar, reason="Errors.", typed="1.0.0", seen_moves=1
    )

    with pytest.raises(
        Conflict, match=r"The rollout of 1\.1\.0 on support-inbox-prod isn't closed yet"
    ) as conflict:
        street.start(next_approval, mia)
    assert (
        conflict.value.next_step
        == "Try again in 10 seconds. If that fails, check /readyz to see whether the worker and beat are"
        " running."
    )
    next_approval.refresh_from_db()
    assert (next_approval.status, Rollout.objects.count()) == ("approved", 1)
    assert street.running() == [("stable", "1.0.0", 10_000)]
    street.tick(2)
    again = street.start(next_approval, mia)

    assert (fresh(rollout).state, again.state) == ("rolled_back", "running")


def test_a_share_that_someone_set_elsewhere_is_a_step_of_its_own(
    rollout, street, lee, fresh, canary_of, verbs
):
    served.set_share(
        deployment_id=canary_of(rollout).uuid, share=1000, actor=lee, reason="A little more.", steered=True
    )

    street.tick(2)

    assert fresh(rollout).share == 1000
    assert [each.share for each in Segment.objects.order_by("number")] == [500, 1000]
    assert verbs(rollout) == ["rollouts.started", "rollouts.widened"]


def test_a_frozen_endpoint_keeps_the_share_and_still_takes_back(rollout, street, lee, fresh):
    catalog.freeze(
        endpoint_id=street.endpoint.uuid,
        reason="Audit week.",
        until=timezone.now() + timedelta(days=1),
        actor=lee,
    )
    good(street, 1)

    street.tick(3)
    assert (fresh(rollout).state, fresh(rollout).share) == ("running", 500)
    with refused(match="Audit week"):
        actions.widen(rollout_id=rollout.uuid, actor=lee, seen=0, reason="Now.", now=street.at(3))
    street.feed(4, canary=(20, 12), stable=(380, 2))
    street.tick(5)

    assert fresh(rollout).state == "rolled_back"


def test_a_frozen_endpoint_starts_none(street, approval, mia, lee):
    catalog.freeze(
        endpoint_id=street.endpoint.uuid,
        reason="Audit week.",
        until=timezone.now() + timedelta(days=1),
        actor=lee,
    )

    with pytest.raises(Refused, match="Audit week"):
        street.begin(approval, mia)
    assert not Rollout.objects.exists()
    assert street.running() == [("stable", "1.0.0", 10_000)]


def test_a_plan_that_cannot_decide_starts_nothing(street, version, mia):
    approval = street.approved(version, min_requests=10_000)

    with pytest.raises(Refused, match="At 5.%.the canary gets 20 requests an hour"):
        street.begin(approval, mia)
    assert not Rollout.objects.exists()
    approval.refresh_from_db()
    assert approval.status == "approved"


def test_without_traffic_there_is_nothing_to_learn(street, approval, mia):
    with pytest.raises(Refused, match="No requests in the last 24 hours"):
        street.start(approval, mia)
    assert not Rollout.objects.exists()


@pytest.mark.postgres
def test_a_changed_card_holds_instead_of_trying_for_ever(rollout, street, mia, fresh):
    from registry.catalog.queries import newest_card

    card = newest_card(rollout.version)
    catalog.edit_card(version=rollout.version, stated={"purpose": "Other."}, seen=card.digest, actor=mia)
    good(street, 1)

    street.tick(3)

    assert (fresh(rollout).state, fresh(rollout).share, fresh(rollout).next_share) == ("holding", 500, None)
    assert "the model card" in fresh(rollout).reason


def test_the_rollout_of_a_version_that_goes_into_quarantine_ends(rollout, street, omar, fresh):
    good(street, 1)
    catalog.quarantine(version_id=rollout.version.uuid, reason="Leaks.", actor=omar)

    street.tick(3)

    found = fresh(rollout)
    assert (found.state, found.share, Deployment.objects.filter(arm="canary", ended_at=None).count()) == (
        "rolled_back",
        500,
        0,
    )


def test_one_rollout_at_a_time(rollout, next_approval, street, mia):
    with pytest.raises(Conflict, match="only one can run at a time"):
        street.start(next_approval, mia)
    assert Rollout.objects.count() == 1
