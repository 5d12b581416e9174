"""What the benchmark does inside its installation."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from datasets_app.datasets.models import Dataset
from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.models import Difference
from datasets_app.quality.queries.quality import Cell, behind, report_of
from datasets_app.queues.models import Queue, Seat
from registry.ground.access.actions import grant
from registry.ground.access.models import Project, User
from registry.ground.access.roles import Role
from tests.support.jobs import run_ok
from tests.support.labeling import make_dataset, make_queue
from tests.support.people import make_person, make_project

PEOPLE, LABELS = 50, 77
FEW = 120  # items of the small dataset
ROLES = {"lee": Role.LEAD, "mia": Role.ENGINEER, "ravi": Role.ADJUDICATOR}

# i runs from 1 to the number of items; each has two slots, a = 0 and 1. Chance is arithmetic, so that every
# run lays down the same.
NUMBERS = {
    "postgresql": "SELECT i FROM generate_series(1::bigint, %(items)s) AS n(i)",
    "sqlite": (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %(items)s) SELECT i FROM n"
    ),
}
UUID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
AGO = {
    "postgresql": "%(now)s::timestamptz - (i %% 40) * interval '1 day'",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%S', %(now)s, '-' || (i %% 40) || ' days')",
}
DIGEST = {"postgresql": "lpad(to_hex(i::bigint), 64, '0')", "sqlite": "printf('%%064x', i)"}
PERSON = (
    f"(((i * 7919) %% 99991) %% {PEOPLE} + a * (1 + ((i * 104729) %% 99989) %% {PEOPLE - 1})) %% {PEOPLE}"
)
LABEL = (
    f"((i * 31) %% {LABELS} + CASE WHEN (i * 48271 + a * 16807) %% 1000 < 120 THEN 1 + ((i * 69621 + a * 7)"
    f" %% 1000) %% 3 ELSE 0 END) %% {LABELS}"
)


def play(rows: int, rounds: int) -> dict[str, Any]:
    """Lay down a small and a large queue, measure both, ask every page."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_SSL_REDIRECT = False
    project = make_project("benchmark", "Benchmark")
    crew = {name: make_person(name, project=project, role=role) for name, role in ROLES.items()}
    small = laid_down(project, crew, "small", FEW, 3)
    few = statements(small, crew)
    began = time.monotonic()
    queue = laid_down(project, crew, "large", rows, PEOPLE, measured=False)
    refresh()
    laid = time.monotonic() - began
    began, before = time.monotonic(), peak_mb()
    measure(queue, crew["mia"])
    seconds = time.monotonic() - began
    refresh()
    many = statements(queue, crew)
    pages = [
        summary(name, found, few[name], many[name]) for name, found in timed(queue, crew, rounds).items()
    ]
    return {
        "pages": pages,
        "worst_p95_ms": max(page["p95_ms"] for page in pages),
        "grown": [page["page"] for page in pages if page["statements"] > page["statements_small"]],
        "annotations": report_of(queue).figures["annotations"],
        "people": Seat.objects.filter(queue=queue).count(),
        "laid_down_s": round(laid, 1),
        "measured_s": round(seconds, 1),
        "measure_mb": round(peak_mb() - before, 1),
        "differences": Difference.objects.filter(queue=queue).count(),
        "others_load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(queue: Queue, actor: User) -> None:
    """Run the product's own job."""
    measure_quality(queue_id=queue.uuid, actor=actor)
    run_ok()


def laid_down(
    project: Project, crew: dict[str, User], name: str, rows: int, people: int, *, measured: bool = True
) -> Queue:
    """A dataset with so many items, of which half are in a queue that two people answer each; 1 in 50 places
    is still open.
    """
    dataset = make_dataset(project, crew["mia"], [f"The first text of {name}."], name=name, slug=name)
    queue = make_queue(
        dataset, crew["mia"], schema=[f"class_{at:02}" for at in range(LABELS)], name=name, overlap=2
    )
    queue.slots.all().delete()
    workers = [make_person(f"{name}-{at:02}", project=project) for at in range(people)]
    for worker in workers:
        grant(user=worker, role=Role.ANALYST, root=project, actor=None)
    fill(dataset, queue, rows, [worker.pk for worker in workers])
    count(queue, workers)
    if measured:
        measure(queue, crew["mia"])
    return queue


def fill(dataset: Dataset, queue: Queue, rows: int, people: list[int]) -> None:
    """The rows of everything, a statement each. Ids of items begin behind those that are there."""
    vendor, upload = connection.vendor, dataset.uploads.first()
    labels = list(queue.schema.labels.order_by("position").values_list("pk", flat=True))
    given = {
        "items": rows,
        "half": rows // 2,
        "dataset": dataset.pk,
        "upload": upload.pk,
        "queue": queue.pk,
        "now": f"{timezone.now():%Y-%m-%d %H:%M:%S}",
        "base": top("datasets_item"),
        "first": top("queues_annotation"),
        "label": labels[0],
        "open": rows // 2 - max(11, rows // 100),
    }
    numbers, two = NUMBERS[vendor], "(SELECT 0 AS a UNION ALL SELECT 1) AS two"
    both = f"SELECT i, a FROM ({numbers}) AS m, {two} WHERE i <= %(half)s"
    person = f"({people[0]} + ({PERSON if len(people) == PEOPLE else f'(i + a) %% {len(people)}'}))"
    label = f"(%(label)s + {LABEL})"
    run(
        f"""INSERT INTO datasets_item (id, uuid, dataset_id, upload_id, line, text, digest, normal_digest, {", ".join(ITEM)})
        SELECT %(base)s + i, {UUID[vendor]}, %(dataset)s, %(upload)s, i, 'Where is the money of transfer ' || i || '?',
        {DIGEST[vendor]}, {DIGEST[vendor]}, {", ".join(ITEM.values())} FROM ({numbers}) AS k""",  # noqa: E501
        given,
    )
    run(
        f"""INSERT INTO queues_annotation
        (id, uuid, queue_id, item_id, user_id, action, label_id, reason, seconds, gold, client_key, created_at)
        SELECT %(first)s + 2 * i + a, {UUID[vendor]}, %(queue)s, %(base)s + i, {person}, 'label', {label}, '', 3 + (i * 17 + a) %% 9, FALSE,
        {UUID[vendor]}, {AGO[vendor]} FROM ({both}) AS k WHERE i <= %(open)s""",  # noqa: E501
        given,
    )
    run(
        f"""INSERT INTO queues_slot (queue_id, item_id, priority, is_gold, state, user_id, annotation_id)
        SELECT %(queue)s, %(base)s + i, 0, FALSE, CASE WHEN i <= %(open)s THEN 2 ELSE 0 END, CASE WHEN i <= %(open)s THEN {person} END,
        CASE WHEN i <= %(open)s THEN %(first)s + 2 * i + a END FROM ({both}) AS k""",  # noqa: E501
        given,
    )
    pairs = (
        "queues_annotation x JOIN queues_annotation y ON y.id = x.id + 1 AND y.item_id = x.item_id WHERE"
        " x.queue_id = %(queue)s"
    )
    run(
        f"""INSERT INTO queues_decision (uuid, item_id, label_id, queue_id, how, reason, digest, created_at)
        SELECT {UUID[vendor]}, x.item_id, x.label_id, x.queue_id, 'unanimous', '', 'd', %(now)s FROM {pairs} AND x.label_id = y.label_id""",  # noqa: E501
        given,
    )
    run(
        f"""INSERT INTO queues_dispute (queue_id, item_id, pair, answers, state, opened_at)
        SELECT x.queue_id, x.item_id, CAST(f.stable_id AS TEXT) || '|' || CAST(s.stable_id AS TEXT), 2, 'open', %(now)s
        FROM {pairs.replace(" WHERE", JOINED)} AND x.label_id <> y.label_id""",  # noqa: E501
        given,
    )
    advance()


ITEM = {"external_id": "''", '"group"': "''", "split": "''", "metadata": "'{}'"}
JOINED = " JOIN schemas_label f ON f.id = x.label_id JOIN schemas_label s ON s.id = y.label_id WHERE"


def run(statement: str, given: dict[str, Any]) -> None:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given)


def top(table: str) -> int:
    """The largest key of a table, rounded up to an even number."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(MAX(id), 0) + 1 FROM {table}")  # noqa: S608
        return int(cursor.fetchone()[0]) // 2 * 2


def advance() -> None:
    """PostgreSQL's counters go on behind the keys that were given."""
    if connection.vendor == "postgresql":
        for table in ("datasets_item", "queues_annotation"):
            run(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))", {})  # noqa: S608


def count(queue: Queue, workers: list[User]) -> None:
    """The counters that the actions would have kept."""
    run(
        "UPDATE datasets_dataset SET items_total = (SELECT COUNT(*) FROM datasets_item WHERE dataset_id ="
        " datasets_dataset.id)",
        {},
    )
    done, total = (queue.slots.filter(**each).count() for each in ({"state": 2}, {}))
    disputed = queue.disputes.count()
    Queue.objects.filter(pk=queue.pk).update(
        slots_done=done,
        slots_total=total,
        items_total=total // 2,
        items_labeled=queue.decisions.count(),
        items_disputed=disputed,
        disputes_total=disputed,
        filled_at=timezone.now(),
    )
    for worker in workers:
        Seat.objects.create(
            queue=queue,
            user=worker,
            labeled=done // len(workers),
            seconds=7.0 * done / len(workers),
            last_at=timezone.now(),
        )
    queue.refresh_from_db()


def refresh() -> None:
    """Do the database's own maintenance: PostgreSQL collects statistics automatically in production, SQLite
    has none.
    """
    if connection.vendor == "postgresql":
        run("ANALYZE", {})


def addresses(queue: Queue) -> Iterator[tuple[str, str, str]]:
    """Name, who asks, and address of every page."""
    labels = list(queue.schema.labels.order_by("position"))
    report = report_of(queue)
    first, second, _ = next(row for row in report.figures["confusion"] if row[0] != row[1])
    one, other, *_ = next(row for row in report.figures["pairs"] if row[3] < row[2])
    seats = {seat.user_id: seat for seat in queue.seats.all()}
    cells = {
        "labels": (
            f"?labels={labels[first].stable_id}|{labels[second].stable_id}",
            Cell(labels=(labels[first], labels[second])),
        ),
        "people": (f"?people={seats[one].pk}|{seats[other].pk}", Cell(seats=(seats[one], seats[other]))),
    }
    pages = [
        ("quality", "quality", ""),
        ("quality, all people and classes", "quality", "?people=all&labels=all"),
    ]
    for name, (query, cell) in cells.items():
        keys = list(behind(report, cell).values_list("pk", flat=True))
        pages.append((f"items of two {name}", "quality_items", query))
        pages.append(
            (f"items of two {name}, far on", "quality_items", f"{query}&after={keys[len(keys) // 2] - 1}")
        )
    for who in ("lee", "mia"):
        yield f"list ({who})", who, reverse("queues:list")
        yield f"queue ({who})", who, reverse("queues:queue", args=[queue.uuid])
        for name, url, query in pages:
            yield f"{name} ({who})", who, reverse(f"quality:{url}", args=[queue.uuid]) + query
        yield f"quality over REST ({who})", who, reverse("api-labeling-quality", args=[queue.uuid])
    yield "review (ravi)", "ravi", reverse("review:review", args=[queue.uuid])
    yield "list (annotator)", "worker", reverse("queues:list")
    yield "queue with own work (annotator)", "worker", reverse("queues:queue", args=[queue.uuid])
    yield "bench (annotator)", "worker", reverse("queues:bench", args=[queue.uuid])


def clients(queue: Queue, crew: dict[str, User]) -> dict[str, Client]:
    """A browser for each who asks."""
    found = {}
    for name, person in {**crew, "worker": queue.seats.order_by("id")[0].user}.items():
        found[name] = Client()
        found[name].force_login(person)
    return found


def statements(queue: Queue, crew: dict[str, User]) -> dict[str, int]:
    """How many statements each page takes, the second time."""
    browsers, found = clients(queue, crew), {}
    for name, who, address in addresses(queue):
        ask(browsers[who], address)
        with CaptureQueriesContext(connection) as captured:
            ask(browsers[who], address)
        found[name] = len(captured)
    return found


def timed(queue: Queue, crew: dict[str, User], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each page, pages in turn: until it was there, and of this process's CPU."""
    browsers, pages = clients(queue, crew), list(addresses(queue))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in pages}
    for _ in range(rounds):
        for name, who, address in pages:
            began, busy = time.perf_counter(), time.process_time()
            ask(browsers[who], address)
            times[name].append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - busy)))
    return times


def summary(name: str, found: list[tuple[float, float]], few: int, many: int) -> dict[str, Any]:
    """One page's line."""
    walls = sorted(wall for wall, _ in found)
    return {
        "page": name,
        "p50_ms": round(statistics.median(walls), 1),
        "p95_ms": round(walls[-(-95 * len(walls) // 100) - 1], 1),
        "cpu_ms": round(statistics.median(cpu for _, cpu in found), 1),
        "statements": many,
        "statements_small": few,
    }


def ask(client: Client, address: str) -> None:
    """Read a page. Raises RuntimeError unless it is one."""
    answer = client.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}.")
    _ = answer.content
