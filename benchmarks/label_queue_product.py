"""The product's side of the queue benchmark, each part a process of its own: `python -m
benchmarks.label_queue_product PART JSON`.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import django

LABELS, OVERLAP = 77, 2


def prepare(rows: int, people: int) -> dict[str, Any]:
    """An installation with a queue of `rows` items that two people answer each, of which a fifth has its
    answers; and signed-in people.
    """
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client
    from django.urls import reverse

    from registry.ground.access.actions import grant
    from registry.ground.access.models import User
    from registry.ground.access.roles import Role
    from tests.support.labeling import make_dataset, make_queue
    from tests.support.people import make_person, make_project

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    began = time.monotonic()
    project = make_project("benchmark", "Benchmark")
    mia = make_person("mia", project=project, role=Role.ENGINEER)
    dataset = make_dataset(project, mia, ["The first text."], name="Messages", slug="messages")
    queue = make_queue(dataset, mia, schema=[f"class_{at:02}" for at in range(LABELS)], overlap=OVERLAP)
    queue.slots.all().delete()
    crowd = [
        User.objects.create_user(f"annotator-{at:02}", display_name=f"Annotator {at}") for at in range(people)
    ]
    for person in crowd:
        grant(user=person, role=Role.ANALYST, root=project, actor=None)
    fill(dataset, queue, rows, [person.pk for person in crowd])
    sessions = []
    for person in crowd:
        browser = Client()
        browser.force_login(person)
        sessions.append({"user": person.pk, "session": browser.cookies[settings.SESSION_COOKIE_NAME].value})
    return {
        "bench": reverse("queues:bench", args=[queue.uuid]),
        "people": sessions,
        "laid_down_s": round(time.monotonic() - began, 1),
        "items": rows,
        "slots": OVERLAP * rows,
        "answered": OVERLAP * (rows // 5),
        "newest_answer": top("queues_annotation"),
    }


def fill(dataset: Any, queue: Any, rows: int, people: list[int]) -> None:
    """The rows of everything, a statement each, as the product's own actions would have left them."""
    from django.db import connection
    from django.utils import timezone

    from benchmarks.labeling_pages_product import AGO, DIGEST, ITEM, NUMBERS, UUID, refresh, run

    vendor, done = connection.vendor, rows // 5
    given = {
        "items": rows,
        "done": done,
        "dataset": dataset.pk,
        "upload": dataset.uploads.first().pk,
        "queue": queue.pk,
        "overlap": OVERLAP,
        "now": f"{timezone.now():%Y-%m-%d %H:%M:%S}",
        "base": top("datasets_item"),
        "label": queue.schema.labels.order_by("pk")[0].pk,
    }
    numbers, pair = NUMBERS[vendor], "(SELECT 0 AS a UNION ALL SELECT 1) AS pair"
    both = f"SELECT i, a FROM ({numbers}) AS m, {pair}"
    person = f"({people[0]} + (i * 7919 + a) %% {len(people)})"
    label = f"(%(label)s + i %% {LABELS})"
    ids = "2 * i + a - 1"
    run(
        f"""INSERT INTO datasets_item (id, uuid, dataset_id, upload_id, line, text, digest, normal_digest, {", ".join(ITEM)})
        SELECT %(base)s + i, {UUID[vendor]}, %(dataset)s, %(upload)s, i + 1, 'Where is the money of transfer ' || i || '?',
        {DIGEST[vendor]}, {DIGEST[vendor]}, {", ".join(ITEM.values())} FROM ({numbers}) AS k""",  # noqa: E501
        given,
    )
    run(
        f"""INSERT INTO queues_annotation
        (id, uuid, queue_id, item_id, user_id, action, label_id, reason, seconds, gold, client_key, created_at)
        SELECT {ids}, {UUID[vendor]}, %(queue)s, %(base)s + i, {person}, 'label', {label}, '', 3 + (i * 17 + a) %% 9, FALSE,
        {UUID[vendor]}, {AGO[vendor]} FROM ({both}) AS k WHERE i <= %(done)s""",  # noqa: E501
        given,
    )
    run(
        f"""INSERT INTO queues_slot (id, queue_id, item_id, priority, is_gold, state, user_id, annotation_id)
        SELECT {ids}, %(queue)s, %(base)s + i, 0, FALSE,
        CASE WHEN i <= %(done)s THEN 2 ELSE 0 END, CASE WHEN i <= %(done)s THEN {person} END,
        CASE WHEN i <= %(done)s THEN {ids} END FROM ({both}) AS k""",
        given,
    )
    run(
        f"""INSERT INTO queues_decision (id, uuid, item_id, label_id, queue_id, how, reason, digest, created_at)
        SELECT i, {UUID[vendor]}, %(base)s + i, {label}, %(queue)s, 'unanimous', '', {DIGEST[vendor]}, {AGO[vendor]}
        FROM ({numbers}) AS k WHERE i <= %(done)s""",  # noqa: E501
        given,
    )
    run(
        f"""INSERT INTO queues_decision_annotations (decision_id, annotation_id)
        SELECT i, {ids} FROM ({both}) AS k WHERE i <= %(done)s""",
        given,
    )
    counters(dataset, queue, rows, people)
    if vendor == "postgresql":
        for table in ("datasets_item", "queues_annotation", "queues_slot", "queues_decision"):
            run(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))", {})
        run("VACUUM", {})
    refresh()


def counters(dataset: Any, queue: Any, rows: int, people: list[int]) -> None:
    """What the actions count, and where each person is in the queue."""
    from django.utils import timezone

    from datasets_app.queues.models import Queue, Seat

    done = rows // 5
    type(dataset).objects.filter(pk=dataset.pk).update(items_total=rows + 1)
    Queue.objects.filter(pk=queue.pk).update(
        slots_done=OVERLAP * done,
        slots_total=OVERLAP * rows,
        items_total=rows,
        items_labeled=done,
        filled_at=timezone.now(),
    )
    each = OVERLAP * done // len(people)
    Seat.objects.bulk_create(
        Seat(
            queue=queue,
            user_id=person,
            priority=0,
            slot=OVERLAP * done,
            labeled=each,
            seconds=7.0 * each,
            last_at=timezone.now(),
        )
        for person in people
    )


def top(table: str) -> int:
    """The largest key of a table."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}")
        return int(cursor.fetchone()[0])


def check(files: list[str], newest_answer: int) -> dict[str, Any]:
    """Whether what the server handed out and took is true of the database. files: what each load wrote.
    newest_answer: before any load.
    """
    from datasets_app.queues.masks import unmask
    from datasets_app.queues.models import Annotation, Queue, Slot

    lines = sorted(
        (json.loads(line) for file in files for line in Path(file).read_text().splitlines()),
        key=lambda each: each["begun"],
    )
    holds: dict[int, dict[int, list[float]]] = defaultdict(dict)  # slot → person → from, until
    for line in lines:
        line["handed"] = [unmask(slot, "slot") for slot in line["handed"]]
        line["slot"] = line["slot"] and unmask(line["slot"], "slot")
        for slot in line["handed"]:
            holds[slot].setdefault(line["user"], [line["ended"], float("inf")])
        if line["slot"]:
            holds[line["slot"]][line["user"]][1] = line["begun"]
    double = sum(overlapping(list(each.values())) for each in holds.values())
    rows = {
        row[0]: row[1:]
        for ids in parts(list(holds))
        for row in Slot.objects.filter(pk__in=ids).values_list("pk", "state", "user_id")
    }
    answered = {(line["slot"], line["user"]) for line in lines if line["slot"]}
    held = {(slot, user) for slot, people in holds.items() for user in people}
    differs = sum(
        rows[slot] != (Slot.State.DONE if (slot, user) in answered else Slot.State.LEASED, user)
        for slot, user in held
    )
    kept = Annotation.objects.filter(pk__gt=newest_answer, action=Annotation.Action.LABEL).values_list(
        "uuid", "item_id", "user_id"
    )
    judged, saved = Counter(), set()
    for uuid, item, user in kept.iterator():
        judged[item, user] += 1
        saved.add(str(uuid))
    submitted = [line["annotation"] for line in lines if line["kind"] == "submit"]
    answers = Counter(item for item, _ in judged.elements())
    queue = Queue.objects.get()
    return {
        "handed_out": len(held),
        "answers": len(submitted),
        "double_holds": double,
        "differs_from_database": differs,
        "judged_twice": sum(count > 1 for count in judged.values()),
        "judged_too_often": sum(count > OVERLAP for count in answers.values()),
        "lost": len(set(submitted) - saved),
        "unasked": len(saved - set(submitted)),
        "counter_off": queue.slots_done - queue.slots.filter(state=Slot.State.DONE).count(),
    }


def overlapping(spans: list[list[float]]) -> int:
    """How many of these stretches of time begin before an earlier one has ended."""
    spans.sort()
    return sum(later[0] < earlier[1] for earlier, later in zip(spans, spans[1:], strict=False))


def parts(keys: list[int]) -> list[list[int]]:
    """Keys for one statement each."""
    return [keys[at : at + 500] for at in range(0, len(keys), 500)]


def main() -> None:
    """Run the part that the command names."""
    part, given = sys.argv[1], json.loads(sys.argv[2])
    django.setup()
    print(json.dumps({"prepare": prepare, "check": check}[part](**given)))


if __name__ == "__main__":
    main()
