"""What the benchmark does inside its installation."""

from __future__ import annotations

import json
import os
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from monitoring.traffic import actions, histogram
from monitoring.traffic.models import DayRollup, HourRollup, Kpi, MinuteRollup, OutcomeDay, Prediction, Side
from monitoring.traffic.rules import CONFIDENCE_BINS, DAY, HOUR, MINUTE, OOV_BINS, floor
from registry.catalog.models import Endpoint
from registry.ground.access.actions import grant
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from tests.support import endpoints as support
from tests.support.outcomes import day_of
from tests.support.people import make_project

LABELS = ["billing", "delivery", "refund"]
ROUNDS = 3  # of ingest
TEXT_WORDS = [
    "card",
    "lost",
    "money",
    "back",
    "where",
    "order",
    "parcel",
    "invoice",
    "twice",
    "account",
    "login",
    "late",
]

# (name in the table, URL name, what its address names, query). "-": nothing.
PAGES = [
    ("traffic, 1 hour", "traffic:endpoint", "endpoint", "?window=1h"),
    ("traffic, 24 hours", "traffic:endpoint", "endpoint", "?window=24h"),
    ("traffic, 7 days", "traffic:endpoint", "endpoint", "?window=7d"),
    ("traffic, 30 days", "traffic:endpoint", "endpoint", "?window=30d"),
    ("traffic, 90 days", "traffic:endpoint", "endpoint", "?window=90d"),
    ("predictions", "traffic:recent", "endpoint", ""),
    ("one prediction", "traffic:prediction", "prediction", ""),
    ("business figures", "traffic:kpis", "endpoint", ""),
    ("one business figure", "traffic:kpi", "kpi", ""),
    ("endpoint", "endpoints:detail", "endpoint", ""),
    ("drift", "drift:endpoint", "endpoint", ""),
    ("drift, panel", "drift:panel", "endpoint", ""),
    ("alerts", "alerts:list", "-", ""),
    ("alerts of an endpoint", "alerts:endpoint", "endpoint", ""),
    ("alerts, panel", "alerts:panel", "endpoint", ""),
    ("rollouts", "rollouts:list", "-", ""),
    ("rollout, panel", "rollouts:panel", "endpoint", ""),
    ("retraining", "retraining:list", "-", ""),
    ("retraining, panel", "retraining:panel", "endpoint", ""),
    ("dashboard, 4 weeks", "overview:dashboard", "-", "?weeks=4"),
    ("dashboard, 13 weeks", "overview:dashboard", "-", "?weeks=13"),
    ("dashboard, 26 weeks", "overview:dashboard", "-", "?weeks=26"),
]


def play(models: int, days: int, predictions: int, rounds: int, lines: int) -> dict[str, Any]:
    """Lay down traffic, take predictions in, ask every page. lines: predictions to take in, in all."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_SSL_REDIRECT = False
    chance, now = random.Random(1), timezone.now()  # noqa: S311
    began = time.monotonic()
    project = make_project("benchmark", "Benchmark")
    each = predictions / models / days
    made = [support.deployed_endpoint(project, slug=f"intents-{n:02}") for n in range(2)]
    person = everything(project)
    for endpoint in made:
        lay_down(endpoint, 1, each, now, chance)
    ingest(made, 100, chance)
    actions.build_rollups()
    few = statements(made[0], person)
    made += [support.deployed_endpoint(project, slug=f"intents-{n:02}") for n in range(2, models)]
    MinuteRollup.objects.all().delete()
    HourRollup.objects.all().delete()
    DayRollup.objects.all().delete()
    for endpoint in made:
        lay_down(endpoint, days, each, now, chance)
    actions.build_rollups()
    actions.clear_old()
    laid_down = time.monotonic() - began
    rates = [ingest(made, lines // ROUNDS, chance) for _ in range(ROUNDS)]
    actions.build_rollups()
    refresh()
    many = statements(made[0], person)
    times = timed(made[0], person, rounds)
    pages = []
    for name, found in times.items():
        walls, busy = sorted(wall for wall, _ in found), statistics.median(cpu for _, cpu in found)
        pages.append(
            {
                "page": name,
                "p50_ms": round(statistics.median(walls), 1),
                "p95_ms": round(walls[-(-95 * len(walls) // 100) - 1], 1),
                "cpu_ms": round(busy, 1),
                "statements": many[name],
                "statements_small": few[name],
            }
        )
    return {
        "pages": pages,
        "worst_p95_ms": max(page["p95_ms"] for page in pages),
        "grown": [page["page"] for page in pages if page["statements"] > page["statements_small"]],
        "absent": [name for name, *_ in PAGES if name not in times],
        "ingest_per_second": round(statistics.median(rates)),
        "ingest_rounds": [round(rate) for rate in rates],
        "rows": sum(model.objects.count() for model in (MinuteRollup, HourRollup, DayRollup)),
        "predictions_counted": sum(DayRollup.objects.values_list("answers", flat=True)),
        "laid_down_s": round(laid_down, 1),
        "others_load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def everything(project: Any) -> User:
    """A user who may see every monitoring page."""
    person = support.Crew(project).lee
    for role in (Role.ENGINEER, Role.ONCALL, Role.ANALYST):
        grant(user=person, role=role, root=project, actor=None)
    return person


def lay_down(endpoint: Endpoint, days: int, each: float, now: datetime, chance: random.Random) -> None:
    """Rollups of an endpoint: minutes of the last 14 days, hours before. each: predictions a day."""
    version = endpoint.alias.version_id
    first = floor(now - timedelta(days=min(days, settings.MINUTE_DAYS)), DAY)
    minutes = range(int((now - first) / MINUTE))
    fresh = (row(MinuteRollup, endpoint, version, first + at * MINUTE, each / 1440, chance) for at in minutes)
    save(MinuteRollup, fresh)
    begin = floor(now - timedelta(days=days), DAY)
    hours = (
        row(HourRollup, endpoint, version, begin + at * HOUR, each / 24, chance)
        for at in range(int((first - begin) / HOUR))
    )
    save(HourRollup, hours)
    kpi, _ = Kpi.objects.get_or_create(
        endpoint=endpoint,
        name="Handled without a second contact",
        defaults={"direction": "up", "kind": "share", "holdout_share": 0.1},
    )
    today = now.date()
    sums = [
        day_of(kpi, today - timedelta(days=at), arm, n, total)
        for at in range(days)
        for arm, n, total in (
            (Side.MODEL, 900, chance.randint(600, 700)),
            (Side.HOLDOUT, 100, chance.randint(55, 70)),
        )
    ]
    OutcomeDay.objects.bulk_create(sums, ignore_conflicts=True)


def row(
    model: Any, endpoint: Endpoint, version: int, start: datetime, mean: float, chance: random.Random
) -> Any:
    """One stretch of time with about so many predictions; None without any."""
    n = max(0, round(chance.gauss(mean, mean**0.5)))
    if not n:
        return None
    kinds = min(n, 12)  # so many different values, each n/kinds times
    times = spread(n, [histogram.bucket(chance.lognormvariate(2.5, 0.5)) for _ in range(kinds)])
    sure = spread(
        n, [min(CONFIDENCE_BINS - 1, int(chance.betavariate(6, 1.5) * CONFIDENCE_BINS)) for _ in range(kinds)]
    )
    return model(
        endpoint=endpoint,
        version_id=version,
        arm="stable",
        start=start,
        requests=n,
        answers=n,
        timed=n,
        cpu_us=n * 6000,
        errors=0,
        right=n // 10,
        wrong=n // 100,
        latency=times,
        labels=spread(n, [chance.choice(LABELS) for _ in range(kinds)]),
        confidence=sure,
        chars=spread(n, [histogram.bucket(chance.lognormvariate(4, 0.6)) for _ in range(kinds)]),
        tokens=spread(n, [histogram.bucket(chance.lognormvariate(2.5, 0.6)) for _ in range(kinds)]),
        oov=spread(n, [int(chance.betavariate(1, 8) * OOV_BINS) for _ in range(kinds)]),
    )


def spread(n: int, keys: list[Any]) -> dict[str, int]:
    """n values over these buckets, as evenly as it goes."""
    counts: dict[str, int] = {}
    for at, key in enumerate(keys):
        histogram.count(counts, key, n // len(keys) + (at < n % len(keys)))
    return counts


def save(model: Any, rows: Iterator[Any]) -> None:
    """In batches that fit into memory."""
    batch = []
    for each in rows:
        if each is None:
            continue
        batch.append(each)
        if len(batch) == 2000:
            model.objects.bulk_create(batch)
            batch = []
    model.objects.bulk_create(batch)


def ingest(made: list[Endpoint], number: int, chance: random.Random) -> float:
    """Take so many predictions in through the spool; predictions a second."""
    folder = settings.DATA_DIR / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    for at in range(0, number, 2000):
        path = folder / f"{time.time_ns()}-{at:08}.jsonl"
        path.write_bytes(b"".join(line(chance.choice(made), chance) for _ in range(min(2000, number - at))))
    began = time.perf_counter()
    new = actions.ingest()
    seconds = time.perf_counter() - began
    if new != number:
        raise RuntimeError(f"{new} of {number} predictions were taken in.")
    return new / seconds


def line(endpoint: Endpoint, chance: random.Random) -> bytes:
    """One request of one text, as the inference server spools it."""
    version = endpoint.alias.version
    text = " ".join(chance.choices(TEXT_WORDS, k=chance.randint(4, 20)))
    shares = sorted((chance.random() for _ in LABELS), reverse=True)
    scores = {
        label: round(share / sum(shares), 6)
        for label, share in zip(chance.sample(LABELS, 3), shares, strict=True)
    }
    label = next(iter(scores))
    at = timezone.now() - timedelta(seconds=chance.random() * 5)
    asked = {
        "sha256": f"{chance.getrandbits(256):064x}",
        "chars": len(text),
        "tokens": len(text) // 4,
        "oov": 0.05,
        "truncated": False,
        "text": text,
    }
    data = {
        "uuid": str(uuid.uuid4()),
        "at": at.isoformat(timespec="milliseconds"),
        "endpoint": endpoint.full_name,
        "version": str(version.uuid),
        "root_digest": version.root_digest,
        "arm": "stable",
        "deployment": None,
        "key": f"{chance.getrandbits(64):016x}",
        "status": "ok",
        "code": 200,
        "latency_ms": round(chance.lognormvariate(2.5, 0.5), 3),
        "queue_ms": 0.1,
        "cpu_ms": round(chance.lognormvariate(1.8, 0.3), 3),
        "rows": 1,
        "inputs": [asked],
        "outputs": [{"label": label, "confidence": scores[label], "scores": scores}],
        "token": "01234567",
        "request_id": "",
        "epoch": 1,
    }
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def addresses(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Name and address of the pages that are there."""
    subjects: dict[str, Callable[[], Any]] = {
        "endpoint": lambda: endpoint.uuid,
        "prediction": (
            lambda: (
                Prediction.objects.filter(endpoint=endpoint)
                .order_by("-at", "-id")
                .values_list("uuid", flat=True)[0]
            )
        ),
        "kpi": lambda: endpoint.kpis.values_list("uuid", flat=True)[0],
    }
    for name, url, subject, query in PAGES:
        try:
            yield name, reverse(url, args=[subjects[subject]()] if subject in subjects else []) + query
        except NoReverseMatch:
            continue


def refresh() -> None:
    """What the database's own housekeeping would have done by now."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def statements(endpoint: Endpoint, person: User) -> dict[str, int]:
    """How many statements each page takes, the second time."""
    client, found = signed_in(person), {}
    for name, address in addresses(endpoint):
        ask(client, address)
        with CaptureQueriesContext(connection) as captured:
            ask(client, address)
        found[name] = len(captured)
    return found


def timed(endpoint: Endpoint, person: User, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each page, pages in turn: until it was there, and of this process's CPU."""
    client, found = signed_in(person), dict(addresses(endpoint))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, address in found.items():
            began, busy = time.perf_counter(), time.process_time()
            ask(client, address)
            times[name].append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - busy)))
    return times


def ask(client: Client, address: str) -> None:
    """Read a page. Raises RuntimeError unless it is one."""
    answer = client.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}.")
    _ = answer.content


def signed_in(person: User) -> Client:
    """A browser-like client."""
    client = Client()
    client.force_login(person)
    return client
