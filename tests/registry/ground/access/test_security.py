"""What an attacker tries: roles for oneself, HEAD in place of GET, guesses at once, other people's trails."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from django.db import connection, connections
from django.test import Client

from datasets_app.datasets.actions import create_dataset
from datasets_app.datasets.receiving import LimitHandler
from lifecycle.runtime.env import secret_file
from lifecycle.runtime.refusals import Refused
from registry.ground.access import step_up
from registry.ground.access.actions import create_token
from registry.ground.access.models import ApiToken
from registry.ground.access.policy import roles_of
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.people import PASSWORD, make_person, make_project


@pytest.mark.postgres
@pytest.mark.parametrize(("who", "held"), [("lee", [Role.LEAD]), ("adam", [])])
@pytest.mark.parametrize("by", ["page", "api"])
def test_no_one_gives_a_role_to_themself(project, request, client_for, who, held, by):
    person = request.getfixturevalue(who)
    client = client_for(person)

    if by == "page":
        form = {
            "governing-user": person.username,
            "governing-role": "governance",
            "governing-password": PASSWORD,
        }
        answer = client.post(f"/access/projects/{project.uuid}/grant/", form)
    else:
        form = {"user": str(person.uuid), "role": "governance", "password": PASSWORD}
        answer = client.post(
            f"/api/v1/projects/{project.uuid}/members/", form, content_type="application/json"
        )

    assert answer.status_code == 403
    assert roles_of(person, project) == held
    assert not Event.objects.filter(verb=Verb.ROLE_GRANTED, actor=str(person.uuid)).exists()


def test_a_head_request_needs_what_a_get_needs(project, otto, mia, client_for):
    address = f"/api/v1/projects/{project.uuid}/members/"

    assert client_for(otto).head(address).status_code == 404
    assert client_for(mia).head(address).status_code == 200


@pytest.mark.parametrize("scope", ["infer", "feedback"])
def test_a_token_for_asking_endpoints_reads_nothing_of_the_product(project, mia, client, scope):
    _, secret = create_token(user=mia, name="client", scopes=[scope], days=1)

    for address in ("datasets/", "me/", "jobs/", "audit/events/", f"projects/{project.uuid}/members/"):
        assert (
            client.get(f"/api/v1/{address}", headers={"Authorization": f"Bearer {secret}"}).status_code == 403
        )


def test_a_token_opens_no_page(mia, client):
    _, secret = create_token(user=mia, name="all", scopes=ApiToken.Scope.values, days=1)

    answer = client.get("/datasets/", headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_a_lead_reads_no_events_of_the_installation_while_an_auditor_does(
    project, lee, aida, ana, client_for
):
    create_token(user=ana, name="nightly", scopes=["read"], days=1)
    made = Event.objects.get(verb=Verb.TOKEN_CREATED)

    assert client_for(lee).get(f"/audit/events/{made.hash}/").status_code == 404
    assert client_for(aida).get(f"/audit/events/{made.hash}/").status_code == 200


def test_a_file_is_not_read_before_its_sender_is_known(project, mia, client, monkeypatch):
    read = []
    monkeypatch.setattr(LimitHandler, "receive_data_chunk", lambda self, data, start: read.append(data))
    dataset = create_dataset(project=project, actor=mia, name="Inbox")

    answer = client.post(f"/datasets/{dataset.uuid}/uploads/", {"file": BytesIO(b"text\nhello\n")})
    strict = Client(enforce_csrf_checks=True)
    strict.cookies["csrftoken"] = "a" * 32
    strict.post(f"/datasets/{dataset.uuid}/uploads/", {"file": BytesIO(b"text\nhello\n")})

    assert answer.status_code == 302
    assert not read


def test_an_installation_folder_opens_to_its_owner_alone(tmp_path):
    secret_file(tmp_path / "var" / "secret_key")

    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time")
def test_guesses_sent_at_once_get_no_more_tries_than_one_after_the_other():
    gita = make_person("gita", project=make_project(), role=Role.GOVERNANCE)

    def guess(at: int) -> str:
        try:
            step_up.confirm_password(gita, f"guess {at}")
        except Refused as refusal:
            return refusal.message
        finally:
            connections.close_all()
        return "in"

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(guess, range(24)))

    assert answers.count("Wrong password. Nothing was changed.") == step_up.TRIES
    assert answers.count("Too many wrong passwords or codes.") == 24 - step_up.TRIES
