"""Tokens are listed without their secrets and revoked from a shell."""

from __future__ import annotations

from registry.endpoints.actions import create_token as create_endpoint_token
from registry.ground.access.actions import create_token
from registry.ground.access.models import ApiToken


def test_ones_own_tokens_are_listed_and_ended(as_person, mia, lee):
    nightly, secret = create_token(user=mia, name="nightly", scopes=["read", "label"], days=9)
    others, _ = create_token(user=lee, name="robot", scopes=["read"], days=9)
    command = as_person(mia)

    listed = command("tokens", "list")
    assert (listed.code, str(nightly.uuid) in listed.out, "label, read" in listed.out) == (0, True, True)
    assert (secret in listed.out, str(others.uuid) in listed.out) == (False, False)
    assert command("tokens", "list", "--all").code == 1
    assert command("tokens", "revoke", str(others.uuid)).code == 1
    assert command("tokens", "revoke", str(nightly.uuid)).out == f"Token {nightly.uuid} is revoked.\n"

    assert list(ApiToken.objects.exclude(revoked_at=None)) == [nightly]


def test_an_admin_lists_everyones(as_person, adam, mia):
    nightly, _ = create_token(user=mia, name="nightly", scopes=["read"], days=9)

    assert str(nightly.uuid) in as_person(adam)("tokens", "list", "--all").out


def test_a_programs_token_is_listed_and_ended(as_person, live_endpoint, omar):
    token, secret = create_endpoint_token(
        endpoint_id=live_endpoint.uuid, name="mail router", days=9, actor=omar
    )
    command = as_person(omar)

    listed = command("endpoints", "tokens", live_endpoint.slug)
    assert ("mail router" in listed.out, secret in listed.out) == (True, False)
    assert command("endpoints", "revoke-token", str(token.uuid)).code == 0

    token.refresh_from_db()
    assert token.revoked_at is not None
    assert command("endpoints", "tokens", live_endpoint.slug).out == "No active tokens.\n"
