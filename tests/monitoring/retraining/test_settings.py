"""Triggers of an endpoint: set by a lead, in range, never over someone else's change."""

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.runtime.refusals import Conflict, Refused
from monitoring.retraining import actions
from monitoring.retraining.models import Trigger
from monitoring.retraining.queries import triggers
from registry.ground.ledger.models import Event
from tests.support.unchanged import refused


def set_drift(endpoint, actor, **more):
    values = {"kind": "drift", "threshold": 0.25, "enabled": True} | more
    return actions.set_trigger(endpoint_id=endpoint.uuid, actor=actor, **values)


def test_a_lead_sets_a_trigger_with_its_event(endpoint, lee):
    made = set_drift(endpoint, lee, cooldown_days=7, overlap=2)

    assert (made.threshold, made.cooldown_days, made.overlap, made.min_labels, made.author) == (
        0.25,
        7,
        2,
        50,
        lee,
    )
    assert '"cooldown_days":7' in Event.objects.get(verb="retraining.trigger_set").canonical


def test_the_same_again_changes_nothing(endpoint, lee):
    set_drift(endpoint, lee)
    set_drift(endpoint, lee)

    assert Event.objects.filter(verb="retraining.trigger_set").count() == 1


def test_what_is_left_out_keeps_its_value(endpoint, lee):
    set_drift(endpoint, lee, cooldown_days=7)
    made = set_drift(endpoint, lee, enabled=False)

    assert (made.cooldown_days, made.enabled) == (7, False)
    assert Trigger.objects.count() == 1


def test_no_one_else_may(endpoint, mia, omar, gita):
    for person in (mia, omar, gita):
        with pytest.raises(PermissionDenied):
            set_drift(endpoint, person)
    assert not Trigger.objects.exists()


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("threshold", {"threshold": 0.0}),
        ("threshold", {"threshold": 1.5, "kind": "quality"}),
        ("cooldown_days", {"cooldown_days": 366}),
        ("min_labels", {"min_labels": 0}),
        ("queue_items", {"queue_items": 1001}),
        ("overlap", {"overlap": 6}),
        ("kind", {"kind": "weather"}),
    ],
)
def test_numbers_out_of_range_are_refused_by_field(endpoint, lee, field, values):
    with pytest.raises(Refused) as refused:
        set_drift(endpoint, lee, **values)

    assert list(refused.value.fields) == [field]
    assert not Trigger.objects.exists()


def test_a_form_that_is_behind_is_refused(endpoint, lee):
    seen = triggers.settings_seen(endpoint)
    set_drift(endpoint, lee, seen=seen)

    with refused(by=Conflict):
        set_drift(endpoint, lee, threshold=0.5, seen=seen)
    assert Trigger.objects.get().threshold == 0.25
