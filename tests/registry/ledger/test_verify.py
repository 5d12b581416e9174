"""Whatever is done to the trail behind its back, verification names the first event that does not fit."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from registry.ledger import checkpoints, verify
from registry.ledger.actions import record
from registry.ledger.models import Chain, Event
from registry.ledger.verbs import Verb
from tests.support.flush import triggers_lifted

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(project) -> str:
    for number in range(5):
        with transaction.atomic():
            record(None, Verb.DATASET_CREATED, project, project=project.uuid, number=number)
    return str(project.uuid)


def behind_its_back(statement: str, *params) -> None:
    with triggers_lifted(connection), connection.cursor() as cursor:
        cursor.execute(statement, params)


def fault(chain: str, known=()) -> verify.Fault | None:
    return verify.verify_chain(chain, list(known))[1]


def test_an_untouched_chain_is_whole(chain):
    count, found = verify.verify_chain(chain, [])

    assert found is None
    assert count == Chain.objects.get(name=chain).seq


def test_an_altered_payload_is_found(chain):
    event = Event.objects.get(chain=chain, seq=3)
    behind_its_back("UPDATE ledger_event SET canonical = %s WHERE id = %s", event.canonical.replace('"number":1', '"number":9'), event.pk)

    assert fault(chain).seq == 3
    assert "altered" in fault(chain).detail


def test_an_altered_column_is_found_though_the_bytes_are_whole(chain):
    behind_its_back("UPDATE ledger_event SET actor = 'someone else' WHERE chain = %s AND seq = 4", chain)

    assert fault(chain).seq == 4
    assert "columns differ" in fault(chain).detail


def test_an_altered_event_whose_hash_was_mended_breaks_the_next_one(chain):
    event = Event.objects.get(chain=chain, seq=3)
    forged = event.canonical.replace('"number":1', '"number":9')
    behind_its_back("UPDATE ledger_event SET canonical = %s, hash = %s WHERE id = %s", forged, verify.rules.event_hash(forged), event.pk)

    assert fault(chain).seq == 4


def test_a_missing_event_is_found(chain):
    behind_its_back("DELETE FROM ledger_event WHERE chain = %s AND seq = 2", chain)

    assert fault(chain).seq == 2
    assert "missing" in fault(chain).detail


def test_swapped_events_are_found(chain):
    behind_its_back("UPDATE ledger_event SET seq = 99 WHERE chain = %s AND seq = 2", chain)
    behind_its_back("UPDATE ledger_event SET seq = 2 WHERE chain = %s AND seq = 3", chain)
    behind_its_back("UPDATE ledger_event SET seq = 3 WHERE chain = %s AND seq = 99", chain)

    assert fault(chain).seq == 2


def cut_tail(chain: str, after: int) -> None:
    behind_its_back("DELETE FROM ledger_event WHERE chain = %s AND seq > %s", chain, after)
    last = Event.objects.get(chain=chain, seq=after)
    Chain.objects.filter(name=chain).update(seq=last.seq, hash=last.hash)


def test_a_cut_tail_is_found_by_a_signed_checkpoint_and_only_by_it(chain, settings):
    checkpoints.sign_checkpoints()
    known = checkpoints.read_checkpoints(checkpoints.checkpoint_file(chain))

    cut_tail(chain, 3)

    assert fault(chain) is None
    assert fault(chain, known).seq == 4
    assert "cut off" in fault(chain, known).detail


def test_a_replaced_chain_is_found_by_a_signed_checkpoint(chain, project):
    checkpoints.sign_checkpoints()
    known = checkpoints.read_checkpoints(checkpoints.checkpoint_file(chain))
    length = Chain.objects.get(name=chain).seq

    behind_its_back("DELETE FROM ledger_event WHERE chain = %s", chain)
    Chain.objects.filter(name=chain).update(seq=0, hash="0" * 64)
    for _ in range(length):
        with transaction.atomic():
            record(None, Verb.DATASET_CREATED, project, project=project.uuid)

    assert fault(chain) is None
    assert "replaced" in fault(chain, known).detail


@pytest.mark.postgres
def test_the_command_says_that_a_whole_trail_is_whole(chain):
    checkpoints.sign_checkpoints()
    out = io.StringIO()

    call_command("verify_audit", stdout=out)

    assert f"{chain}: {Chain.objects.get(name=chain).seq} events, whole." in out.getvalue()


def test_the_command_fails_and_names_the_first_bad_event(chain):
    behind_its_back("DELETE FROM ledger_event WHERE chain = %s AND seq = 2", chain)
    err = io.StringIO()

    with pytest.raises(CommandError, match="1 of its chains"):
        call_command("verify_audit", stderr=err)

    assert f"{chain}: broken at event 2." in err.getvalue()


def test_an_altered_checkpoint_is_not_believed(chain):
    checkpoints.sign_checkpoints()
    path = checkpoints.checkpoint_file(chain)
    document = json.loads(path.read_text())
    document["document"]["seq"] += 1
    path.write_text(json.dumps(document) + "\n")

    with pytest.raises(CommandError, match="checkpoints do not hold"):
        call_command("verify_audit")


def test_a_chain_is_signed_once_for_each_state(chain):
    first = checkpoints.sign_checkpoints()

    assert checkpoints.sign_checkpoints() == []
    assert {c.chain for c in first} >= {chain}
    assert len(checkpoints.checkpoint_file(chain).read_text().splitlines()) == 1
