"""login and whoami: where a token is saved, with what file mode, and to which servers it is sent."""

from __future__ import annotations

import json
import stat

import pytest

from lifecycle.runtime.cli import settings


def test_login_asks_stdin_for_the_token_tries_it_and_keeps_it_for_its_owner_alone(
    command, token, site, mia, tmp_path
):
    secret = token(mia)

    result = command("login", site, stdin=secret + "\n")

    kept = tmp_path / "config" / "lifecycle" / "config.json"
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Mia is logged in to {site}. Saved in {kept}, readable by you only.\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert json.loads(kept.read_text()) == {"url": site, "token": secret, "inference": ""}
    assert command("whoami").out == f"Mia (mia) at {site}\n  inbox: engineer\n"


def test_an_invalid_token_is_not_saved(command, site, tmp_path):
    result = command("login", site, stdin="lc_wrong\n")

    assert (result.code, result.out) == (1, "")
    assert result.err == "The token is unknown, expired, or revoked. Log in again: lifecycle login\n"
    assert not (tmp_path / "config").exists()


def test_no_token_is_a_usage_error(command, site):
    result = command("login", site, stdin="")

    assert (result.code, result.err) == (
        2,
        "No token was given. Create one in your profile, with the scopes that you need.\n",
    )


def test_the_environment_wins_over_the_file(command, token, site, mia, ana, monkeypatch):
    command("login", site, stdin=token(mia))
    monkeypatch.setenv("LIFECYCLE_TOKEN", token(ana))

    assert command("whoami", "--json").json["user"]["username"] == "ana"


def test_a_token_is_never_sent_to_another_server_than_its_own(command, token, site, mia, monkeypatch):
    command("login", site, stdin=token(mia))
    monkeypatch.setenv("LIFECYCLE_URL", "http://127.0.0.1:9")

    result = command("whoami")

    assert result.code == 2
    assert (
        result.err == "No token for http://127.0.0.1:9 is known here. Log in first: lifecycle login. Or set"
        " LIFECYCLE_URL and LIFECYCLE_TOKEN.\n"
    )


def test_nothing_prints_the_token(command, token, site, mia):
    secret = token(mia)
    result = [
        command("login", site, stdin=secret),
        command("whoami"),
        command("whoami", "--json"),
        command("runs", "list", "--json"),
    ]

    assert [each.code for each in result] == [0, 0, 0, 0]
    assert secret not in "".join(each.out + each.err for each in result)


def test_without_a_login_the_command_prints_what_to_do(command):
    result = command("runs", "list")

    assert result.code == 2
    assert (
        result.err == "No server is known here. Log in first: lifecycle login. Or set LIFECYCLE_URL and"
        " LIFECYCLE_TOKEN.\n"
    )


def test_a_damaged_file_is_named(command, tmp_path):
    kept = tmp_path / "config" / "lifecycle" / "config.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{")

    result = command("whoami")

    assert (result.code, result.err) == (
        2,
        f"{kept} can't be read. Remove it and log in again: lifecycle login\n",
    )


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://lifecycle.example.org/", "https://lifecycle.example.org"),
        ("https://lifecycle.example.org/runs/?a=1", "https://lifecycle.example.org"),
        ("lifecycle.example.org", "https://lifecycle.example.org"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_may_be_written_as_people_do(given, address):
    assert settings.address(given) == address


@pytest.mark.parametrize(
    "given", ["", "ftp://example.org", "https://", "https://me:secret@example.org", "http://example.org:port"]
)
def test_an_invalid_address_is_refused(given):
    with pytest.raises(settings.Usage, match="isn't an address of a server"):
        settings.address(given)


@pytest.mark.parametrize(
    ("login", "url"),
    [
        (settings.Login("http://127.0.0.1:8000", "t"), "http://127.0.0.1:8001"),
        (settings.Login("http://localhost:8000", "t"), "http://localhost:8001"),
        (settings.Login("http://[::1]:8000", "t"), "http://[::1]:8001"),
        (
            settings.Login("https://lifecycle.example.org", "t", "https://ask.example.org"),
            "https://ask.example.org",
        ),
    ],
)
def test_the_inference_server_is_beside_a_local_site_unless_its_address_is_set(login, url):
    assert login.inference_url == url


def test_the_token_goes_to_no_unnamed_port_of_another_machine(command, monkeypatch):
    monkeypatch.setenv("LIFECYCLE_URL", "https://lifecycle.example.org")
    monkeypatch.setenv("LIFECYCLE_TOKEN", "lc_secret")

    result = command("endpoints", "predict", "support", "I lost my card")

    assert (result.code, result.out) == (2, "")
    assert (
        result.err == "The address of https://lifecycle.example.org's inference server is unknown. "
        "Log in with its address: lifecycle login --inference URL. Or set LIFECYCLE_INFERENCE_URL.\n"
    )


def test_an_address_that_is_not_encrypted_is_warned_of_whichever_it_is(command, monkeypatch):
    result = command(
        "login", "http://site.example.org", "--inference", "http://ask.example.org:8001", stdin=""
    )

    assert result.err.splitlines()[:2] == [
        f"Warning: {each} isn't encrypted. Anyone on the way can read the token."
        for each in ("http://site.example.org", "http://ask.example.org:8001")
    ]
