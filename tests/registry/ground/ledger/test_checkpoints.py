"""What was signed stays: rows and files say the same, none is missing, none contradicts, and no tail waits
longer than its interval.
"""

import json
from datetime import timedelta
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone

from lifecycle.runtime import bundle
from registry.ground.ledger import checkpoints, keys
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Chain, Checkpoint, Event
from registry.ground.ledger.verbs import Verb
from tests.support.trail import behind_its_back, faults, found

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(project) -> str:
    """Signed at events 1 and 2, one line each."""
    sign(project)
    return str(project.uuid)


def sign(project) -> Checkpoint:
    checkpoints.sign_checkpoints()
    with transaction.atomic():
        record(None, Verb.DATASET_CREATED, project, project=project.uuid)
    return checkpoints.sign_checkpoints()[0]


@pytest.fixture
def file(chain, settings):  # of this test: what is kept lies elsewhere
    return checkpoints.checkpoint_file(chain)


def signed(**statement: object) -> str:
    return json.dumps(json.loads(bundle.sign_document(statement, keys.private_key_path())))


def forged(chain: str) -> str:
    """A statement with this installation's own signature that contradicts what was signed of event 1."""
    return signed(chain=chain, seq=1, hash="f" * 64, at="2026-01-01T00:00:00+00:00")


def test_each_state_of_a_chain_is_signed_once_as_a_row_and_a_line(chain, file):
    assert checkpoints.sign_checkpoints() == []
    rows = Checkpoint.objects.filter(chain=chain).order_by("pk")
    assert [row.seq for row in rows] == [1, 2]
    assert file.read_text().splitlines() == [row.document for row in rows]
    assert list(checkpoints.folder().glob("*.pending")) == []
    assert found() == []


@pytest.mark.parametrize("place", [0, 2], ids=["before", "after"])
def test_a_line_that_contradicts_another_is_found_wherever_it_is(chain, file, place):
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:place], forged(chain), *lines[place:]]) + "\n")

    assert found() == [("checkpoints-contradict", f"{file}, line {place + 1}")]


def test_a_row_that_contradicts_the_files_is_found(chain, file):
    row = Checkpoint.objects.earliest("pk")
    behind_its_back("UPDATE ledger_checkpoint SET document = %s WHERE id = %s", forged(chain), row.pk)

    assert found() == [
        ("checkpoint-altered", f"checkpoint {row.uuid}"),
        ("checkpoints-contradict", f"{file}, line 1"),
        ("chain-replaced", f"chain {chain}, event 1"),
    ]


@pytest.mark.postgres
def test_altered_columns_of_a_row_are_found(chain):
    row = Checkpoint.objects.latest("pk")
    behind_its_back(
        "UPDATE ledger_checkpoint SET at = %s WHERE id = %s", timezone.now() - timedelta(days=1), row.pk
    )

    assert found() == [("checkpoint-altered", f"checkpoint {row.uuid}")]


def test_a_row_without_a_signature_is_found(chain):
    row = Checkpoint.objects.latest("pk")
    behind_its_back("UPDATE ledger_checkpoint SET document = '{}' WHERE id = %s", row.pk)

    assert found() == [("checkpoint-unreadable", f"checkpoint {row.uuid}")]


def test_a_deleted_file_is_found(chain, file):
    file.unlink()

    assert (
        faults()[0].detail
        == "The file is missing, with it 2 checkpoints with a row in the database, the first at event 1."
    )
    assert found() == [("checkpoint-not-on-disk", str(file))]


def test_a_deleted_line_is_found(chain, file):
    file.write_text(file.read_text().splitlines()[1] + "\n")

    assert (
        faults()[0].detail == "The file lacks 1 checkpoint with a row in the database, the first at event 1."
    )


def test_a_deleted_row_is_found(chain, file):
    behind_its_back("DELETE FROM ledger_checkpoint WHERE chain = %s AND seq = 2", chain)

    assert found() == [("checkpoint-not-in-database", f"{file}, line 2")]


def test_a_row_and_a_line_that_are_both_missing_are_found_by_a_kept_copy(chain, file, tmp_path):
    kept = tmp_path / "kept.jsonl"
    kept.write_text(file.read_text())
    file.unlink()
    behind_its_back("DELETE FROM ledger_checkpoint WHERE chain = %s", chain)

    assert found() == []  # no trace of it is left here; ten minutes later the tail is late
    assert found([kept]) == [
        ("checkpoint-not-in-database", f"{kept}, line 1"),
        ("checkpoint-not-in-database", f"{kept}, line 2"),
    ]


@pytest.mark.parametrize("line", ["{}", "no json", '{"document": {}, "signature": {}}'])
def test_a_line_that_was_altered_is_found(chain, file, line):
    file.write_text(file.read_text() + line + "\n")

    assert found() == [("checkpoint-unreadable", f"{file}, line 3")]


def test_something_else_that_the_key_signed_is_no_checkpoint(chain, file):
    file.write_text(file.read_text() + signed(epoch=4, routes=[]) + "\n")

    assert found() == [("checkpoint-unreadable", f"{file}, line 3")]


def at(moment):
    return mock.patch("django.utils.timezone.now", return_value=moment)


@pytest.mark.postgres
def test_a_tail_that_waits_longer_than_its_interval_is_found_and_shown(project, chain, aida, client_for):
    checkpoints.sign_checkpoints()
    with transaction.atomic():
        event = record(None, Verb.DATASET_CREATED, project, project=project.uuid)
    page = client_for(aida).get("/audit/")
    assert (found(), page.context["late"], 'class="note warn"' in page.content.decode()) == ([], False, False)

    with at(event.at + checkpoints.LATE + timedelta(seconds=1)):
        late = found()
        page = client_for(aida).get("/audit/")

    assert late == [("tail-unsigned", f"chain {chain}, event {event.seq}")]
    assert (page.context["late"], 'class="note warn"' in page.content.decode()) == (True, True)


def test_a_chain_that_was_never_signed_is_late_too(project):
    with at(timezone.now() + checkpoints.LATE + timedelta(minutes=1)):
        assert ("tail-unsigned", f"chain {project.uuid}, event 1") in found()


class Died(BaseException):
    """The process ended here."""


STEPS = {
    "after the marker": "registry.ground.ledger.models.Checkpoint.save",
    "after the row": "registry.ground.ledger.checkpoints.append",
}


@pytest.mark.parametrize("died", STEPS)
def test_what_a_process_died_in_is_no_fault_and_the_next_signing_ends_it(project, chain, file, died):
    with transaction.atomic():
        record(None, Verb.DATASET_CREATED, project, project=project.uuid)
    with mock.patch(STEPS[died], side_effect=Died), pytest.raises(Died):
        checkpoints.sign_checkpoints()

    assert found() == []
    checkpoints.sign_checkpoints()

    assert found() == []
    assert [json.loads(line)["document"]["seq"] for line in file.read_text().splitlines()] == [1, 2, 3]
    assert list(checkpoints.folder().glob("*.pending")) == []


def test_a_line_that_a_process_died_in_is_completed(project, chain, file):
    row = Checkpoint.objects.latest("pk")
    whole = file.read_text()
    file.write_text(whole[:-200])
    checkpoints.marker(row.uuid).touch()

    checkpoints.sign_checkpoints()

    assert file.read_text() == whole
    assert found() == []


def test_a_marker_excuses_the_newest_checkpoint_alone(chain, file):
    file.unlink()
    for row in Checkpoint.objects.all():
        checkpoints.marker(row.uuid).touch()

    assert (
        faults()[0].detail
        == "The file is missing, with it 1 checkpoint with a row in the database, the first at event 1."
    )


@pytest.mark.parametrize("name", ["!", "../../elsewhere", "00000000-0000-0000-0000-000000000000"])
def test_a_chain_without_events_is_not_signed_and_does_not_block_others(project, chain, name):
    Chain.objects.create(name=name, seq=1)
    with transaction.atomic():
        record(None, Verb.DATASET_CREATED, project, project=project.uuid)

    assert [row.chain for row in checkpoints.sign_checkpoints()] == [chain]
    assert found() == [("head-differs", f"chain {name}, event 1")]
    Chain.objects.filter(name=name).delete()
    assert (checkpoints.sign_checkpoints(), found(), list(checkpoints.folder().glob("*.pending"))) == (
        [],
        [],
        [],
    )


def test_a_head_that_is_no_event_is_not_signed(project, chain):
    """It would keep the chain from being signed until it is longer than that."""
    Chain.objects.filter(name=chain).update(seq=10**9)
    assert checkpoints.sign_checkpoints() == []

    Chain.objects.filter(name=chain).update(seq=2)
    with transaction.atomic():
        record(None, Verb.DATASET_CREATED, project, project=project.uuid)

    assert ([row.seq for row in checkpoints.sign_checkpoints()], found()) == ([3], [])


def test_a_marker_of_what_has_no_file_is_taken_away_and_its_row_is_a_fault(project, chain):
    row = Checkpoint.objects.create(
        chain="!", seq=1, hash="f" * 64, at=timezone.now(), document=signed(chain="!")
    )
    checkpoints.marker(row.uuid).touch()
    with transaction.atomic():
        record(None, Verb.DATASET_CREATED, project, project=project.uuid)

    assert [row.chain for row in checkpoints.sign_checkpoints()] == [chain]
    assert list(checkpoints.folder().glob("*.pending")) == []
    assert found() == [
        ("checkpoint-unreadable", f"checkpoint {row.uuid}"),
        ("checkpoint-not-on-disk", "chain !"),
    ]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_signed_in_a_transaction_that_may_fail(project):
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        checkpoints.sign_checkpoints()

    assert (Checkpoint.objects.count(), list(checkpoints.folder().glob("*.jsonl"))) == (0, [])


def test_what_is_recorded_while_a_chain_is_walked_is_walked_too(project, chain):
    heads = iter([True])

    def head(self):
        if next(heads, False):
            with transaction.atomic():
                record(None, Verb.DATASET_CREATED, project, project=project.uuid)
        return original(self)

    original = type(Chain.objects.all()).first
    with mock.patch("django.db.models.query.QuerySet.first", autospec=True, side_effect=head):
        from registry.ground.ledger.verify import check_chain

        assert [str(part) for part in check_chain(chain, {}, [])] == [f"{chain}: 3 events, whole."]
    assert Event.objects.filter(chain=chain).count() == 3
