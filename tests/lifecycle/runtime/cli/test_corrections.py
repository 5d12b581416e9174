"""Corrected labels are uploaded from a shell: a dry run first, then saved once accepted."""

from __future__ import annotations

import csv

import pytest

from datasets_app.exchange.correcting import Outcome
from datasets_app.exchange.models import Correction
from datasets_app.queues.models import Decision
from datasets_app.schemas.queries.labels import value_of
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.models import Export
from lifecycle.runtime.cli.commands.corrections import OUTCOMES
from registry.ground.artifacts.actions import open_blob
from registry.ground.ledger.models import Event
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_ok
from tests.support.snapshots import freeze

ROWS = [(f"text {n}", ("card", "cash", "fees")[n % 3]) for n in range(12)]


@pytest.fixture
def inbox(project, ana, mia):
    dataset = make_dataset(project, ana, "Inbox")
    import_texts(dataset, ROWS, ana)
    freeze(dataset, mia)
    return dataset


@pytest.fixture
def exported(inbox, mia):
    """The first snapshot as a CSV file."""
    snapshots.export(snapshot_id=inbox.snapshots.get().uuid, actor=mia, format="csv")
    run_ok()
    with open_blob(Export.objects.get().blob.digest) as file:
        return file.read().decode()


@pytest.fixture
def sheet(exported, tmp_path):
    """The file with its first label corrected and its second set to an unknown label."""
    path = tmp_path / "corrected.csv"
    rows = list(csv.DictReader(exported.splitlines()))
    rows[0]["label"] = "fees" if rows[0]["label"] != "fees" else "card"
    rows[1]["label"] = "feez"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_outcomes_are_those_of_the_product():
    assert list(OUTCOMES) == Outcome.values


def test_a_dry_run_changes_no_label(as_person, inbox, sheet, ravi, site):
    decided = Decision.objects.count()

    result = as_person(ravi)("corrections", "upload", str(sheet), "--dataset", inbox.slug)

    made = Correction.objects.get()
    lines = result.out.splitlines()
    assert (result.code, result.waits) == (0, [2.0])
    assert lines[0].split() == ["File", "corrected.csv,", "looked"]
    assert [line.split() for line in lines if line.startswith(("Rows", "Changed", "Unknown label"))] == [
        ["Rows", "12"],
        ["Changed", "1"],
        ["Unknown", "label", "1"],
    ]
    assert "feez: not a label, 1 row. Did you mean fees?" in lines
    assert lines[-2:] == [
        "No label changed yet.",
        f"Accept it with: lifecycle corrections upload {made.uuid} --accept",
    ]
    assert (made.state, Decision.objects.count()) == ("looked", decided)
    assert as_person(ravi)("corrections", "list", inbox.slug).out.splitlines()[1].split()[:4] == [
        str(made.uuid),
        "corrected.csv",
        "looked",
        "1",
    ]


def test_an_earlier_dry_run_is_accepted_once(as_person, inbox, sheet, ravi):
    command = as_person(ravi)
    command("corrections", "upload", str(sheet), "--dataset", inbox.slug)
    made = Correction.objects.get()

    result = command("corrections", "upload", str(made.uuid), "--accept")

    assert (result.code, result.out) == (
        0,
        "1 label saved. Left as they are: unchanged 10, unknown label 1.\n",
    )
    new = Decision.objects.get(file=made.blob)
    assert (new.by, new.how, value_of(new) != value_of(new.supersedes)) == (ravi, "adjudicated", True)
    again = command("corrections", "upload", str(made.uuid), "--accept")
    assert (again.code, again.err) == (
        1,
        f"This file is written already. See: lifecycle corrections show {made.uuid}\n",
    )
    assert command("corrections", "show", str(made.uuid)).out.splitlines()[-1].startswith("1 label saved.")


def test_a_file_that_no_export_wrote_is_refused_with_what_to_do(as_person, inbox, ravi, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("text,label\nhello,card\n")

    result = as_person(ravi)("corrections", "upload", str(path), "--dataset", inbox.slug, "--accept")

    assert (result.code, result.out, Correction.objects.get().state) == (1, "", "failed")
    assert "Export the dataset version as CSV, Excel, JSONL, or Parquet" in result.err


def test_mistakes_and_people_without_the_role_upload_nothing(as_person, inbox, sheet, ravi, ana):
    command, before = as_person(ravi), Event.objects.count()

    assert command("corrections", "upload", "nowhere.csv").err == "There is no file nowhere.csv.\n"
    assert command("corrections", "upload", str(sheet)).err == "Name the file's dataset: --dataset SLUG.\n"
    assert (Correction.objects.count(), Event.objects.count()) == (0, before)
    refused = as_person(ana)("corrections", "upload", str(sheet), "--dataset", inbox.slug)
    assert (refused.code, Correction.objects.count()) == (1, 0)


def test_a_pending_file_is_discarded(as_person, inbox, ravi, lee, mia, sheet):
    as_person(ravi)("corrections", "upload", str(sheet), "--dataset", inbox.slug)
    found = Correction.objects.get()

    assert as_person(mia)("corrections", "discard", str(found.uuid)).code == 1
    assert as_person(lee)("corrections", "discard", str(found.uuid)).out == "corrected.csv is discarded.\n"
    found.refresh_from_db()
    assert found.state == "discarded"
