"""Attempts are counted by client address: behind a trusted proxy the one that it forwards, otherwise never an
address that the client claims.
"""

import runpy

import pytest
from allauth.account.adapter import get_adapter
from django.test import Client, RequestFactory
from django.urls import reverse
from rest_framework.throttling import AnonRateThrottle

PROXY = "10.0.0.9"


@pytest.fixture
def proxies(settings):
    def trust(count):
        settings.ALLAUTH_TRUSTED_PROXY_COUNT = count
        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": count}

    return trust


@pytest.mark.parametrize(
    ("count", "forwarded", "counted"),
    [
        (0, None, PROXY),
        (0, "192.0.2.1", PROXY),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.5, 192.0.2.1", "192.0.2.1"),  # the first is what the client made up
        (2, "203.0.113.5, 192.0.2.1, 10.0.0.8", "192.0.2.1"),
        (1, None, PROXY),
    ],
)
def test_whom_an_attempt_is_counted_against(proxies, count, forwarded, counted):
    proxies(count)
    request = RequestFactory().get(
        "/", REMOTE_ADDR=PROXY, **({"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {})
    )

    assert (get_adapter().get_client_ip(request), AnonRateThrottle().get_ident(request)) == (counted, counted)


@pytest.mark.parametrize(("count", "forwarded"), [(2, "192.0.2.1"), (1, "no address")])
def test_a_proxy_that_sends_too_little_is_counted_itself(proxies, count, forwarded):
    proxies(count)
    request = RequestFactory().get("/", REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=forwarded)

    assert get_adapter().get_client_ip(request) == PROXY


@pytest.mark.parametrize(("count", "ends_all"), [(1, False), (0, True)])
def test_who_guesses_behind_a_proxy_ends_their_own_attempts_alone(db, proxies, settings, count, ends_all):
    proxies(count)
    settings.ACCOUNT_RATE_LIMITS = {"login": "3/m/ip"}
    client, address = Client(), reverse("account_login")

    def guess(forwarded):
        sent = {"login": "nobody", "password": "wrong wrong wrong"}
        return (
            client.post(address, sent, REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=forwarded).status_code == 429
        )

    assert [guess("192.0.2.1") for _ in range(4)] == [False, False, False, True]
    assert guess("192.0.2.2") is ends_all


def test_no_proxy_is_trusted_unless_a_setting_names_it(settings):
    assert (settings.ALLAUTH_TRUSTED_PROXY_COUNT, settings.REST_FRAMEWORK["NUM_PROXIES"]) == (0, 0)


@pytest.mark.parametrize(
    ("names", "trusted"), [({"TRUSTED_PROXIES": "2"}, 2), ({"BEHIND_PROXY": "1"}, 1), ({}, 0)]
)
def test_as_many_are_trusted_as_the_environment_sets(monkeypatch, settings, names, trusted):
    for name in ("TRUSTED_PROXIES", "BEHIND_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in names.items():
        monkeypatch.setenv(name, value)

    found = runpy.run_path(str(settings.BASE_DIR / "lifecycle" / "settings.py"))

    assert (found["ALLAUTH_TRUSTED_PROXY_COUNT"], found["REST_FRAMEWORK"]["NUM_PROXIES"]) == (
        trusted,
        trusted,
    )
