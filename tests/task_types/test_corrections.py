"""Labels of every type are corrected in an exported file; what is unchanged there changes nothing."""

from __future__ import annotations

import csv
import io
import json

import pytest

from datasets_app.exchange.actions.corrections.reviewing import accept_corrections, upload_corrections
from datasets_app.exchange.models import Correction
from datasets_app.queues.models import Decision
from datasets_app.review.actions.reviews import adjudicate
from lifecycle.runtime.task_types.answers import NO_LABELS
from lifecycle.runtime.task_types.by_key.types import TYPES, type_of
from lifecycle.runtime.task_types.inputs import CellKind
from lifecycle.runtime.task_types.task_type import Content
from lifecycle.runtime.task_types.values import labels_of, type_in, words
from registry.ground.ledger.models import Event
from tests.support.exports import exported
from tests.support.jobs import run_ok
from tests.support.labeling import named, queue_items
from tests.support.unchanged import refused
from tests.task_types.examples import EXAMPLES
from tests.task_types.labeled import decided

pytestmark = pytest.mark.django_db


def upload(version, actor, content: bytes, name: str) -> Correction:
    made = upload_corrections(dataset=version.dataset, actor=actor, content=[content], file_name=name)
    run_ok("default")
    made.refresh_from_db()
    return made


def cell_of(version, value) -> str:
    """A value in a column of labels."""
    content = value[type_of(version.dataset.task).answers.name]
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def table_of(version, mia) -> list[dict[str, str]]:
    """An export as rows of a spreadsheet, in the order of the items."""
    _, content = exported(version, mia, "csv")
    rows = {row["item"]: row for row in csv.DictReader(io.StringIO(content.decode(), newline=""))}
    return [rows[item.digest] for item in version.dataset.items.order_by("id")]


def packed(rows: list[dict[str, str]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, ["item", "decision", "label"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


# ── Unchanged ───────────────────────────────────────────────────────────────
# a folder has only texts with the columns that name a row
FOLDERS = [key for key, kind in TYPES.items() if kind.content is Content.TEXT]
KINDS = [(key, kind) for key in TYPES for kind in ("csv", "xlsx")] + [(key, "hf") for key in FOLDERS]


def test_a_file_that_was_not_changed_changes_nothing(version, mia, ravi):
    made, content = exported(version, mia, "csv")

    found = upload(version, ravi, content, made.file_name)

    assert (found.state, found.report["look"]["counts"]) == ("looked", {"unchanged": 12})
    with refused(match="changes no label"):
        accept_corrections(correction_id=found.uuid, actor=ravi)


@pytest.mark.parametrize(("key", "kind"), KINDS)
def test_a_file_with_hostile_texts_that_was_not_changed_changes_nothing(hostile, mia, ravi, kind):
    made, content = exported(hostile, mia, kind)

    found = upload(hostile, ravi, content, made.file_name)

    assert found.report["look"]["counts"] == {"unchanged": hostile.counts["rows"]}


# ── Corrected ───────────────────────────────────────────────────────────────
def as_reported(value) -> str:
    """A value in the list of changes, which has nothing that people wrote."""
    kind = type_in(value)
    if kind.has_labels:
        return ", ".join(sorted(labels_of(value))) or NO_LABELS
    return "a text" if kind.writes_text else words(value, {})


def test_corrected_rows_supersede_their_decisions_and_others_stay(version, values, mia, ravi):
    table, before = table_of(version, mia), decided(version.dataset.queues.get())
    table[0]["label"] = cell_of(version, values[2])
    old = Decision.objects.get(item__digest=table[0]["item"], item__dataset=version.dataset)

    found = upload(version, ravi, packed(table), "fixed.csv")

    queue = version.dataset.queues.get()
    assert found.report["look"]["counts"] == {"changed": 1, "unchanged": 11}
    assert found.report["look"]["pairs"] == [[as_reported(values[0]), as_reported(values[2]), 1]]
    assert decided(queue) == before
    accept_corrections(correction_id=found.uuid, actor=ravi)
    run_ok("default")
    found.refresh_from_db()
    assert (found.state, found.report["written"]) == ("written", {"changed": 1, "unchanged": 11})
    assert decided(queue) == [(values[2], "adjudicated", ravi, 0), *before[1:]]
    made = Decision.objects.get(file=found.blob)
    assert (made.supersedes, made.reason, old.digest) == (old, "corrected in fixed.csv", table[0]["decision"])
    events = Event.objects.filter(verb="labeling.labels_corrected")
    payloads = [json.loads(event.canonical)["payload"] for event in events]
    assert [(each["rows"], each["file"]) for each in payloads] == [(1, found.blob.digest)]


@pytest.mark.postgres
def test_a_label_given_after_the_export_is_left_out_unless_chosen(version, values, mia, ravi):
    rows = table_of(version, mia)[:1]
    queue = version.dataset.queues.get()
    item, given = queue_items(queue)[0], {"reason": "By the guideline.", "queue_id": queue.uuid}
    adjudicate(item_id=item.uuid, actor=ravi, value=named(queue, values[1]), **given)
    unchanged = upload(version, ravi, packed(rows), "unchanged.csv")
    rows[0]["label"] = cell_of(version, values[2])

    found = upload(version, ravi, packed(rows), "fixed.csv")

    assert unchanged.report["look"]["counts"] == {"unchanged": 1}
    assert found.report["look"]["counts"] == {"moved": 1}
    (case,) = found.report["look"]["cases"]["moved"]
    assert (case["line"], case["now"], case["in_file"]) == (2, *map(as_reported, values[1:3]))
    with refused(match="changes no label"):
        accept_corrections(correction_id=found.uuid, actor=ravi)
    accept_corrections(correction_id=found.uuid, actor=ravi, take_moved=True)
    run_ok("default")
    assert decided(queue)[0] == (values[2], "adjudicated", ravi, 0)


def test_rows_that_cannot_be_read_are_counted_and_change_nothing(key, version, mia, ravi):
    first, second, *others = table_of(version, mia)
    bad = [cell.text for cell, _ in EXAMPLES[key].bad_cells if cell.kind is CellKind.COLUMN and cell.text]
    rows = [
        first | {"item": "f" * 64},
        second | {"label": ""},
        *({**row, "label": cell} for row, cell in zip(others, bad, strict=False)),
    ]

    found = upload(version, ravi, packed(rows), "fixed.csv")

    assert found.report["look"]["counts"] == {"unknown_item": 1, "unreadable": len(rows) - 1}
    assert len(rows) > 2
