"""A model card is signed with its version's key: one altered byte is found on the page, by verification, at
the gate and in an export.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime import bundle
from registry.catalog import actions, queries, signed_cards
from registry.catalog.models import Card, ModelVersion
from registry.catalog.trail import stored_card_facts
from registry.ground.ledger import keys
from registry.ground.ledger.models import Event
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from tests.support import registry
from tests.support.jobs import run_jobs
from tests.support.trail import behind_its_back, faults
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(project, mia, ravi) -> ModelVersion:
    return registry.make_version(project, mia, ravi)


@pytest.fixture
def other(version, mia) -> ModelVersion:
    return registry.make_version(version.model.project, mia, mia, semver="1.1.0", model=version.model)


def alter(card: Card, **columns: object) -> None:
    for name, value in columns.items():
        behind_its_back(f"UPDATE catalog_card SET {name} = %s WHERE id = %s", value, card.pk)


def one_byte(text: str) -> str:
    return f"{text[:-2]}{chr(ord(text[-2]) ^ 1)}{text[-1]}"


def test_every_revision_carries_a_signature_that_holds(version, mia):
    first = queries.newest_card(version)

    second = actions.edit_card(version=version, stated={"purpose": "Other."}, seen=first.digest, actor=mia)

    assert [card.key_fingerprint for card in (first, second)] == [
        bundle.fingerprint(keys.public_key_path())
    ] * 2
    assert [signed_cards.problem(card) for card in (first, second)] == ["", ""]
    event = Event.objects.get(verb="catalog.card_changed")
    assert json.loads(event.canonical)["payload"]["card_signature"] == signed_cards.digest_of(
        second.signature
    )
    assert faults() == []


@pytest.mark.postgres
@pytest.mark.parametrize(
    "column", ["text", "text and digest", "stated", "revision", "signature", "a card of another version"]
)
def test_an_altered_card_is_found_by_its_signature_and_by_the_audit(version, request, column):
    card = queries.newest_card(version)
    text = one_byte(card.text)
    if column == "a card of another version":
        strange = queries.newest_card(request.getfixturevalue("other"))
        alter(card, text=strange.text, digest=strange.digest, signature=strange.signature)
    else:
        changes = {
            "text": {"text": text},
            "text and digest": {"text": text, "digest": signed_cards.digest_of(text)},
            "stated": {"stated": '{"purpose": "Other."}'},
            "revision": {"revision": 7},
            "signature": {"signature": one_byte(card.signature)},
        }
        alter(card, **changes[column])
    card = queries.newest_card(version)

    assert (
        signed_cards.problem(card) == f"Revision {card.revision} of the model card was changed after signing."
    )
    with refused(naming=(signed_cards.problem(card),)):
        actions.verify(version)
    assert {fault.where for fault in faults()} == {f"cards, {version.uuid}"}
    assert ModelVersion.objects.get(pk=version.pk).state == "active"


def test_a_signature_that_was_taken_away_is_missed_everywhere(version, mia):
    alter(queries.newest_card(version), signature="", key_fingerprint="")

    assert signed_cards.is_altered(queries.newest_card(version))
    with refused():
        actions.ask_export(version=version, actor=mia)
    assert any("card revision 1 has a signature" in fault.detail for fault in faults())


def test_an_altered_card_is_not_exported(version, mia):
    card = queries.newest_card(version)
    alter(card, text=one_byte(card.text))

    with refused() as refusal:
        actions.ask_export(version=version, actor=mia)

    assert refusal.value.next_step == signed_cards.RESTORE
    assert not Event.objects.filter(verb="catalog.exported").exists()


def test_an_altered_card_is_shown_as_such_and_its_verification_fails(version, mia, client_for):
    card, client = queries.newest_card(version), client_for(mia)
    assert client.get(f"/models/versions/{version.uuid}/").context["card_problem"] == ""
    alter(card, text=one_byte(card.text))

    actions.ask_verification(version=version, actor=mia)
    run_jobs("default")

    assert (
        client.get(f"/models/versions/{version.uuid}/")
        .context["card_problem"]
        .startswith("Revision 1 of the model card was changed")
    )
    assert Job.objects.get(kind="catalog.verify").state == State.FAILED


def test_a_card_without_its_signature_is_signed_by_saving_it(version, mia):
    card = queries.newest_card(version)
    alter(card, signature="", key_fingerprint="")

    again = actions.edit_card(version=version, stated=card.stated, seen=card.digest, actor=mia)

    assert (again.revision, again.stated, signed_cards.problem(again)) == (2, card.stated, "")
    with refused():
        actions.edit_card(version=version, stated=card.stated, seen=again.digest, actor=mia)
    assert Card.objects.count() == 2


@pytest.mark.postgres
def test_no_card_is_written_from_facts_that_were_changed(version, mia):
    first = queries.newest_card(version)
    facts = json.loads(json.dumps(version.facts))
    facts["evaluation"]["metrics"]["macro_f1"]["value"] = 0.999
    behind_its_back("UPDATE catalog_modelversion SET facts = %s WHERE id = %s", json.dumps(facts), version.pk)
    changed = ModelVersion.objects.get(pk=version.pk)

    with refused(match="changed after it was registered"):
        actions.edit_card(version=changed, stated={"purpose": "Other."}, seen=first.digest, actor=mia)
    with refused():
        actions.verify(changed)

    assert [card.text for card in Card.objects.all()] == [first.text]
    behind_its_back(
        "UPDATE catalog_modelversion SET facts = %s WHERE id = %s", json.dumps(version.facts), version.pk
    )
    again = ModelVersion.objects.get(pk=version.pk)
    assert (
        actions.edit_card(version=again, stated={"purpose": "Other."}, seen=first.digest, actor=mia).revision
        == 2
    )


def test_a_version_page_asks_the_same_for_many_revisions_and_verifies_the_newest_once(
    version, mia, client_for, monkeypatch
):
    client, page = client_for(mia), f"/models/versions/{version.uuid}/"
    client.get(page)
    with CaptureQueriesContext(connection) as one:
        client.get(page)
    for at in range(3):
        actions.edit_card(
            version=version,
            stated={"purpose": f"Purpose {at}."},
            seen=queries.newest_card(version).digest,
            actor=mia,
        )
    verified, holds = [], signed_cards.holds
    monkeypatch.setattr(
        signed_cards, "holds", lambda content: verified.append(len(content)) or holds(content)
    )

    with CaptureQueriesContext(connection) as four:
        client.get(page)
        client.get(page)

    assert (len(four) - 2 * len(one), verified) == (0, [3])


def test_the_audit_asks_the_same_for_one_unsigned_card_and_for_many(version, other):
    for each in (version, other):
        alter(queries.newest_card(each), signature="", key_fingerprint="")
    asked = []
    for versions in ([version], [version, other]):
        with CaptureQueriesContext(connection) as found:
            held = stored_card_facts([str(each.uuid) for each in versions])
        asked.append(len(found))

    assert asked == [1, 1]
    assert all("card revision 1 isn't what was signed" in held[str(each.uuid)] for each in (version, other))


def test_the_public_tool_verifies_the_card_of_an_export(version, mia, tmp_path):
    with registry.exported(version, mia) as packed, zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path)
    card = tmp_path / "card"
    command = [sys.executable, "-m", "model_signing", "verify", "key", "--signature", "card/model.sig"]
    command += ["--public_key", "signing.pub.pem", "card"]

    assert sorted(path.name for path in card.iterdir()) == ["README.md", "card.json", "model.sig"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (card / "README.md").write_text(one_byte((card / "README.md").read_text()))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_an_altered_card_keeps_a_request_from_review(version, mia):
    endpoint = registry.make_endpoint(version.model, mia)
    card = queries.newest_card(version)
    alter(card, text=one_byte(card.text))

    registry.asked_request(version, endpoint, mia)

    asked = PromotionRequest.objects.get()
    assert (asked.status, asked.gates.get(gate="signature").status) == ("draft", "failed")


def test_a_card_that_is_altered_after_the_check_changes_what_was_approved(version, mia):
    asked = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)
    card = queries.newest_card(version)
    alter(card, text=one_byte(card.text))

    assert promotions.review_open() == 1

    asked.refresh_from_db()
    assert (asked.status, asked.reason) == ("voided", "Changed since the last gate check: the model card.")
