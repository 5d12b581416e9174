"""A decision and its event are written together, in a chain."""

import json
from contextlib import suppress

import pytest
from django.db import transaction

from registry.ground.ledger import rules
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Chain, Event, Name
from registry.ground.ledger.verbs import Verb

pytestmark = pytest.mark.postgres


def test_an_event_holds_actor_object_and_payload_as_ids_in_the_hashed_bytes(project, mia):
    with transaction.atomic():
        event = record(mia, Verb.DATASET_CREATED, project, project=project.uuid, reason="first")

    document = json.loads(event.canonical)
    assert document["actor"] == str(mia.uuid)
    assert document["object_type"] == "access.project"
    assert document["object_id"] == str(project.uuid)
    assert document["payload"] == {"reason": "first"}
    assert "Mia" not in event.canonical
    assert Name.objects.get(subject=str(mia.uuid)).text == "Mia"
    assert event.hash == rules.event_hash(event.canonical)


def test_each_event_follows_from_the_one_before_without_a_gap(project):
    with transaction.atomic():
        first = record(None, Verb.DATASET_CREATED, project, project=project.uuid)
        second = record(None, Verb.DATASET_CREATED, project, project=project.uuid)

    assert (second.seq, second.previous_hash) == (first.seq + 1, first.hash)
    assert Chain.objects.get(name=str(project.uuid)).hash == second.hash


def test_an_event_vanishes_with_the_decision_that_failed(project):
    before = Event.objects.count()

    with suppress(ZeroDivisionError), transaction.atomic():
        record(None, Verb.DATASET_CREATED, project, project=project.uuid)
        raise ZeroDivisionError

    assert Event.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_refused(project):
    before = Event.objects.count()

    with pytest.raises(RuntimeError, match=Verb.DATASET_CREATED):
        record(None, Verb.DATASET_CREATED, project, project=project.uuid)

    assert Event.objects.count() == before


def test_events_without_a_project_are_in_the_chain_of_the_installation(project, mia):
    with transaction.atomic():
        event = record(mia, Verb.TOKEN_CREATED, mia)

    assert event.chain == "installation"


def test_newlines_bidi_and_long_reasons_stay_one_event(project):
    hostile = "line\nbreak \u202e reversed \x1b[31m" + "x" * 100_000
    with transaction.atomic():
        event = record(None, Verb.DATASET_CREATED, project, project=project.uuid, reason=hostile)

    assert json.loads(event.canonical)["payload"]["reason"] == hostile
    assert "\n" not in event.canonical
