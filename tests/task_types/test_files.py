"""A row that the dry run accepts is imported, and one that it rejects is left out."""

from __future__ import annotations

import json

import pytest

from datasets_app.datasets import actions
from datasets_app.datasets.models import UploadState
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.labels import latest_schema, names_in, value_of
from lifecycle.runtime.task_types.inputs import CellKind
from lifecycle.runtime.task_types.values import rename
from tests.support.datasets import make_dataset, receive
from tests.support.jobs import run_ok
from tests.task_types.examples import EXAMPLES

pytestmark = pytest.mark.django_db
REPLY = {"role": "assistant", "content": "We send one."}
EDITED = REPLY | {"content": "It's on its way."}


def asked(text):
    return {"role": "user", "content": text}


def imported(project, ana, task, rows):
    """An upload of these rows with the lines and codes of its problems, and the resolved labels, by name, of
    each row id.
    """
    dataset = make_dataset(project, ana, task=task)
    roles = {name: {"annotation": "label"}.get(name, name) for name in rows[0]}
    upload = receive(
        dataset, ana, "".join(json.dumps(row) + "\n" for row in rows).encode(), "rows.jsonl", mapping=roles
    )
    actions.accept_upload(upload_id=upload.uuid, actor=ana, labels_as="decisions")
    run_ok("default")
    upload.refresh_from_db()
    names = names_in(latest_schema(dataset))
    decided = {row.item.external_id: rename(value_of(row), names) for row in current_decisions(dataset)}
    problems = [
        (each["line"], each["code"]) for each in upload.report["dry_run"]["problems"] if not each["notice"]
    ]
    return upload, problems, decided


@pytest.mark.parametrize("task", EXAMPLES)
def test_rows_that_the_dry_run_accepts_are_imported_and_the_others_are_left_out(project, ana, task):
    example = EXAMPLES[task]
    good = [
        (cell.text, value)
        for cell, value in example.cells
        if cell.kind is CellKind.COLUMN and '"B-' not in cell.text
    ]
    bad = [(cell.text, code) for cell, code in example.bad_cells if cell.kind is CellKind.COLUMN]
    rows = [
        {"id": f"r{at}", **example.row(at), "annotation": text}
        for at, (text, _) in enumerate(good + bad, start=1)
    ]

    upload, problems, decided = imported(project, ana, task, rows)

    assert (upload.state, problems) == (
        UploadState.IMPORTED,
        [(at, code) for at, (_, code) in enumerate(bad, start=len(good) + 1)],
    )
    assert decided == {f"r{at}": value for at, (_, value) in enumerate(good, start=1) if value is not None}
    assert (upload.rows_new, upload.rows_failed) == (len(good), len(bad))


def test_a_dialogue_in_which_a_turn_of_the_user_differs_is_rejected_before_the_import(project, ana):
    edits = ([asked("Money?"), EDITED], [asked("Login?"), EDITED | {"mood": "kind"}], [asked("Ok?"), EDITED])
    rows = [
        {"id": text, "messages": [asked(text), REPLY], "annotation": turns}
        for text, turns in zip(("Card?", "Login?", "Ok?"), edits, strict=True)
    ]

    upload, problems, decided = imported(project, ana, "chat", rows)

    assert (upload.state, problems) == (UploadState.IMPORTED, [(1, "turn_changed"), (2, "turn_keys")])
    assert decided == {"Ok?": {"messages": [asked("Ok?"), EDITED]}}


@pytest.mark.parametrize(
    ("task", "annotation"), [("single_label", "zero\u200bwidth"), ("multi_label", ["a", "zero\u200bwidth"])]
)
def test_a_label_that_no_schema_can_have_is_rejected_before_the_import(project, ana, task, annotation):
    rows = [
        {"id": "r1", "text": "one", "annotation": annotation},
        {"id": "r2", "text": "two", "annotation": "a"},
    ]

    upload, problems, decided = imported(project, ana, task, rows)

    assert (upload.state, problems, list(decided)) == (UploadState.IMPORTED, [(1, "label")], ["r2"])
