"""No event is dated before it could be recorded, by the events and signings around it; a clock that was set
back dates nothing back.
"""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest import mock
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from registry.ground.ledger import checkpoints
from registry.ground.ledger.actions import record
from registry.ground.ledger.faults import Rule
from registry.ground.ledger.models import Chain, Event
from registry.ground.ledger.verbs import Verb
from registry.ground.ledger.verify import CLOCKS, date_fault, earliest
from tests.support.trail import behind_its_back, forget_the_installation, found

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@contextmanager
def later(by):
    """The clock shows another time."""
    with mock.patch("django.utils.timezone.now", return_value=timezone.now() + by):
        yield


def recorded(project, by=timedelta(), chain=None):
    with later(by), transaction.atomic():
        return record(None, Verb.DATASET_CREATED, project, project=chain or project.uuid)


def signed(by=timedelta()):
    with later(by):
        checkpoints.sign_checkpoints()


def where(event):
    return f"chain {event.chain}, event {event.seq}"


@pytest.mark.parametrize(
    ("before", "until", "signings", "expected"),
    [
        (NOON, NOON + HOUR, [], NOON),  # the event before
        (NOON, NOON + HOUR, [NOON - DAY], NOON),  # the same, since a signing long before
        (NOON - DAY, NOON, [NOON - HOUR], NOON - HOUR),  # a signing that did not find it there
        # one of the same turn, within clock tolerance
        (NOON - DAY, NOON, [NOON - HOUR, NOON - CLOCKS], NOON - HOUR),
        (NOON + DAY, NOON, [NOON + DAY], NOON),  # a clock that was set back
    ],
)
def test_an_event_is_dated_as_what_was_before_it_or_later(before, until, signings, expected):
    assert earliest(before, until, signings) == expected - CLOCKS


def test_an_event_is_dated_back_only_before_the_earliest_moment():
    event = Event(chain="installation", seq=2, at=NOON)

    fault = date_fault(event, NOON + timedelta(microseconds=1))

    assert date_fault(event, NOON) is None
    assert (fault.rule, fault.where) == (Rule.DATED_BACK, "chain installation, event 2")


def test_an_event_that_is_dated_back_is_named_and_hides_nothing_after_it(project):
    recorded(project)
    signed()
    forged = recorded(project, -400 * DAY)
    after = recorded(project)
    signed()
    assert found() == [("dated-back", where(forged))]

    behind_its_back("UPDATE ledger_event SET actor = 'someone' WHERE id = %s", after.pk)

    assert found() == [("dated-back", where(forged)), ("columns-differ", where(after))]


def test_an_event_that_is_dated_back_behind_one_that_is_dated_ahead_is_named(project):
    recorded(project, 900 * DAY)
    forged = recorded(project, -400 * DAY)
    signed()

    assert found() == [("dated-back", where(forged))]


def test_a_chain_of_its_own_dates_nothing_back(project):
    signed()
    forged = recorded(project, -400 * DAY, chain=uuid4())
    signed(HOUR)

    assert (forged.seq, found()) == (1, [("dated-back", where(forged)), ("wrong-chain", where(forged))])


def test_a_clock_that_was_set_back_makes_nothing_faulty(project):
    forget_the_installation()
    recorded(project, 3 * DAY)
    signed(3 * DAY)
    recorded(project, 3 * DAY)
    for minutes in range(3):
        recorded(project, minutes * MINUTE)
        recorded(project, minutes * MINUTE - CLOCKS / 2)
        signed(minutes * MINUTE)

    assert found() == []


def test_what_was_recorded_while_nothing_was_signed_is_not_dated_back(project):
    behind_its_back("DELETE FROM ledger_name")
    behind_its_back("DELETE FROM ledger_event")
    behind_its_back("DELETE FROM ledger_chain")
    other = uuid4()
    for days in (-3, -2, -1):
        recorded(project, days * DAY)
        recorded(project, days * DAY, chain=other)
    signed(-MINUTE)
    signed()

    late = [where for rule, where in found() if rule == "dated-back"]
    assert (Event.objects.count(), Chain.objects.count(), late) == (6, 2, [])
