"""Web processes that share a Redis count attempts and remember used codes together."""

from __future__ import annotations

import runpy
from collections.abc import Iterator

import pytest
import redis
from allauth.core.internal import ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import CacheHandler
from rest_framework.throttling import UserRateThrottle

from lifecycle.runtime.env import cache_at

ADDRESS = "redis://127.0.0.1:6379/11"


@pytest.fixture
def processes(monkeypatch) -> Iterator[list[object]]:
    """The caches of two web processes."""
    server = redis.Redis.from_url(ADDRESS)
    try:
        server.flushdb()
    except redis.ConnectionError:
        pytest.skip("Redis does not run on this machine.")
    yield [CacheHandler({"default": cache_at(ADDRESS)})["default"] for _ in range(2)]
    server.flushdb()


def test_a_code_that_one_process_took_is_used_in_the_other(processes, monkeypatch):
    code, taken = totp.TOTP(Authenticator(user_id=7)), []
    for cache in processes:
        monkeypatch.setattr(totp, "cache", cache)
        taken.append(code._mark_code_used("123456"))

    assert taken == [True, False]


def test_attempts_in_both_are_added_up(processes, monkeypatch, rf):
    allowed = []
    for at in range(6):
        monkeypatch.setattr(ratelimit, "cache", processes[at % 2])
        allowed.append(
            ratelimit.consume(
                rf.post("/"),
                app="allauth.account",
                action="step_up",
                config={"step_up": "5/m/key"},
                key="mia",
            )
            is not None
        )

    assert allowed == [True] * 5 + [False]


def test_requests_of_an_account_in_both_are_added_up(processes, monkeypatch, rf, mia):
    request = rf.get("/")
    request.user, allowed = mia, []
    for at in range(3):
        monkeypatch.setattr(UserRateThrottle, "cache", processes[at % 2])
        monkeypatch.setattr(UserRateThrottle, "rate", "2/min", raising=False)
        allowed.append(UserRateThrottle().allow_request(request, view=None))

    assert allowed == [True, True, False]


@pytest.mark.parametrize("url", ["", "memory://", "filesystem://", "amqp://guest@127.0.0.1"])
def test_without_a_redis_each_process_counts_by_itself(url):
    assert cache_at(url)["BACKEND"] == "django.core.cache.backends.locmem.LocMemCache"


@pytest.mark.parametrize("names", [{"CACHE_URL": ADDRESS}, {"CACHE_URL": "", "BROKER_URL": ADDRESS}])
def test_an_installation_counts_in_the_redis_that_its_environment_names(monkeypatch, settings, names):
    for name, value in names.items():
        monkeypatch.setenv(name, value)

    caches = runpy.run_path(str(settings.BASE_DIR / "lifecycle" / "settings.py"))["CACHES"]

    assert caches == {"default": cache_at(ADDRESS), "process": cache_at("memory://")}
    assert caches["default"]["LOCATION"] == ADDRESS


def test_redis_holds_json_and_no_code(processes):
    cache = processes[0]
    cache.set("history", [1.5, "x", None], 60)

    assert redis.Redis.from_url(ADDRESS).get(cache.make_key("history")) == b'[1.5, "x", null]'
    with pytest.raises(TypeError):
        cache.set("object", processes, 60)
