"""What an endpoint is held to: set by on-call or the lead, one of a kind, each change an Event, no change
unseen.
"""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.runtime.refusals import Conflict, Refused
from monitoring.alerts import actions
from monitoring.alerts.models import Alert, Objective
from monitoring.alerts.rules import objectives as rules
from monitoring.alerts.rules.burn import Count
from registry.audit.queries import payload_of
from registry.ground.ledger.models import Event
from tests.support.unchanged import refused


def set_(endpoint, actor, seen=0, **more):
    given = {"kind": "availability", "target": 0.995, "window_days": 30, "threshold_ms": None} | more
    return actions.set_objective(endpoint_id=endpoint.uuid, actor=actor, seen=seen, **given)


def events():
    return [
        payload_of(event)["payload"]
        for event in Event.objects.filter(verb="alerts.objective_set").order_by("seq")
    ]


def test_an_objective_is_set_changed_and_switched_off_each_with_its_event(live_endpoint, omar, lee):
    made = set_(live_endpoint, omar)
    changed = set_(live_endpoint, lee, seen=1, target=0.999, owner=omar)
    off = actions.switch_objective(objective_id=made.uuid, is_on=False, actor=lee, seen=2)

    assert (changed.pk, changed.revision, changed.owner) == (made.pk, 2, omar)
    assert (off.is_on, off.revision) == (False, 3)
    first, second, third = events()
    assert (first["was"], first["target"], first["kind"]) == (None, 0.995, "availability")
    assert (second["was"]["target"], second["target"], second["owner"]) == (0.995, 0.999, str(omar.uuid))
    assert (third["was"]["is_on"], third["is_on"]) == (True, False)


@pytest.mark.parametrize("person", ["mia", "ravi", "gita"])
def test_only_on_call_and_the_lead_set_objectives(live_endpoint, person, request):
    with pytest.raises(PermissionDenied):
        set_(live_endpoint, request.getfixturevalue(person))

    assert Objective.objects.count() == 0


def test_a_stale_form_changes_nothing(live_endpoint, objective, omar, lee):
    set_(live_endpoint, lee, seen=1, target=0.999)

    for act in (
        lambda: set_(live_endpoint, omar, seen=1, target=0.99),
        lambda: set_(live_endpoint, omar, seen=0, target=0.99),
        lambda: actions.switch_objective(objective_id=objective.uuid, is_on=False, actor=omar, seen=1),
    ):
        with refused(by=Conflict):
            act()
    kept = Objective.objects.get()
    assert (kept.target, kept.is_on, len(events())) == (0.999, True, 2)


def test_the_same_again_is_no_event(live_endpoint, objective, omar):
    set_(live_endpoint, omar, seen=1)

    assert (Objective.objects.get().revision, len(events())) == (1, 1)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"target": 1.0}, "target"),
        ({"target": 0.4}, "target"),
        ({"window_days": 7}, "window_days"),
        ({"kind": "latency"}, "threshold_ms"),
        ({"kind": "latency", "threshold_ms": -1.0}, "threshold_ms"),
        ({"threshold_ms": 10.0}, "threshold_ms"),
        ({"kind": "beauty"}, "kind"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(live_endpoint, omar, given, field):
    with pytest.raises(Refused) as refusal:
        set_(live_endpoint, omar, **given)

    assert list(refusal.value.fields) == [field]
    assert Objective.objects.count() == 0


def test_an_owner_has_to_see_the_endpoint(live_endpoint, omar, otto):
    with refused("owner"):
        set_(live_endpoint, omar, owner=otto)


def test_open_alerts_end_with_the_objective_that_they_are_about(live_endpoint, objective, omar):
    key = {"objective": "availability", "severity": "page"}
    mine = actions.raise_alert(
        endpoint=live_endpoint, source="objective", key=key, severity="page", title="T", text="x", url="/"
    )
    other = actions.raise_alert(
        endpoint=live_endpoint,
        source="objective",
        key=key | {"objective": "latency"},
        severity="page",
        title="T",
        text="x",
        url="/",
    )

    actions.switch_objective(objective_id=objective.uuid, is_on=False, actor=omar, seen=1)

    assert Alert.objects.get(pk=mine.pk).resolution == "The objective was switched off."
    assert Alert.objects.get(pk=other.pk).is_open


def test_a_row_that_cannot_fire_is_a_warning_when_the_target_is_low():
    (warning,) = rules.warnings(0.9, 30)

    assert (
        warning
        == "The page rule 1\u00a0h / 5\u00a0min can never fire: even if all events are bad, a target of"
        " 90\u00a0% burns at 10.0, and the rule needs 14.4. It can fire with a target of 93.1\u00a0% or"
        " more."
    )
    assert rules.warnings(0.995, 30) == []


@pytest.mark.parametrize(
    ("made", "target", "threshold"),
    [
        (rules.propose_availability(Count(12, 10_000)), 0.998, None),
        (rules.propose_availability(Count(0, 10_000)), 0.999, None),
        (rules.propose_availability(Count(0, 999)), 0.995, None),
        (rules.propose_latency(18.2, 5_000), 0.99, 50.0),
        (rules.propose_latency(None, 0), 0.99, 500.0),
        (rules.propose_quality(Count(9, 100), 0.95), 0.89, None),
        (rules.propose_quality(Count(9, 99), 0.95), 0.9, None),
        (rules.propose_quality(Count(), None), 0.85, None),
    ],
)
def test_what_is_proposed_rests_on_what_was_measured(made, target, threshold):
    assert (made.target, made.threshold_ms) == (pytest.approx(target), threshold)
