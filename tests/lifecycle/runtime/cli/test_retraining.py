"""Retraining proposals are listed, made, and withdrawn; no script approves one."""

from __future__ import annotations

import pytest
from django.utils import timezone

from lifecycle.runtime.cli.client import ApiRefusal, Client
from monitoring.retraining import actions
from monitoring.retraining.models import Proposal, Trigger


@pytest.fixture
def endpoint(live_endpoint):
    return live_endpoint


@pytest.fixture
def proposed(endpoint, mia):
    return actions.propose(endpoint_id=endpoint.uuid, actor=mia, note="Refunds are misread.", min_labels=8)


def test_considering_lists_reasons_for_and_against_and_changes_nothing(as_person, mia, endpoint):
    result = as_person(mia)("retraining", "consider", endpoint.slug)

    assert (result.code, result.err) == (0, "")
    assert [line for line in result.out.splitlines() if line.startswith(("For ", "Against "))]
    assert result.out.splitlines()[-1] == "Propose it: lifecycle retraining propose inbox/support-inbox-prod"
    assert not Proposal.objects.exists()


def test_considering_while_one_is_open_fails_with_the_reason(as_person, mia, endpoint, proposed):
    result = as_person(mia)("retraining", "consider", endpoint.slug)

    assert (result.code, result.err) == (1, "")
    assert "Against  Proposal 1 is open (blocks it)" in result.out.splitlines()
    assert result.out.splitlines()[-1] == "It can't be proposed now."
    assert Proposal.objects.get() == proposed


def test_triggers_are_shown_as_they_are_set(as_person, lee, endpoint):
    command = as_person(lee)
    assert (
        command("retraining", "triggers", endpoint.slug).out
        == "No trigger proposes a retraining of inbox/support-inbox-prod. Set one on its page.\n"
    )
    made = Trigger.objects.create(
        endpoint=endpoint, kind="drift", enabled=True, threshold=3, author=lee, set_at=timezone.now()
    )

    result = command("retraining", "triggers", endpoint.slug)

    assert result.out.splitlines()[1].split()[:5] == [
        "drift",
        "on",
        "3",
        str(made.cooldown_days),
        str(made.min_labels),
    ]


def test_proposing_prints_who_decides(as_person, mia, endpoint, site):
    result = as_person(mia)(
        "retraining", "propose", endpoint.slug, "--note", "Refunds are misread.", "--min-labels", "8"
    )

    made = Proposal.objects.get()
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0] == "Proposal 1 for inbox/support-inbox-prod waits for an ML lead."
    assert result.out.splitlines()[-1] == f"Page: {site}/retraining/{made.uuid}/"
    assert [line for line in result.out.splitlines()[1:-1] if line.startswith("Against ")]
    assert (made.state, made.note, made.min_labels, made.proposed_by) == (
        "open",
        "Refunds are misread.",
        8,
        mia,
    )


def test_a_second_one_for_the_same_endpoint_is_refused(as_person, mia, endpoint, proposed):
    result = as_person(mia)("retraining", "propose", endpoint.slug)

    assert (result.code, result.out) == (1, "")
    assert result.err
    assert Proposal.objects.count() == 1


def test_they_are_listed_and_shown(as_person, mia, endpoint, proposed, site):
    command = as_person(mia)

    listed, shown = (
        command("retraining", "list", "--endpoint", endpoint.slug),
        command("retraining", "show", "1"),
    )

    assert listed.out.splitlines()[0].split() == ["NO.", "ENDPOINT", "STATE", "BY", "NEXT", "PROPOSED"]
    assert listed.out.splitlines()[1].split()[:5] == ["1", "inbox/support-inbox-prod", "open", "a", "person"]
    assert shown.out.splitlines()[0] == "Proposal    1, open"
    assert [line for line in shown.out.splitlines() if line.startswith("Against ")]
    assert f"Page        {site}/retraining/{proposed.uuid}/" in shown.out.splitlines()
    assert command("retraining", "list", "--state", "failed").out.startswith("No proposals.")


@pytest.mark.parametrize("word", ["approve", "decline"])
def test_no_token_decides_and_the_command_prints_where_a_lead_does(as_person, lee, proposed, site, word):
    result = as_person(lee)("retraining", word, "1")

    proposed.refresh_from_db()
    assert (result.code, result.out) == (1, "")
    assert (
        result.err == "An ML lead who is signed in decides on a proposal, never a token. Decide on"
        f" {site}/retraining/{proposed.uuid}/\n"
    )
    assert proposed.state == "open"


def test_the_server_accepts_no_decision_by_token(site, token, lee, proposed):
    api = Client(site, token(lee), prefix="/api/v1")
    seen = api.get(f"/retraining/{proposed.uuid}/")["seen"]

    with pytest.raises(ApiRefusal, match="API tokens can't do this") as refused:
        api.post(f"/retraining/{proposed.uuid}/approve/", {"seen": seen})

    proposed.refresh_from_db()
    assert (refused.value.status, proposed.state) == (403, "open")


def test_it_is_called_off_with_a_reason(as_person, lee, proposed):
    result = as_person(lee)("retraining", "withdraw", "1", "--reason", "Wrong endpoint.")

    proposed.refresh_from_db()
    assert (result.code, result.out) == (0, "Proposal 1 is withdrawn.\n")
    assert (proposed.state, proposed.outcome) == ("declined", "withdrawn")


def test_nothing_of_others_is_shown(as_person, otto, proposed):
    result = as_person(otto)("retraining", "show", "1")

    assert (result.code, result.out) == (1, "")
    assert (
        result.err
        == "There is no proposal 1, or you don't have access. Check its name, and whose token this is:"
        " lifecycle whoami\n"
    )
