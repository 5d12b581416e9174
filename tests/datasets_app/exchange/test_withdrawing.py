"""Authors withdraw their open proposals; uploaders or leads discard a file of corrections that needs
review.
"""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.exchange.actions.corrections.reviewing import (
    accept_corrections,
    discard_corrections,
    upload_corrections,
)
from datasets_app.exchange.models import Correction
from datasets_app.schemas.actions.proposals import decline_proposal, propose_change, withdraw_proposal
from datasets_app.schemas.models import GuidelineProposal
from lifecycle.runtime.refusals import Conflict
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.support.datasets import import_texts
from tests.support.datasets import make_dataset as empty_dataset
from tests.support.jobs import run_ok
from tests.support.labeling import make_dataset, make_schema
from tests.support.people import make_person
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


def events(verb: str) -> list[dict]:
    return [json.loads(event.canonical) for event in Event.objects.filter(verb=verb)]


# ── Proposals ───────────────────────────────────────────────────────────────
@pytest.fixture
def proposal(project, ana, mia) -> GuidelineProposal:
    dataset = make_dataset(project, mia, ["one"])
    make_schema(dataset, mia)
    return propose_change(dataset_id=dataset.uuid, actor=ana, text="Fees are billing.")


def withdraw(proposal, actor):
    return withdraw_proposal(proposal_id=proposal.uuid, actor=actor)


def test_an_open_proposal_is_withdrawn_by_its_author_once(proposal, ana):
    withdraw(proposal, ana)
    withdraw(proposal, ana)

    proposal.refresh_from_db()
    assert (proposal.state, proposal.closed_by, proposal.reason) == ("withdrawn", ana, "")
    assert [event["actor"] for event in events("labeling.proposal_withdrawn")] == [str(ana.uuid)]


@pytest.mark.parametrize("name", ["ben", "mia", "lee", "omar"])
def test_other_people_cannot_withdraw_it(proposal, name, request):
    with pytest.raises(PermissionDenied):
        withdraw(proposal, request.getfixturevalue(name))
    proposal.refresh_from_db()
    assert proposal.state == "open"
    assert events("labeling.proposal_withdrawn") == []


def test_an_answered_proposal_cannot_be_withdrawn_nor_a_withdrawn_one_answered(proposal, ana, mia):
    other = propose_change(dataset_id=proposal.dataset.uuid, actor=ana, text="Another.")
    decline_proposal(proposal_id=other.uuid, actor=mia, reason="No.")
    with pytest.raises(Conflict):
        withdraw(other, ana)
    other.refresh_from_db()
    assert other.state == "declined"
    withdraw(proposal, ana)
    with refused(by=Conflict, naming=("withdrawn",)):
        decline_proposal(proposal_id=proposal.uuid, actor=mia, reason="No.")
    proposal.refresh_from_db()
    assert (proposal.state, proposal.reason) == ("withdrawn", "")
    assert len(events("labeling.proposal_withdrawn")) == 1


@pytest.mark.postgres
def test_a_withdrawn_proposal_is_no_longer_listed_and_may_be_made_again(proposal, ana, mia, client_for):
    url = reverse("schemas:schema", args=[proposal.dataset.uuid])
    assert "Fees are billing." in client_for(mia).get(url).content.decode()
    withdraw_url = reverse("schemas:withdraw_proposal", args=[proposal.uuid])
    assert f'action="{withdraw_url}"' in client_for(ana).get(url).content.decode()
    sent = client_for(ana).post(withdraw_url)

    assert (sent.status_code, sent["Location"]) == (302, url)
    assert "Fees are billing." not in client_for(mia).get(url).content.decode()
    own = client_for(ana).get(url).content.decode()
    assert f'id="proposal-{proposal.uuid}"' in own
    assert withdraw_url not in own
    again = propose_change(dataset_id=proposal.dataset.uuid, actor=ana, text="Fees are billing.")
    assert again != proposal


@pytest.mark.postgres
def test_the_api_withdraws_a_proposal(proposal, ana, ben, client_for):
    url = f"/api/v1/labeling/proposals/{proposal.uuid}/withdraw/"
    assert client_for(ben).post(url).status_code == 403
    assert client_for(ana).post(url).json()["state"] == "withdrawn"


# ── Files of corrections ────────────────────────────────────────────────────
@pytest.fixture
def correction(project, ana, ravi) -> Correction:
    dataset = empty_dataset(project, ana)
    import_texts(dataset, [("text 0", "card"), ("text 1", "cash")], ana)
    decision = dataset.items.get(text="text 0").decisions.get()
    row = {"item": decision.item.digest, "decision": decision.digest, "label": "cash"}
    made = upload_corrections(
        dataset=dataset, actor=ravi, content=[json.dumps(row).encode() + b"\n"], file_name="fixed.jsonl"
    )
    run_ok("default")
    made.refresh_from_db()
    assert made.state == "looked"
    return made


@pytest.fixture
def rose(project) -> User:
    return make_person("rose", project=project, role=Role.ADJUDICATOR)


def discard(correction, actor):
    return discard_corrections(correction_id=correction.uuid, actor=actor)


@pytest.mark.parametrize("name", ["ravi", "lee"])
def test_the_uploader_or_a_lead_discards_a_file_once(correction, name, request):
    actor = request.getfixturevalue(name)
    discard(correction, actor)
    discard(correction, actor)

    correction.refresh_from_db()
    assert (correction.state, correction.ended_at is not None) == ("discarded", True)
    (event,) = events("labeling.corrections_discarded")
    assert (event["actor"], event["payload"]["file"]) == (str(actor.uuid), correction.blob.digest)
    assert event["payload"]["uploaded_by"] == str(correction.uploaded_by.uuid)


@pytest.mark.parametrize("name", ["rose", "ana", "mia", "aida"])
def test_other_people_cannot_discard_it(correction, name, request):
    with pytest.raises(PermissionDenied):
        discard(correction, request.getfixturevalue(name))
    correction.refresh_from_db()
    assert correction.state == "looked"
    assert events("labeling.corrections_discarded") == []


def test_a_discarded_file_cannot_be_accepted_nor_a_written_one_discarded(correction, ravi):
    discard(correction, ravi)
    with refused(by=Conflict, naming=("discarded",)):
        accept_corrections(correction_id=correction.uuid, actor=ravi)
    assert Correction.objects.get().state == "discarded"
    Correction.objects.update(state="looked", ended_at=None)
    accept_corrections(correction_id=correction.uuid, actor=ravi)
    run_ok("default")
    with refused(by=Conflict, naming=("written",)):
        discard(correction, ravi)
    assert Correction.objects.get().state == "written"
    assert len(events("labeling.corrections_discarded")) == 1


@pytest.mark.postgres
def test_a_lead_may_view_and_discard_files_but_not_accept_them(correction, lee, ravi, client_for):
    client, page = client_for(lee), reverse("exchange:correction", args=[correction.uuid])
    listed = reverse("exchange:corrections", args=[correction.dataset.uuid])
    assert listed in client.get(reverse("schemas:schema", args=[correction.dataset.uuid])).content.decode()
    assert ['id="upload"' in client_for(person).get(listed).content.decode() for person in (lee, ravi)] == [
        False,
        True,
    ]
    accept_url = reverse("exchange:accept_corrections", args=[correction.uuid])
    discard_url = reverse("exchange:discard_corrections", args=[correction.uuid])
    shown, of_ravi = (client_for(person).get(page).content.decode() for person in (lee, ravi))
    assert (f'action="{discard_url}"' in shown, accept_url in shown) == (True, False)
    assert f'action="{accept_url}"' in of_ravi
    assert client.post(accept_url).status_code == 403

    sent = client.post(discard_url)
    assert (sent.status_code, sent["Location"]) == (302, listed)
    after = client_for(ravi).get(page)
    assert after.context["correction"].state == "discarded"
    assert discard_url not in after.content.decode()


@pytest.mark.postgres
def test_the_api_discards_a_file(correction, ravi, rose, client_for):
    url = f"/api/v1/labeling/corrections/{correction.uuid}/discard/"
    assert client_for(rose).post(url).status_code == 403
    assert client_for(ravi).post(url).json()["state"] == "discarded"
