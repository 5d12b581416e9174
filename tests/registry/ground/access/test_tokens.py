"""Tokens are shown once, kept as a hash, act within their scopes, and end when they should."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from lifecycle.runtime.refusals import Refused
from registry.ground.access.actions import create_token, revoke_token, token_digest
from registry.ground.access.models import ApiToken
from registry.ground.access.tokens import find
from registry.ground.ledger.models import Event
from tests.support.people import PASSWORD


def ask(secret: str, path: str = "/api/v1/me/", method: str = "get", **kwargs):
    return getattr(Client(), method)(path, headers={"Authorization": f"Bearer {secret}"}, **kwargs)


def test_a_token_acts_for_its_user(mia):
    _, secret = create_token(user=mia, name="nightly", scopes=["read"], days=1)

    answer = ask(secret)

    assert answer.status_code == 200
    assert answer.json()["user"]["username"] == "mia"


def test_only_the_hash_is_kept_and_no_event_holds_the_secret(mia):
    token, secret = create_token(user=mia, name="nightly", scopes=["read"], days=1)

    assert token.digest == token_digest(secret)
    assert not any(secret in event.canonical for event in Event.objects.all())
    assert not any(secret in str(value) for value in ApiToken.objects.values_list().get(pk=token.pk))


def test_the_last_use_is_noted_once_a_minute(mia, django_assert_num_queries):
    token, secret = create_token(user=mia, name="nightly", scopes=["read"], days=1)
    assert ApiToken.objects.get().last_used_at is None

    find(secret)
    first = ApiToken.objects.get().last_used_at
    with django_assert_num_queries(1):
        find(secret)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    find(secret)

    assert timezone.now() >= ApiToken.objects.get().last_used_at >= first > token.created_at


@pytest.mark.postgres
@pytest.mark.parametrize("spoil", ["expired", "revoked", "inactive", "unknown"])
def test_a_token_that_ended_is_refused(mia, spoil):
    token, secret = create_token(user=mia, name="nightly", scopes=["read"], days=1)
    if spoil == "expired":
        ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    if spoil == "revoked":
        revoke_token(token_id=token.uuid, actor=mia)
    if spoil == "inactive":
        mia.is_active = False
        mia.save()

    answer = ask("lc_nonsense" if spoil == "unknown" else secret)

    assert answer.status_code == 401
    assert answer.json() == {
        "code": "authentication_failed",
        "message": "The token is unknown, expired, or revoked.",
        "fields": {},
    }


def test_a_token_without_the_scope_changes_nothing(mia):
    _, secret = create_token(user=mia, name="reader", scopes=["infer"], days=1)

    answer = ask(secret)

    assert answer.status_code == 403
    assert answer.json()["message"] == "This token lacks the scope read."


def test_a_token_cannot_give_roles(project, lee, otto):
    _, secret = create_token(user=lee, name="all", scopes=ApiToken.Scope.values, days=1)

    answer = ask(
        secret,
        f"/api/v1/projects/{project.uuid}/members/",
        "post",
        data={"user": str(otto.uuid), "role": "lead"},
    )

    assert answer.status_code == 403
    assert not otto.groups.exists()


@pytest.mark.parametrize(("scopes", "days"), [([], 1), (["everything"], 1), (["read"], 0), (["read"], 367)])
def test_nonsense_makes_no_token(mia, scopes, days):
    with pytest.raises(Refused):
        create_token(user=mia, name="x", scopes=scopes, days=days)

    assert not ApiToken.objects.exists()


@pytest.mark.postgres
def test_the_page_shows_a_new_secret_once(mia, client_for):
    client = client_for(mia)

    asked = client.post("/access/tokens/create/", {"name": "nightly", "scopes": ["read"], "days": 30})
    made = client.post(asked["Location"], {"password": PASSWORD}).content.decode()

    secret = "lc_" + made.split("lc_")[1].split("<")[0].strip()
    assert ApiToken.objects.get().digest == token_digest(secret)
    assert secret not in client.get("/access/profile/").content.decode()


@pytest.mark.postgres
def test_no_one_revokes_the_token_of_another(mia, ana, client_for):
    token, _ = create_token(user=mia, name="nightly", scopes=["read"], days=1)

    assert client_for(ana).post(f"/access/tokens/{token.uuid}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None
