"""How Label Studio looks for a person's next task, replayed as bare SQL: `python -m
benchmarks.label_queue_peer PART JSON`.

The statements are those of its label stream with sequential sampling, its default: the person's own lock; the
ids of all tasks that are not labeled and that the person has not annotated, every one of them fetched; then
for each candidate the row with FOR UPDATE SKIP LOCKED (SQLite has no such lock, and Label Studio opens no
transaction there), the count of other people's locks and of annotations; and the lock that is set on the
first one with room. What its own code, serializers and HTTP cost is left out, and so are the looks for
postponed drafts and skipped tasks, and, with two answers a task, the count of annotations over all open tasks
("breadth first"). The tables hold the same rows as the product's, in the same database, with the columns that
count and the indexes that Label Studio makes. Each person is a process with a connection. The annotation
after a task (with the state of the task and the removal of the lock) is untimed.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

READY: Any = None
PROJECT, OVERLAP, LOCK = 1, 2, timedelta(days=1)  # a lock's time by default
TABLES = """
CREATE TABLE ls_task (id {key}, project_id integer NOT NULL, data {json} NOT NULL, is_labeled boolean NOT NULL, overlap integer NOT NULL,
    inner_id bigint NOT NULL, total_annotations integer NOT NULL, created_at {moment} NOT NULL, updated_at {moment} NOT NULL);
CREATE TABLE ls_annotation (id {key}, task_id bigint NOT NULL, project_id integer NOT NULL, completed_by_id bigint NOT NULL,
    was_cancelled boolean NOT NULL, ground_truth boolean NOT NULL, result {json} NOT NULL, lead_time double precision,
    created_at {moment} NOT NULL, last_action varchar(128));
CREATE TABLE ls_tasklock (id {key}, task_id bigint NOT NULL, user_id bigint NOT NULL, expire_at {moment} NOT NULL);
INSERT INTO ls_task SELECT i.id, 1, {object}('text', i.text), d.id IS NOT NULL, 2, i.id, CASE WHEN d.id IS NULL THEN 0 ELSE 2 END,
    '2026-01-01 08:00:00+00:00', '2026-01-01 08:00:00+00:00'
    FROM datasets_item i LEFT JOIN queues_decision d ON d.item_id = i.id WHERE i.text <> 'The first text.';
INSERT INTO ls_annotation SELECT a.id, a.item_id, 1, a.user_id, false, false, {result}, a.seconds, a.created_at, 'submitted'
    FROM queues_annotation a JOIN schemas_label l ON l.id = a.label_id
"""  # noqa: E501
INDEXES = {
    "ls_task": (
        "project_id",
        "project_id, is_labeled",
        "project_id, inner_id",
        "id, project_id",
        "id, overlap",
        "overlap",
        "project_id, id",
        "total_annotations",
    ),
    "ls_annotation": (
        "task_id",
        "project_id",
        "completed_by_id",
        "task_id, ground_truth",
        "task_id, completed_by_id",
        "id, task_id",
        "task_id, was_cancelled",
        "was_cancelled",
        "ground_truth",
        "created_at",
        "last_action",
        "project_id, ground_truth",
        "project_id, was_cancelled",
        "project_id, id",
    ),
    "ls_tasklock": ("task_id", "user_id"),
}
UNSOLVED = """ls_task.project_id = {p} AND NOT (ls_task.id IN (
    SELECT DISTINCT u.task_id FROM ls_annotation u JOIN ls_task t ON t.id = u.task_id
    WHERE u.completed_by_id = {p} AND t.project_id = {p} AND u.task_id IS NOT NULL)) AND NOT ls_task.is_labeled"""  # noqa: E501
OWN_LOCK = """SELECT ls_task.* FROM ls_task JOIN ls_tasklock k ON k.task_id = ls_task.id
    WHERE {unsolved} AND k.user_id = {p} AND k.expire_at > {p} ORDER BY ls_task.id LIMIT 1"""
OPEN_IDS = "SELECT ls_task.id FROM ls_task WHERE {unsolved} ORDER BY ls_task.id"
CANDIDATE = "SELECT ls_task.* FROM ls_task WHERE ls_task.id = {p}"
LOCKS = "SELECT COUNT(*) FROM ls_tasklock WHERE task_id = {p} AND expire_at > {p} AND NOT (user_id = {p})"
ANSWERS = """SELECT COUNT(*) FROM ls_annotation WHERE task_id = {p}
    AND NOT ((was_cancelled AND NOT (completed_by_id = {p})) OR ground_truth)"""
SET_LOCK = "INSERT INTO ls_tasklock (task_id, user_id, expire_at) VALUES ({p}, {p}, {p})"


class Annotator:
    """One person of Label Studio with a connection. database: a PostgreSQL URL, or the path of an SQLite
    file.
    """

    def __init__(self, database: str, user: int) -> None:
        self.user, self.queries, self.on_server = user, 0, database.startswith("postgres")
        self.connection = connect(database)
        mark = "%s" if self.on_server else "?"
        texts = (OWN_LOCK, OPEN_IDS, CANDIDATE, LOCKS, ANSWERS, SET_LOCK)
        self.statements = {text: text.format(p=mark, unsolved=UNSOLVED.format(p=mark)) for text in texts}

    def run(self, statement: str, *given: Any) -> list[tuple[Any, ...]]:
        """One statement and all rows of its answer."""
        self.queries += 1
        cursor = self.connection.execute(self.statements[statement], given)
        return cursor.fetchall() if cursor.description else []

    def next_task(self) -> int:
        """The next task, locked. Raises LookupError when none is left."""
        now, unsolved = datetime.now(UTC), (PROJECT, self.user, PROJECT)
        if own := self.run(OWN_LOCK, *unsolved, self.user, moment(now)):
            return int(own[0][0])
        for (task,) in self.run(OPEN_IDS, *unsolved):
            if self.run(CANDIDATE, task) and self.room(task, now):
                self.run(SET_LOCK, task, self.user, moment(now + LOCK))
                return int(task)
        raise LookupError("Nothing was left: take more rows.")

    def room(self, task: int, now: datetime) -> bool:
        """Whether a task may have one more annotator."""
        locks = self.run(LOCKS, task, moment(now), self.user)[0][0]
        return bool(locks + self.run(ANSWERS, task, self.user)[0][0] < OVERLAP)

    def answer(self, task: int) -> None:
        """Annotate a task and let go of it."""
        mark = "%s" if self.on_server else "?"
        self.connection.execute(
            f"""INSERT INTO ls_annotation (task_id, project_id, completed_by_id, was_cancelled, ground_truth, result, created_at)
            VALUES ({mark}, 1, {mark}, false, false, '[]', {mark})""",  # noqa: E501
            (task, self.user, moment(datetime.now(UTC))),
        )
        self.connection.execute(
            f"""UPDATE ls_task SET total_annotations = total_annotations + 1, is_labeled = total_annotations + 1 >= overlap
            WHERE id = {mark}""",  # noqa: E501
            (task,),
        )
        self.connection.execute(
            f"DELETE FROM ls_tasklock WHERE task_id = {mark} AND user_id = {mark}", (task, self.user)
        )

    def click(self) -> tuple[float, int]:
        """One next task and its answer. Returns the milliseconds and the statements of the first."""
        begun, self.queries = time.perf_counter(), 0
        if self.on_server:
            with self.connection.transaction():
                task = self.next_task()
        else:
            task = self.next_task()
        took, queries = 1000 * (time.perf_counter() - begun), self.queries
        if self.on_server:
            with self.connection.transaction():
                self.answer(task)
        else:
            self.answer(task)
        return took, queries


def moment(at: datetime) -> str:
    """A moment as both databases compare it."""
    return f"{at:%Y-%m-%d %H:%M:%S.%f}+00:00"


def connect(database: str) -> Any:
    """A connection in autocommit mode, with the product's own settings on SQLite."""
    if database.startswith("postgres"):
        import psycopg

        return psycopg.connect(database, autocommit=True)
    connection = sqlite3.connect(database, timeout=20, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def lay_down(database: str) -> dict[str, Any]:
    """The tables, from the product's rows."""
    began, on_server = time.monotonic(), database.startswith("postgres")
    kinds = {
        "key": "bigserial PRIMARY KEY" if on_server else "integer PRIMARY KEY AUTOINCREMENT",
        "json": "jsonb" if on_server else "text",
        "moment": "timestamptz" if on_server else "datetime",
        "object": "jsonb_build_object" if on_server else "json_object",
        "result": (
            "jsonb_build_array(jsonb_build_object('type', 'choices', 'from_name', 'class', 'to_name', 'text',"
            " 'value', jsonb_build_object('choices', jsonb_build_array(l.name))))"
        ),
    }
    if not on_server:
        kinds["result"] = (
            kinds["result"]
            .replace("jsonb_build_array", "json_array")
            .replace("jsonb_build_object", "json_object")
        )
    connection = connect(database)
    for statement in TABLES.format(**kinds).split(";"):
        connection.execute(statement)
    for table, indexes in INDEXES.items():
        for columns in indexes:
            connection.execute(
                f"CREATE INDEX ON {table} ({columns})" if on_server else index_on(table, columns)
            )
        if on_server:
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT COALESCE(MAX(id), 1) FROM"
                f" {table}))"
            )
            connection.execute(f"VACUUM ANALYZE {table}")
    return {"laid_down_s": round(time.monotonic() - began, 1)}


def index_on(table: str, columns: str) -> str:
    """The same index where it has to have a name."""
    return f"CREATE INDEX {table}_{columns.replace(', ', '_')} ON {table} ({columns})"


def meet(barrier: Any) -> None:
    """In each person's process, first: where they wait for the others."""
    global READY
    READY = barrier


def person(database: str, user: int, clicks: int) -> list[tuple[float, int]]:
    """One person's clicks, begun when everybody is connected."""
    annotator = Annotator(database, user)
    READY.wait(60)
    return [annotator.click() for _ in range(clicks)]


def ask(database: str, people: list[int], clicks: int) -> dict[str, Any]:
    """So many clicks of each person, all at once. Times in milliseconds."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(people), spawn, meet, (spawn.Barrier(len(people)),)) as pool:
        found = [
            click
            for clicks_of in pool.map(partial(person, database, clicks=clicks), people)
            for click in clicks_of
        ]
    return {"times": [round(took, 2) for took, _ in found], "queries": [queries for _, queries in found]}


def main() -> None:
    """Run the part that the command names."""
    part, given = sys.argv[1], json.loads(sys.argv[2])
    parts: dict[str, Callable[..., dict[str, Any]]] = {"lay_down": lay_down, "ask": ask}
    print(json.dumps(parts[part](**given)))


if __name__ == "__main__":
    main()
