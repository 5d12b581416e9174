"""A name is bound to its events: it can be erased, but not altered; renamed people keep their former name
there.
"""

import json

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry.audit import queries
from registry.ground.ledger import rules, verify
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Event, Name
from registry.ground.ledger.verbs import Verb
from tests.support.trail import behind_its_back, found

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def event(project, mia) -> Event:
    with transaction.atomic():
        return record(mia, Verb.DATASET_CREATED, project, project=project.uuid)


def name_of(person) -> Name:
    return Name.objects.get(subject=str(person.uuid))


def test_an_event_is_hashed_with_digests_of_its_names_and_holds_neither_name_nor_salt(event, project, mia):
    document = json.loads(event.canonical)

    assert document["form"] == rules.FORM
    assert document["names"] == {"actor": name_of(mia).digest, "object": name_of(project).digest}
    assert rules.name_digest(name_of(mia).salt, "Mia") == name_of(mia).digest
    assert not any(kept in event.canonical for kept in ("Mia", name_of(mia).salt))


def test_the_same_name_is_kept_once(event, project, mia):
    with transaction.atomic():
        again = record(mia, Verb.DATASET_CREATED, project, project=project.uuid)

    assert json.loads(again.canonical)["names"] == json.loads(event.canonical)["names"]
    assert Name.objects.filter(subject__in=[str(mia.uuid), str(project.uuid)]).count() == 2


def test_who_is_both_actor_and_object_has_one_name(mia):
    with transaction.atomic():
        event = record(mia, Verb.TOKEN_CREATED, mia)

    assert set(json.loads(event.canonical)["names"].values()) == {name_of(mia).digest}


def test_who_was_renamed_is_read_as_they_were_called_then(event, project, mia):
    mia.display_name = "Maria"
    mia.save()
    with transaction.atomic():
        later = record(mia, Verb.DATASET_CREATED, project, project=project.uuid)

    assert [line.actor for line in queries.lines([event, later])] == ["Mia", "Maria"]
    assert found() == []


ANOTHER = "(SELECT MIN(id) FROM ledger_event)"
FORGERIES = {
    "the text": "UPDATE ledger_name SET text = 'Lee' WHERE subject = %s",
    "text and event": f"UPDATE ledger_name SET text = 'Lee', event_id = {ANOTHER} WHERE subject = %s",
    "text, event and salt": (
        f"UPDATE ledger_name SET text = 'Lee', event_id = {ANOTHER}, salt = '' WHERE subject = %s"
    ),
    "a name more": (
        f"INSERT INTO ledger_name (subject, text, salt, event_id) VALUES (%s, 'Lee', '', {ANOTHER})"
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_an_altered_name_is_found_and_not_shown(event, mia, forgery):
    behind_its_back(FORGERIES[forgery], str(mia.uuid))

    assert [rule for rule, _ in found()] == ["name-altered"]
    assert queries.lines([event])[0].actor in ("Mia", str(mia.uuid)[:8])


def test_a_name_is_not_given_to_another_person(event, mia, lee):
    behind_its_back("UPDATE ledger_name SET subject = %s WHERE subject = %s", str(lee.uuid), str(mia.uuid))

    assert ("name-altered", f"name {Name.objects.get(text='Mia').pk} of {lee.uuid}") in found()


def test_an_erased_name_leaves_a_trail_that_verifies(event, mia):
    Name.objects.filter(subject=str(mia.uuid)).delete()

    assert found() == []
    assert queries.lines([event])[0].actor == str(mia.uuid)[:8]


def test_names_are_looked_up_together(project, otto, mia):
    counted = []
    for people in ((otto,), (otto, mia)):
        with transaction.atomic():
            for person in people:
                record(person, Verb.DATASET_CREATED, project, project=project.uuid)
        with CaptureQueriesContext(connection) as statements:
            list(verify.check_names())
        counted.append(len(statements))

    assert counted[0] == counted[1]
