"""The same over REST, with the same refusals; a token decides nothing."""

import pytest

from monitoring.retraining.models import Proposal
from registry.ground.access.actions import create_token
from tests.support.retraining import make_proposal

LIST = "/api/v1/retraining/"


@pytest.mark.postgres
def test_proposing_reading_and_deciding(client_for, endpoint, traffic, mia, lee):
    made = client_for(mia).post(
        LIST, {"endpoint": str(endpoint.uuid), "min_labels": 9}, content_type="application/json"
    )
    assert made.status_code == 201
    uuid = made.json()["uuid"]
    found = client_for(lee).get(f"{LIST}{uuid}/").json()
    assert (found["state"], found["step"], found["trigger"], found["min_labels"]) == (
        "open",
        "queue",
        None,
        9,
    )
    assert [reason["code"] for reason in found["reasons_against"]] == ["data", "few_labels"]

    stale = client_for(lee).post(
        f"{LIST}{uuid}/approve/", {"seen": "0" * 64}, content_type="application/json"
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
    done = client_for(lee).post(
        f"{LIST}{uuid}/approve/", {"seen": found["seen"]}, content_type="application/json"
    )
    assert (done.status_code, done.json()["state"]) == (200, "approved")


def test_a_token_decides_nothing(client, endpoint, lee):
    proposal = make_proposal(endpoint, None)
    _, secret = create_token(user=lee, name="nightly", scopes=["read", "train"], days=9)
    head = {"Authorization": f"Bearer {secret}"}
    seen = client.get(f"{LIST}{proposal.uuid}/", headers=head).json()["seen"]

    answer = client.post(
        f"{LIST}{proposal.uuid}/approve/", {"seen": seen}, content_type="application/json", headers=head
    )

    assert answer.status_code == 403
    assert Proposal.objects.get().state == "open"


@pytest.mark.postgres
def test_triggers_are_read_and_set(client_for, endpoint, lee):
    client, address = client_for(lee), f"/api/v1/endpoints/{endpoint.uuid}/retraining/triggers/"
    seen = client.get(address).json()["seen"]
    body = {"kind": "labels", "enabled": True, "threshold": 120, "seen": seen}

    found = client.put(address, body, content_type="application/json").json()
    assert [(row["kind"], row["threshold"], row["cooldown_days"]) for row in found["results"]] == [
        ("labels", 120.0, 14)
    ]
    assert client.put(address, body | {"threshold": 9}, content_type="application/json").status_code == 409


def test_reading_the_reasons_changes_nothing(client_for, endpoint, ana):
    found = client_for(ana).get(f"/api/v1/endpoints/{endpoint.uuid}/retraining/consider/").json()

    assert found["possible"] is True
    assert [reason["code"] for reason in found["reasons_against"]] == ["data", "few_labels"]
    assert not Proposal.objects.exists()


def test_the_list_pages_and_filters(client_for, endpoint, lee):
    for _ in range(31):
        make_proposal(endpoint, None, state="declined", outcome="declined")
    first = client_for(lee).get(LIST).json()
    assert len(first["results"]) == 30
    assert len(client_for(lee).get(LIST, {"before": first["before"]}).json()["results"]) == 1
    assert client_for(lee).get(LIST, {"state": "open"}).json()["results"] == []
