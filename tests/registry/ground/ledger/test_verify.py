"""Whatever is done to a chain behind its back, verification names the rule that was broken and the first
event that does not fit.
"""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from lifecycle.runtime import bundle
from registry.ground.ledger import checkpoints, rules
from registry.ground.ledger.actions import record
from registry.ground.ledger.faults import Rule
from registry.ground.ledger.models import Chain, Checkpoint, Event, Name
from registry.ground.ledger.verbs import Verb
from tests.support.trail import behind_its_back, found, rewrite

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(project) -> str:
    for number in range(5):
        with transaction.atomic():
            record(None, Verb.DATASET_CREATED, project, project=project.uuid, number=number)
    return str(project.uuid)


def at(chain: str, seq: int) -> str:
    return f"chain {chain}, event {seq}"


def test_an_untouched_chain_is_whole(chain):
    assert found() == []


def test_an_altered_payload_is_found(chain):
    event = Event.objects.get(chain=chain, seq=3)
    behind_its_back(
        "UPDATE ledger_event SET canonical = %s WHERE id = %s",
        event.canonical.replace('"number":1', '"number":9'),
        event.pk,
    )

    assert found() == [("event-altered", at(chain, 3))]


def test_an_altered_column_is_found_though_the_bytes_are_whole(chain):
    behind_its_back("UPDATE ledger_event SET actor = 'someone else' WHERE chain = %s AND seq = 4", chain)

    assert found() == [("columns-differ", at(chain, 4))]


def test_an_altered_event_whose_hash_was_recomputed_breaks_the_next_one(chain):
    event = Event.objects.get(chain=chain, seq=3)
    forged = event.canonical.replace('"number":1', '"number":9')
    behind_its_back(
        "UPDATE ledger_event SET canonical = %s, hash = %s WHERE id = %s",
        forged,
        rules.event_hash(forged),
        event.pk,
    )

    assert found() == [("event-out-of-order", at(chain, 4))]


def test_an_altered_hash_of_the_previous_event_is_found_though_the_bytes_are_whole(chain):
    behind_its_back(
        "UPDATE ledger_event SET previous_hash = %s WHERE chain = %s AND seq = 4", "f" * 64, chain
    )

    assert found() == [("event-out-of-order", at(chain, 4))]


def test_a_last_event_whose_bytes_follow_another_one_is_found(chain):
    event = Event.objects.get(chain=chain, seq=6)
    forged = event.canonical.replace(event.previous_hash, "f" * 64)
    hashed = rules.event_hash(forged)
    behind_its_back(
        "UPDATE ledger_event SET canonical = %s, hash = %s WHERE id = %s", forged, hashed, event.pk
    )
    Chain.objects.filter(name=chain).update(hash=hashed)

    assert found() == [("event-out-of-order", at(chain, 6))]


def test_a_missing_event_is_found(chain):
    behind_its_back("DELETE FROM ledger_event WHERE chain = %s AND seq = 2", chain)

    assert found() == [("event-missing", at(chain, 2))]


def test_swapped_events_are_found(chain):
    behind_its_back("UPDATE ledger_event SET seq = 99 WHERE chain = %s AND seq = 2", chain)
    behind_its_back("UPDATE ledger_event SET seq = 2 WHERE chain = %s AND seq = 3", chain)
    behind_its_back("UPDATE ledger_event SET seq = 3 WHERE chain = %s AND seq = 99", chain)

    assert found() == [("event-out-of-order", at(chain, 2))]


def test_an_event_behind_the_head_is_found(chain):
    behind_its_back("UPDATE ledger_chain SET seq = 5 WHERE name = %s", chain)

    assert found() == [("head-differs", at(chain, 7))]


def cut_tail(chain: str, after: int) -> None:
    behind_its_back("DELETE FROM ledger_event WHERE chain = %s AND seq > %s", chain, after)
    last = Event.objects.get(chain=chain, seq=after)
    Chain.objects.filter(name=chain).update(seq=last.seq, hash=last.hash)


def test_a_cut_tail_is_found_by_a_signed_checkpoint_and_only_by_it(chain):
    cut_tail(chain, 5)
    assert found() == []

    checkpoints.sign_checkpoints()
    cut_tail(chain, 3)

    assert found() == [("tail-cut", at(chain, 4))]


def replace(chain: str, project) -> None:
    """The same number of events, of which all but the first say something else."""
    length = Chain.objects.get(name=chain).seq
    behind_its_back("DELETE FROM ledger_name")
    behind_its_back("DELETE FROM ledger_event WHERE chain = %s", chain)
    Chain.objects.filter(name=chain).update(seq=0, hash="0" * 64)
    with transaction.atomic():
        record(None, Verb.PROJECT_CREATED, project, project=project.uuid, slug=project.slug)
    for _ in range(length - 1):
        with transaction.atomic():
            record(None, Verb.DATASET_CREATED, project, project=project.uuid)


def test_a_replaced_chain_is_found_by_a_signed_checkpoint(chain, project):
    replace(chain, project)
    assert found() == []

    checkpoints.sign_checkpoints()
    replace(chain, project)

    assert found() == [("chain-replaced", at(chain, 6))]


def write_event(chain: str, *, project: str | None, **payload: object) -> None:
    """The first event of a chain, as written into the tables by someone who knows how it is hashed."""
    document = {
        "chain": chain,
        "seq": 1,
        "at": timezone.now().isoformat(timespec="microseconds"),
        "verb": Verb.DATASET_CREATED,
        "actor": "system",
        "object_type": "datasets.dataset",
        "object_id": chain,
        "project": project,
        "payload": {},
        "names": {},
        "form": rules.FORM,
        "previous": rules.GENESIS,
        **payload,
    }
    canonical = bundle.canonical_json(document).decode()
    columns = {
        name: document[name]
        for name in ("chain", "seq", "at", "verb", "actor", "object_type", "object_id", "project")
    }
    made = Event.objects.create(
        **columns, canonical=canonical, previous_hash=rules.GENESIS, hash=rules.event_hash(canonical)
    )
    Chain.objects.create(name=chain, seq=1, hash=made.hash)


def test_a_chain_that_does_not_begin_with_its_project_is_found(chain):
    made_up = "00000000-0000-0000-0000-000000000000"
    write_event(made_up, project=made_up)

    assert found() == [("wrong-chain", at(made_up, 1))]


def test_a_chain_that_begins_with_the_creation_of_another_project_is_found(chain):
    made_up = "00000000-0000-0000-0000-000000000000"
    write_event(made_up, project=made_up, verb=Verb.PROJECT_CREATED, object_id=chain)

    assert ("wrong-chain", at(made_up, 1)) in found()


def test_a_chain_whose_project_is_not_there_is_found(chain):
    made_up = "00000000-0000-0000-0000-000000000000"
    write_event(made_up, project=made_up, verb=Verb.PROJECT_CREATED, payload={"slug": "made-up"})

    assert found() == [("not-in-database", f"projects, {made_up}")]


@pytest.mark.parametrize("about", [None, "11111111-1111-1111-1111-111111111111"])
def test_an_event_in_a_chain_that_is_not_its_projects_is_found(chain, about):
    made_up = "00000000-0000-0000-0000-000000000000"
    write_event(made_up, project=about)

    assert ("wrong-chain", at(made_up, 1)) in found()


@pytest.mark.parametrize(
    ("form", "rule"),
    [(0, "event-of-unknown-form"), (rules.FORM + 1, "event-of-unknown-form"), (True, "event-altered")],
)
def test_an_event_of_another_form_is_found(chain, project, form, rule):
    """Another form may state less, and would accept any content of a row."""
    rewrite(chain, lambda document: document | ({"form": form} if document["seq"] == 3 else {}))

    assert found() == [(rule, at(chain, 3))]


@pytest.mark.parametrize("part", ["form", "names"])
def test_an_event_without_form_or_names_is_none(chain, project, part):
    rewrite(chain, lambda document: {key: value for key, value in document.items() if key != part})

    assert ("event-altered", at(chain, 1)) in found()


def test_an_event_that_is_no_event_is_found_though_its_hash_fits(chain):
    for text in ("no JSON", "[]", '{"at": "never"}', "[" * 10_000):
        behind_its_back(
            "UPDATE ledger_event SET canonical = %s, hash = %s WHERE chain = %s AND seq = 3",
            text,
            rules.event_hash(text),
            chain,
        )

        assert found() == [("event-altered", at(chain, 3))]


def test_a_date_at_the_beginning_of_time_is_a_fault_and_no_end_of_the_verification(chain, project):
    """Of the second event, where nothing was signed, and with another one after it."""
    first = "0001-01-01T00:00:00.000000+00:00"
    rewrite(chain, lambda document: document | ({"at": first} if document["seq"] == 2 else {}))
    behind_its_back(
        "UPDATE ledger_event SET at = %s WHERE chain = %s AND seq = 2", first.replace("T", " "), chain
    )
    checkpoints.sign_checkpoints()

    assert found() == [("dated-back", at(chain, 2))]


ALTERED = [("event-altered", "chain {chain}, event 3")]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL refuses such values")
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("UPDATE ledger_event SET canonical = CAST(x'ff' AS TEXT) WHERE seq = 3 AND chain = %s", ALTERED),
        ("UPDATE ledger_event SET canonical = x'7b7d' WHERE seq = 3 AND chain = %s", ALTERED),
        (
            "UPDATE ledger_event SET at = 'never' WHERE chain = %s AND seq = 3",
            [("row-unreadable", "{chain}")],
        ),
        ("UPDATE ledger_chain SET seq = 'many' WHERE name = %s", [("row-unreadable", "{chain}")]),
        (
            "UPDATE ledger_checkpoint SET at = 'never' WHERE chain = %s",
            [("checkpoint-altered", "checkpoint {uuid}")],
        ),
        (
            "UPDATE ledger_checkpoint SET uuid = 'none' WHERE chain = %s",
            [("row-unreadable", "checkpoints, row {checkpoint}")],
        ),
        (
            "UPDATE ledger_name SET text = x'ff' WHERE subject = %s",
            [("name-altered", "name {name} of {chain}")],
        ),
        (
            "UPDATE access_project SET uuid = 'none' WHERE 'x' <> %s",
            [("not-in-database", "projects, {chain}"), ("row-unreadable", "projects, row {project}")],
        ),
    ],
)
def test_one_damaged_value_is_one_fault_and_all_else_is_verified(chain, project, damage, expected):
    checkpoints.sign_checkpoints()
    signed, name = Checkpoint.objects.get(chain=chain), Name.objects.get(subject=chain)
    places = {
        "chain": chain,
        "project": project.pk,
        "name": name.pk,
        "checkpoint": signed.pk,
        "uuid": signed.uuid,
    }
    elsewhere = ("head-differs", at("installation", Chain.objects.get(name="installation").seq + 1))
    Chain.objects.filter(name="installation").update(seq=99)
    behind_its_back(damage, chain)

    assert sorted(found()) == sorted(
        [elsewhere, *((rule, where.format(**places)) for rule, where in expected)]
    )


@pytest.mark.postgres
def test_the_command_reports_what_it_walked(chain):
    checkpoints.sign_checkpoints()
    out = io.StringIO()

    call_command("verify_audit", stdout=out)

    installation = Event.objects.filter(chain="installation").count()
    assert out.getvalue().splitlines() == [
        "checkpoints: 2 signed statements, whole.",
        f"{chain}: 6 events, whole.",
        f"installation: {installation} events, whole.",
        f"names: {Name.objects.count()} names, whole.",
        "API tokens: 0 compared with the audit log, whole.",
        "base models: 0 compared with the audit log, whole.",
        "cards: 0 compared with the audit log, whole.",
        "endpoint settings: 0 compared with the audit log, whole.",
        "endpoint tokens: 0 compared with the audit log, whole.",
        "endpoints: 0 compared with the audit log, whole.",
        "evaluations: 0 compared with the audit log, whole.",
        "models: 0 compared with the audit log, whole.",
        "people: 0 compared with the audit log, whole.",
        "policies: 1 compared with the audit log, whole.",
        "projects: 1 compared with the audit log, whole.",
        "promotions: 0 compared with the audit log, whole.",
        "rollouts: 0 compared with the audit log, whole.",
        "runs: 0 compared with the audit log, whole.",
        "snapshots: 0 compared with the audit log, whole.",
        "versions: 0 compared with the audit log, whole.",
    ]


def test_the_command_fails_and_names_rule_and_place(chain):
    behind_its_back("DELETE FROM ledger_event WHERE chain = %s AND seq = 2", chain)
    out, err = io.StringIO(), io.StringIO()

    with pytest.raises(CommandError, match="1 fault"):
        call_command("verify_audit", stdout=out, stderr=err)

    assert err.getvalue() == f"event-missing at {at(chain, 2)}: The next one found is 3.\n"
    assert f"{chain}: 1 events, 1 fault." in out.getvalue()


def test_the_runbook_explains_every_rule(settings):
    text = (settings.BASE_DIR / "docs" / "runbooks" / "audit-fault.md").read_text(encoding="utf-8")

    assert [str(rule) for rule in Rule if f"| `{rule}` |" not in text] == []


def test_a_file_that_is_not_there_is_no_checkpoint(chain, tmp_path):
    with pytest.raises(CommandError, match="kept.jsonl"):
        call_command("verify_audit", checkpoint=[tmp_path / "kept.jsonl"])
