"""The parts of the export benchmark, each a process of its own: `python -m benchmarks.export_product PART
JSON`.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = ("id", "text", "label", "split", "group", "time", "item", "decision", "metadata")
READ = 'SELECT external_id, text, "group", event_time, digest, metadata FROM datasets_item LIMIT {rows}'
DECISION = "5f" * 32
FETCH = 1_000
LABELS = 77
DIGEST = {"postgresql": "encode(sha256(convert_to(i::text, 'UTF8')), 'hex')", "sqlite": "sha256_of(i)"}
TEXT = (
    "'My transfer ' || i || ' to another country has not arrived since Monday, can you look at it? It is for"
    " the rent of this month.'"
)


def prepare(sizes: list[int]) -> dict[str, Any]:
    """An installation with a dataset of the largest size and a version of each size. Its manifest is in the
    product's order, by item digest.
    """
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from benchmarks.labeling_pages_product import NUMBERS, UUID, refresh, run
    from registry.ground.access.roles import Role
    from tests.support.labeling import make_dataset, make_schema
    from tests.support.people import make_person, make_project

    call_command("migrate", verbosity=0)
    began, vendor = time.monotonic(), connection.vendor
    project = make_project("benchmark", "Benchmark")
    mia = make_person("mia", project=project, role=Role.ENGINEER)
    dataset = make_dataset(project, mia, name="Messages", slug="messages")
    schema = make_schema(dataset, mia, [f"class_{at:02}" for at in range(LABELS)])
    connection.ensure_connection()
    if vendor == "sqlite":
        connection.connection.create_function(
            "sha256_of", 1, lambda i: hashlib.sha256(str(i).encode()).hexdigest(), deterministic=True
        )
    given = {
        "items": max(sizes),
        "dataset": dataset.pk,
        "upload": dataset.uploads.get().pk,
        "now": f"{timezone.now():%Y-%m-%d %H:%M:%S}",
    }
    run(
        f"""INSERT INTO datasets_item
        (uuid, dataset_id, upload_id, line, text, digest, normal_digest, external_id, "group", split, metadata, event_time)
        SELECT {UUID[vendor]}, %(dataset)s, %(upload)s, i + 1, {TEXT}, {DIGEST[vendor]}, {DIGEST[vendor]}, 'm-' || i, '', '',
        '{{"channel": "mail"}}', %(now)s FROM ({NUMBERS[vendor]}) AS k""",  # noqa: E501
        given,
    )
    refresh()
    snapshots = {
        str(size): snapshot(dataset, schema, mia, number, size) for number, size in enumerate(sizes, start=1)
    }
    return {"snapshots": snapshots, "laid_down_s": round(time.monotonic() - began, 1)}


def snapshot(dataset: Any, schema: Any, mia: Any, number: int, size: int) -> str:
    """A dataset version of so many items. Returns its uuid."""
    from datasets_app.snapshots import manifest
    from datasets_app.snapshots.models import Snapshot
    from registry.ground.artifacts import actions as artifacts

    items = dataset.items.filter(line__lte=size + 1).order_by("digest").values_list("digest", "uuid")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.parquet"
        with pq.ParquetWriter(
            path,
            manifest.SCHEMA,
            compression="zstd",
            use_dictionary=["label", "split"],
            write_statistics=True,
        ) as writer:
            for rows in chunks(items.iterator(chunk_size=10_000), manifest.ROW_GROUP):
                digests, uuids = [row[0] for row in rows], [str(row[1]) for row in rows]
                labels = [f"class_{int(digest[:4], 16) % LABELS:02}" for digest in digests]
                splits = [
                    ("train", "validation", "test")[max(0, int(digest[4:6], 16) % 10 - 7)]
                    for digest in digests
                ]
                columns = [digests, uuids, digests[::-1], uuids[::-1], labels, splits, digests]
                writer.write_table(pa.table(columns, schema=manifest.SCHEMA))
        blob = artifacts.put_file(path)
    made = Snapshot.objects.create(
        dataset=dataset,
        number=number,
        schema=schema,
        manifest=blob,
        digest=f"{number:064x}",
        test_digest=f"{number:064x}",
        seed=1,
        shares={"train": 80, "validation": 10, "test": 10},
        counts={"rows": size, "splits": {}, "labels": {}},
        leakage={},
        created_by=mia,
    )
    return str(made.uuid)


def chunks(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Lists of so many rows."""
    some = []
    for row in rows:
        some.append(row)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def export(snapshot: str, kind: str, rows: int) -> dict[str, Any]:
    """The product's own job, from its claim to its end: the rows read and written, the file kept by digest,
    the export noted.
    """
    import django

    django.setup()
    from datasets_app.snapshots import actions
    from datasets_app.snapshots.models import Export
    from lifecycle.ground.jobs import actions as jobs
    from lifecycle.ground.jobs import runner
    from registry.ground.access.models import User

    job = actions.export(snapshot_id=snapshot, actor=User.objects.get(username="mia"), format=kind)
    before, began, cpu = peak_mb(), time.monotonic(), time.process_time()
    runner.execute(next(found for queue in ("default", "scans") if (found := jobs.claim(queue))))
    took, busy = time.monotonic() - began, time.process_time() - cpu
    job.refresh_from_db()
    made = Export.objects.filter(snapshot__uuid=snapshot, format=kind).order_by("-id").first()
    if made is None or made.rows != rows:
        raise SystemExit(f"{job.state}: {job.error}")
    return {
        "rows_per_s": round(rows / took),
        "seconds": round(took, 2),
        "cpu_us_per_row": round(1e6 * busy / rows, 1),
        "peak_mb": round(peak_mb(), 1),
        "idle_mb": round(before, 1),
        "file_mb": round(made.blob.size / 2**20, 1),
    }


def bare(database: str, kind: str, rows: int) -> dict[str, Any]:
    """The same columns of the same items by one statement, in the order of the table, 1,000 rows at a time,
    written as they come. What the manifest contains (label, split, decision) is made up; no progress, no
    digest of the file, no reading of the manifest.
    """
    began, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        write = {"jsonl": write_json, "parquet": write_arrow}[kind]
        write(Path(folder) / "file", read(database, rows))
    took, busy = time.monotonic() - began, time.process_time() - cpu
    return {
        "rows_per_s": round(rows / took),
        "seconds": round(took, 2),
        "cpu_us_per_row": round(1e6 * busy / rows, 1),
        "peak_mb": round(peak_mb(), 1),
    }


def read(database: str, rows: int) -> Iterator[list[tuple[Any, ...]]]:
    """Pages of items. database: a PostgreSQL URL, by a cursor on the server; or the path of an SQLite
    file.
    """
    if not database.startswith("postgres"):
        cursor = sqlite3.connect(database).execute(READ.format(rows=rows))
        while page := cursor.fetchmany(FETCH):
            yield [(*row[:5], json.loads(row[5])) for row in page]
        return
    import psycopg

    with psycopg.connect(database) as connection, connection.cursor(name="bare") as on_server:
        on_server.execute(READ.format(rows=rows))
        while page := on_server.fetchmany(FETCH):
            yield [(*row[:3], row[3].isoformat(), *row[4:]) for row in page]


def write_json(path: Path, pages: Iterator[list[tuple[Any, ...]]]) -> None:
    """A json.dumps of a dictionary for every row."""
    with path.open("w", encoding="utf-8") as file:
        for page in pages:
            for key, text, group, at, item, metadata in page:
                row = {
                    "id": key,
                    "text": text,
                    "label": "class_01",
                    "split": "train",
                    "group": group,
                    "time": at,
                    "item": item,
                    "decision": DECISION,
                    "metadata": metadata,
                }
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_arrow(path: Path, pages: Iterator[list[tuple[Any, ...]]]) -> None:
    """A pyarrow table of columns for every page, compressed as the product does."""
    schema = pa.schema([(column, pa.string()) for column in COLUMNS])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for page in pages:
            keys, texts, groups, times, items, metadata = zip(*page, strict=True)
            encoded = [json.dumps(each, ensure_ascii=False) for each in metadata]
            columns = [
                keys,
                texts,
                ["class_01"] * len(page),
                ["train"] * len(page),
                groups,
                times,
                items,
                [DECISION] * len(page),
                encoded,
            ]
            writer.write_table(pa.table([pa.array(each, pa.string()) for each in columns], schema=schema))


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the part that the command names."""
    part, given = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps({"prepare": prepare, "export": export, "bare": bare}[part](**given)))


if __name__ == "__main__":
    main()
