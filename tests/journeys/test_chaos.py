"""Parts of the product go away at bad moments: what is served stays right, and what was answered is counted
once. It comes last: what the circle's product logs from here on are errors, too.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from tests.support.circle import Circle
from tests.support.product import Product, until

pytestmark = pytest.mark.journey
CUT_SECONDS = 25  # longer than a writer waits for SQLite's lock
BUSY = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
COUNTED = """
from django.db.models import Sum
from monitoring.traffic.models import MinuteRollup, Prediction
rows = MinuteRollup.objects.filter(endpoint__slug="{slug}")
print(Prediction.objects.filter(endpoint__slug="{slug}").count(), rows.aggregate(n=Sum("requests"))["n"])
"""


def counted(circle: Circle) -> tuple[int, int]:
    """Predictions of the endpoint, and requests in its rollups; one text each, so that both are the same
    number.
    """
    counts = circle.story.product.python(COUNTED.format(slug=circle.story.slug)).split()
    return int(counts[0]), int(counts[1])


@pytest.fixture(scope="module")
def live(circle: Circle) -> str:
    """The version that answers."""
    circle.story.client.answered_by(circle.story.full_name, circle.version)
    return circle.version


def test_servers_killed_one_by_one_refuse_no_request_recover_and_count_nothing_twice(
    circle: Circle, live: str
):
    product = circle.story.product
    until(product.spool_is_empty, "what was answered before has arrived")
    before = counted(circle)

    for round_ in range(3):
        for at, text in enumerate(circle.english(60)):
            if round_ and at == 30:
                until(lambda: len(product.servers()) == 2, "the one that was killed is back")
                killed = psutil.Process(product.servers()[round_ - 1]["pid"])
                killed.kill()
                killed.wait(60)
            answer = circle.ask(text)
            assert (answer["status"], answer["model_version"]) == (200, live), answer
    circle.story.client.answered_by(circle.story.full_name, live)

    until(product.spool_is_empty, "what the server wrote is taken in")
    predictions, requests = (now - then for now, then in zip(counted(circle), before, strict=True))
    assert predictions == requests > 0


def test_with_the_database_cut_answers_go_on_and_arrive_later_once(circle: Circle, live: str):
    until(circle.story.product.spool_is_empty, "what was answered before has arrived")
    before = counted(circle)
    with cut(circle.story.product):
        end = time.monotonic() + CUT_SECONDS
        asked = 0
        while time.monotonic() < end:
            answer = circle.ask("Where is my order?")
            assert (answer["status"], answer["model_version"]) == (200, live)
            asked += 1
            time.sleep(0.1)

    until(lambda: counted(circle)[0] >= before[0] + asked, f"{asked} predictions arrive")
    assert counted(circle) == (before[0] + asked, before[1] + asked)
    until(circle.story.product.answers, "the site answers")
    assert "broken" not in circle.story.product.verified()


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
