"""The parts of the ingest benchmark, each a process of its own: `python -m benchmarks.ingest_product PART
JSON`.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import django

SEED, REPEATED, TEXTS = 1, 0.02, 20_000
SUBJECTS = (
    "My card",
    "The transfer",
    "Your app",
    "The invoice",
    "My parcel",
    "The refund",
    "This account",
    "Our contract",
)
DEEDS = (
    "was declined",
    "has not arrived",
    "does not open",
    "shows the wrong amount",
    "was charged twice",
    "is still pending",
    "got lost",
)
PLACES = (
    "at the till",
    "since Monday",
    "on my phone",
    "in another country",
    "after the update",
    "at the cash machine",
    "in the shop",
)
WISHES = (
    "please help me",
    "what should I do",
    "can you look at it",
    "I need it today",
    "how long will it take",
    "who can I call",
)
COLUMNS = ("id", "text", "channel", "received_at")


def rows(count: int) -> Iterator[tuple[str, str, str, str]]:
    """Made-up messages; some repeat an earlier one."""
    chance = random.Random(SEED)
    for number in range(count):
        reference = chance.randrange(number) if number and chance.random() < REPEATED else number
        pick = random.Random(reference)
        text = (
            f"{pick.choice(SUBJECTS)} {pick.choice(DEEDS)} {pick.choice(PLACES)}, {pick.choice(WISHES)}?"
            f" Reference {reference:,}."
        )
        yield f"m-{number}", text, "mail", f"2026-01-{1 + number % 28:02}T08:00:00Z"


def make_files(folder: str, rows_of: list[int]) -> dict[str, Any]:
    """The same rows as CSV and as JSONL, in every size."""
    Path(folder).mkdir()
    for count in rows_of:
        table, lines = Path(folder) / f"{count}.csv", Path(folder) / f"{count}.jsonl"
        with table.open("w", encoding="utf-8", newline="") as one, lines.open("w", encoding="utf-8") as other:
            writer = csv.writer(one)
            writer.writerow(COLUMNS)
            for row in rows(count):
                writer.writerow(row)
                other.write(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n")
    return {}


def prepare() -> dict[str, Any]:
    """People, a dataset with items and an open queue on them, and an empty dataset."""
    from django.core.management import call_command

    from tests.support import labeling
    from tests.support.people import make_project

    call_command("migrate", verbosity=0)
    project = make_project("benchmark", "Benchmark")
    person = make_person("ana", project)
    other = labeling.make_dataset(
        project, person, [f"Item {number} waits to be labeled." for number in range(TEXTS)]
    )
    labeling.make_queue(other, person)
    drain()
    labeling.make_dataset(project, person, name="Ingest", slug="ingest")
    return {}


def make_person(username: str, project: Any) -> Any:
    """A user who may upload, label and open queues."""
    from benchmarks.banking77_product import person
    from registry.ground.access.actions import grant
    from registry.ground.access.roles import Role

    user = person(username, Role.LEAD, project)
    for role in (Role.ANALYST, Role.ADJUDICATOR):
        grant(user=user, role=role, root=project, actor=None)
    return user


def drain() -> None:
    """Run queued jobs."""
    from benchmarks.banking77_product import drain as run_all

    run_all()


def receive(file: str) -> dict[str, Any]:
    """Upload the file, run the dry run, and accept it; its import is queued."""
    from datasets_app.datasets import actions
    from datasets_app.datasets.models import Dataset
    from registry.ground.access.models import User

    person, dataset, path = User.objects.get(username="ana"), Dataset.objects.get(slug="ingest"), Path(file)
    upload = actions.receive_upload(dataset=dataset, actor=person, file=path, file_name=path.name)
    began = time.monotonic()
    actions.inspect(upload_id=upload.uuid, actor=person)
    drain()
    took = time.monotonic() - began
    actions.accept_upload(upload_id=upload.uuid, actor=person)
    return {"upload": str(upload.uuid), "dry_run_s": round(took, 2)}


def run_import(upload: str, count: int) -> dict[str, Any]:
    """The waiting job, from its claim to its end."""
    from datasets_app.datasets.models import Item, Upload
    from lifecycle.ground.jobs import actions as jobs
    from lifecycle.ground.jobs import runner
    from lifecycle.ground.jobs.rules import Queue

    began, cpu = time.monotonic(), time.process_time()
    job = next(job for queue in Queue.values if (job := jobs.claim(queue)))
    runner.execute(job)
    took, busy = time.monotonic() - began, time.process_time() - cpu
    row = Upload.objects.get(uuid=upload)
    if (row.state, row.rows_read) != ("imported", count) or Item.objects.filter(
        upload=row
    ).count() != row.rows_new:
        raise SystemExit(f"{row.state}: {row.rows_read} rows read, {row.report}")
    return {
        "rows_per_s": round(count / took),
        "seconds": round(took, 2),
        "cpu_us_per_row": round(1e6 * busy / count, 1),
        "new": row.rows_new,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def bare(count: int, file: str) -> dict[str, Any]:
    """The same rows, worked out beforehand, straight into the table; only the statements are timed."""
    from django.db import connection, transaction

    from datasets_app.datasets.actions.writing import room_for_indexes
    from datasets_app.datasets.models import Dataset
    from registry.ground.access.models import User
    from registry.ground.artifacts import actions as artifacts

    dataset, person = Dataset.objects.get(slug="ingest"), User.objects.get(username="ana")
    blob = artifacts.put_bytes(b"bare")
    upload = dataset.uploads.create(
        blob=blob, file_name=Path(file).name, size=1, state="importing", uploaded_by=person
    )
    if connection.vendor == "postgresql":
        seconds = load(upload, count, count, transaction.atomic)
        return {"rows_per_s": round(count / seconds), "how": "one COPY, one transaction"}
    with room_for_indexes():
        seconds = load(upload, count, 1_000, transaction.atomic)
        found = {"rows_per_s": round(count / seconds), "how": "executemany, 1,000 rows a transaction"}
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM datasets_item WHERE upload_id = %s", [upload.pk])
        return {
            **found,
            "one_transaction_rows_per_s": round(count / load(upload, count, count, transaction.atomic)),
        }


def load(upload: Any, count: int, each: int, atomic: Any) -> float:
    """Seconds in the statements and commits of a bare load, `each` rows a transaction."""
    from django.db import connection

    from datasets_app.datasets.actions.writing import COLUMNS as COLUMNS_OF_ITEM

    columns = ", ".join(map(connection.ops.quote_name, COLUMNS_OF_ITEM))
    copied = connection.vendor == "postgresql"
    statement = (
        f"COPY datasets_item ({columns}) FROM STDIN"
        if copied
        else (f"INSERT INTO datasets_item ({columns}) VALUES ({', '.join(['%s'] * len(COLUMNS_OF_ITEM))})")
    )
    seconds, source = 0.0, cells(upload, count)
    while some := list(islice(source, each)):
        began = time.perf_counter()
        with atomic(), connection.cursor() as cursor:
            if copied:
                with cursor.copy(statement) as copy:
                    for row in some:
                        copy.write_row(row)
            else:
                cursor.executemany(statement, some)
        seconds += time.perf_counter() - began
    return seconds


def cells(upload: Any, count: int) -> Iterator[tuple[Any, ...]]:
    """The rows of the file as the table holds them, without the repeated ones but as many."""
    from datasets_app.datasets.actions.writing import ordered_uuids, prepare, values
    from datasets_app.datasets.importing.mapping import Draft, read_time

    seen: set[str] = set()
    for line, (key, text, channel, at) in enumerate(rows(count), start=2):
        text = text if text not in seen else f"{text} {line}"
        seen.add(text)
        draft = Draft(line, text, "", key, "", read_time(at), "", {"channel": channel})
        yield (upload.dataset_id, upload.pk, *ordered_uuids(1), *values(prepare(draft)))


def claims() -> dict[str, Any]:
    """Claim slots and release them until a line on stdin. Times in milliseconds."""
    from datasets_app.queues.actions.claims import claim, release
    from datasets_app.queues.models import Queue
    from registry.ground.access.models import User

    queue, person = Queue.objects.get(), User.objects.get(username="ana")
    stop, times = threading.Event(), []
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    while not stop.wait(0.05):
        began = time.perf_counter()
        held = claim(queue_id=queue.uuid, actor=person)
        times.append(1000 * (time.perf_counter() - began))
        release(queue_id=queue.uuid, actor=person, slot_ids=[slot.pk for slot in held])
    times.sort()
    p95 = times[-(-95 * len(times) // 100) - 1]
    return {
        "claims": len(times),
        "claim_p50_ms": round(times[len(times) // 2], 1),
        "claim_p95_ms": round(p95, 1),
    }


def main() -> None:
    """Run the part that the command names."""
    part, given = sys.argv[1], json.loads(sys.argv[2])
    if part == "files":
        print(json.dumps(make_files(given["folder"], given["rows"])))
        return
    django.setup()
    found = {
        "prepare": lambda: prepare(),
        "receive": lambda: receive(given["file"]),
        "claims": lambda: claims(),
        "import": lambda: run_import(given["upload"], given["rows"]),
        "bare": lambda: bare(given["rows"], given["file"]),
    }[part]()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
