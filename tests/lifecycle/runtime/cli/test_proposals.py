"""Proposals to change a guideline are made, listed, taken up and declined from a shell."""

from __future__ import annotations

import json
import re

import pytest

from datasets_app.schemas.actions.proposals import propose_change
from datasets_app.schemas.models import GuidelineProposal, LabelSchema
from registry.ground.ledger.models import Event
from tests.support.labeling import make_dataset, make_schema


@pytest.fixture
def inbox(project, mia):
    dataset = make_dataset(project, mia, ["one"])
    make_schema(dataset, mia)
    return dataset


@pytest.fixture
def proposal(inbox, ana):
    return propose_change(dataset_id=inbox.uuid, actor=ana, text="Say what a card is.")


def test_a_proposal_is_made_once_and_listed_with_its_labels(as_person, inbox, ana, mia):
    command = as_person(ana)

    result = command("proposals", "create", "inbox", "Say what a card is.", "--label", "card")
    again = command("proposals", "create", "inbox", "Say what a card is.", "--label", "card")

    made = GuidelineProposal.objects.get()
    assert result.out == again.out == f"Proposed: {made.uuid}. A label manager accepts or declines it.\n"
    listed = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", as_person(mia)("proposals", "list", "inbox").out)
    assert listed.splitlines() == [
        f"{made.uuid}  WHEN, ana on version 1, about card",
        "  Say what a card is.",
    ]


def test_a_version_accepts_proposals(as_person, inbox, mia, proposal, tmp_path):
    command, path = as_person(mia), tmp_path / "classes.json"
    path.write_text(
        json.dumps(
            {
                "guideline": "A card is plastic.",
                "labels": [{"name": name} for name in ("billing", "card", "transfer")],
            }
        )
    )

    result = command("proposals", "accept", "inbox", str(proposal.uuid), "--file", str(path))

    assert (result.code, result.out) == (0, "Version 2 of inbox accepts 1 proposal.\n")
    proposal.refresh_from_db()
    assert (proposal.state, proposal.accepted_in.version, proposal.accepted_in.guideline) == (
        "accepted",
        2,
        "A card is plastic.",
    )
    assert (
        command("proposals", "list", "inbox", "--state", "accepted").out.splitlines()[-1]
        == "  Accepted in version 2."
    )
    assert command("proposals", "list", "inbox").out == "No such proposals.\n"


def test_a_proposal_is_declined_with_a_sentence(as_person, inbox, mia, proposal):
    command = as_person(mia)

    result = command("proposals", "decline", str(proposal.uuid), "--reason", "It says so already.")

    assert result.out == "Declined; ana sees your reason.\n"
    assert (
        command("proposals", "list", "inbox", "--state", "declined").out.splitlines()[-1]
        == "  Declined: It says so already."
    )
    again = command("proposals", "decline", str(proposal.uuid), "--reason", "No.")
    assert (again.code, again.err) == (1, "This proposal is already declined. Reload the page.\n")


def test_answering_proposals_needs_the_role(as_person, inbox, ben, proposal):
    command, before = as_person(ben), Event.objects.count()

    result = command("proposals", "decline", str(proposal.uuid), "--reason", "No.")

    proposal.refresh_from_db()
    assert (result.code, result.out, proposal.state, LabelSchema.objects.count()) == (1, "", "open", 1)
    assert Event.objects.count() == before


def test_ones_own_proposal_is_withdrawn(as_person, ana, ben, proposal):
    assert as_person(ben)("proposals", "withdraw", str(proposal.uuid)).code == 1
    assert as_person(ana)("proposals", "withdraw", str(proposal.uuid)).out == "Withdrawn.\n"
    proposal.refresh_from_db()
    assert proposal.state == "withdrawn"
