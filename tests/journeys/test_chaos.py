"""Parts of the product go away at bad moments: what is served stays right, and what was answered is counted once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.support.circle import Circle
from tests.support.corpora import generated
from tests.support.product import Product, running_product, until
from tests.support.story import Story
from tests.support.visitors import Workspace

pytestmark = pytest.mark.journey
CUT_SECONDS = 25  # longer than a writer waits for SQLite's lock
BUSY = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
COUNTED = """
from django.db.models import Sum
from monitoring.traffic.models import MinuteRollup, Prediction
rows = MinuteRollup.objects.filter(endpoint__slug="{slug}")
print(Prediction.objects.filter(endpoint__slug="{slug}").count(), rows.aggregate(n=Sum("requests"))["n"])
"""


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """One of its own: others ask of theirs that its log tells no error."""
    with running_product() as running:
        yield running


@pytest.fixture(scope="module")
def circle(product: Product) -> Circle:
    return Circle(Story(Workspace(product, "journey-chaos", "Journey chaos"), generated()))


def counted(circle: Circle) -> tuple[int, int]:
    """Predictions of the endpoint, and requests in its rollups; one text each, so that both are the same number."""
    said = circle.story.product.python(COUNTED.format(slug=circle.story.slug)).split()
    return int(said[0]), int(said[1])


def arrived(circle: Circle, wanted: int) -> None:
    """Wait until so many predictions have arrived."""
    until(lambda: counted(circle)[0] >= wanted, f"{wanted} predictions arrive")


@contextmanager
def frozen(product: Product, *programs: str) -> Iterator[None]:
    """Stop these processes where they stand, as an overloaded host does, and let them go on afterwards."""
    stopped = [process for words in programs for process in product.running(*words.split())]
    assert stopped
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


def test_with_the_web_and_its_workers_gone_the_server_closes_a_bad_canary_and_the_registry_follows(circle: Circle):
    product, omar = circle.story.product, circle.story["omar"]
    rollout = circle.start(circle.second_approved)
    canary = circle.arm("canary")
    omar.api("POST", f"deployments/{canary['deployment']}/plant_fault/", {"kind": "error", "share": 10_000}, status=201)

    with frozen(product, "gunicorn", "manage.py beat", "manage.py worker default"):
        until(lambda: circle.ask("Hello")["status"] == 500, "the fault works")
        answers = [circle.ask(text) for text in circle.english(200)]
        closed_at = max(at for at, answer in enumerate(answers) if answer["status"] == 500)
        failed = sum(answer["status"] == 500 for answer in answers)
        assert failed <= 20  # ten of twenty close it
        later = answers[closed_at + 1 :]
        assert len(later) > 100
        assert {answer["status"] for answer in later} == {200}
        assert {answer["model_version"] for answer in later} == {circle.story.first["uuid"]}

    ended = until(lambda: (now := circle.rollout(rollout))["state"] == "rolled_back" and now, "the registry follows the guard")
    assert ended["ended_by"] is None
    events = omar.api("GET", f"endpoints/{circle.story.endpoint}/deployments/")["results"]
    assert "guard closed it" in next(each["end_reason"] for each in events if each["arm"] == "canary")
    assert circle.arm("canary") is None


def test_a_server_that_is_killed_under_load_comes_back_right_and_nothing_is_counted_twice(circle: Circle):
    product, live = circle.story.product, circle.story.first["uuid"]
    answered, refused = 0, 0

    def ask(text: str) -> None:
        nonlocal answered, refused
        try:
            answer = circle.ask(text)
        except httpx.TransportError:
            refused += 1
            time.sleep(0.1)
            return
        assert answer["status"] in (200, 503), answer  # 503 while it loads
        if answer["status"] == 200:
            assert answer["model_version"] == live
            answered += 1

    for round_ in range(3):
        for at, text in enumerate(circle.english(60)):
            if round_ and at == 30:
                product.kill("lifecycle.inference")
            ask(text)
    circle.story.client.answered_by(circle.story.slug, live)

    time.sleep(3)  # two turns of the ingest
    predictions, requests = counted(circle)
    assert predictions == requests
    assert refused > 0


def test_with_the_database_cut_answers_go_on_and_arrive_later_once(circle: Circle):
    before = counted(circle)[0]
    with cut(circle.story.product):
        end = time.monotonic() + CUT_SECONDS
        asked = 0
        while time.monotonic() < end:
            answer = circle.ask("Where is my order?")
            assert (answer["status"], answer["model_version"]) == (200, circle.story.first["uuid"])
            asked += 1
            time.sleep(0.05)

    arrived(circle, before + asked)
    assert counted(circle) == (before + asked, before + asked)
    until(circle.story.product.answers, "the site answers")
    assert "broken" not in circle.story.product.manage("verify_audit")


@contextmanager
def cut(product: Product) -> Iterator[None]:
    """No connection to PostgreSQL; of SQLite, no write."""
    url = product.environment.get("DATABASE_URL", "")
    if url:
        name = urlsplit(url).path.removeprefix("/")
        with psycopg.connect(url.replace(f"/{name}", "/postgres"), autocommit=True) as admin:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            admin.execute(BUSY, [name])
            try:
                yield
            finally:
                admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        return
    held = sqlite3.connect(product.data_dir / "lifecycle.sqlite3", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        held.execute("ROLLBACK")
        held.close()
