"""Freezing through the real import, rules, and job."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.snapshots import actions, queries
from datasets_app.snapshots.actions import freezing
from datasets_app.snapshots.models import Export, Snapshot, SplitAssignment
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs import runner
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.models import Event
from tests.support.datasets import import_file, import_texts, make_dataset
from tests.support.jobs import run_jobs, run_ok
from tests.support.snapshots import freeze
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
ROWS = [(f"text {label} {n}", label) for label in ("card", "cash") for n in range(20)]


@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana)


@pytest.fixture
def decided(dataset, ana) -> Dataset:
    """A dataset with the forty rows."""
    import_texts(dataset, ROWS, ana)
    return dataset


@pytest.fixture
def frozen(decided, mia) -> Snapshot:
    return freeze(decided, mia)


def test_a_snapshot_contains_the_labeled_items(decided, ana, mia):
    import_texts(decided, ["unlabeled one", "unlabeled two"], ana)
    snapshot = freeze(decided, mia, note="first")

    assert (snapshot.number, snapshot.parent, snapshot.created_by, snapshot.note) == (1, None, mia, "first")
    assert snapshot.counts == {
        "rows": 40,
        "splits": {"train": 32, "validation": 4, "test": 4},
        "labels": {
            "card": {"train": 16, "validation": 2, "test": 2},
            "cash": {"train": 16, "validation": 2, "test": 2},
        },
        "label_protocol": snapshot.counts["label_protocol"],
    }
    assert (snapshot.leakage["leaked"], snapshot.leakage["unlabeled"], snapshot.leakage["left_out"]) == (
        0,
        2,
        {},
    )
    assert SplitAssignment.objects.filter(snapshot=snapshot).count() == 40
    assert queries.labels_of(snapshot) == ["card", "cash"]
    verbs = list(Event.objects.order_by("id").values_list("verb", flat=True))
    assert verbs[-2:] == ["snapshots.requested", "snapshots.created"]


def test_a_later_snapshot_keeps_every_split_and_splits_only_new_items(frozen, decided, ana, mia):
    first = {row.item: row.split for row in queries.open_snapshot(frozen)}
    import_texts(
        decided, [(f"more {label} {n}", label) for label in ("card", "cash") for n in range(20)], ana
    )
    second = freeze(decided, mia, seed=99)
    later = {row.item: row.split for row in queries.open_snapshot(second)}

    assert {item: later[item] for item in first} == first
    assert second.counts["splits"] == {"train": 64, "validation": 8, "test": 8}


def test_splits_of_the_file_are_kept_and_leaking_rows_are_left_out_and_shown(dataset, ana, mia):
    rows = [
        *((text, label, "train") for text, label in ROWS),
        ("Where is it?", "card", "test"),
        ("So much!", "cash", "test"),
    ]
    import_texts(dataset, [*rows, ("where is  it", "card", "train")], ana, header=("text", "label", "split"))
    snapshot = freeze(dataset, mia)
    leaked = Item.objects.get(text="where is  it")
    kept = Item.objects.get(text="Where is it?")

    assert snapshot.leakage["left_out"] == {"leak": 1}
    assert snapshot.leakage["cases"] == [
        {
            "item_uuid": str(leaked.uuid),
            "reason": "leak",
            "split": "train",
            "against": str(kept.uuid),
            "against_split": "test",
        }
    ]
    assert queries.contains(snapshot, leaked) is None
    assert queries.contains(snapshot, kept).split == "test"
    assert snapshot.leakage["carved"] == snapshot.counts["splits"]["validation"] == 4
    assert [(found.number, row.split) for found, row in queries.snapshots_with(kept)] == [(1, "test")]
    assert queries.snapshots_with(leaked) == []


def test_a_split_is_written_in_the_engines_format(frozen, tmp_path):
    assert queries.write_split(frozen, "test", tmp_path / "test.jsonl") == 4
    lines = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text().splitlines()]
    assert [(line["id"], line["cluster"]) for line in lines] == [
        (row.item, row.cluster) for row in queries.rows_of(frozen, "test")
    ]
    assert {(line["text"], line["label"]) for line in lines} <= set(ROWS)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([(f"t{n}", "only") for n in range(9)], "All rows have the same label, so a model can't be trained."),
        ([("a", "x"), ("b", "y")], "The validation split would be empty."),
        ([("a", "x"), ("A!", "y")], "All 2 labeled rows are excluded."),
    ],
)
def test_rows_that_cannot_be_trained_on_are_not_frozen(dataset, ana, mia, rows, sentence):
    import_texts(dataset, rows, ana)
    actions.freeze(dataset=dataset, actor=mia)
    job = run_jobs()[-1]

    assert (job.state, job.error) == ("failed", f"The version wasn't created. {sentence}")
    assert Snapshot.objects.count() == SplitAssignment.objects.count() == 0


def test_a_dataset_without_labels_is_refused_immediately(dataset, ana, mia):
    import_texts(dataset, ["a", "b"], ana)

    with refused():
        actions.freeze(dataset=dataset, actor=mia)
    assert not Job.objects.filter(kind="snapshots.create").exists()


def test_two_freezes_at_once_and_a_stale_form_are_refused(decided, mia):
    actions.freeze(dataset=decided, actor=mia, after=0)
    with refused(by=Conflict):
        actions.freeze(dataset=decided, actor=mia, after=0)
    run_ok()

    with refused(by=Conflict, naming=("Version 1",)):
        actions.freeze(dataset=decided, actor=mia, after=0)
    assert Snapshot.objects.count() == 1


@pytest.mark.parametrize("step", ["read_rows", "leakage", "record", "write_batch", "write_assignments"])
def test_a_freeze_that_dies_at_any_step_gives_the_same_snapshot_when_rerun(decided, mia, monkeypatch, step):
    real, calls = getattr(freezing, step), []

    def die_once(*args, **kwargs):
        calls.append(1)
        result = real(*args, **kwargs)
        if len(calls) == 1:
            raise ConnectionError("killed")
        return result

    monkeypatch.setattr(freezing, step, die_once)
    freeze(decided, mia)
    monkeypatch.undo()

    assert Snapshot.objects.count() == 1
    assert SplitAssignment.objects.count() == 40
    assert Snapshot.objects.get().digest == freeze(decided, mia).digest


def test_decisions_made_after_a_freeze_began_are_not_in_it(decided, ana, mia, monkeypatch):
    real, calls = freezing.read_rows, []

    def die_once(*args):
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("killed")
        return real(*args)

    monkeypatch.setattr(freezing, "read_rows", die_once)
    actions.freeze(dataset=decided, actor=mia)
    runner.execute(jobs.claim("default"), beating=False)
    monkeypatch.undo()
    import_texts(decided, [("late", "card")], ana)

    assert Snapshot.objects.get().counts["rows"] == 40


@pytest.fixture
def of_odd_cells(dataset, ana, mia) -> Snapshot:
    """The forty rows and two more: a formula, and a text of two lines."""
    import_texts(dataset, [*ROWS, ("=cmd|'/c calc'!A1", "card"), ('multi\nline "quoted"', "cash")], ana)
    return freeze(dataset, mia)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_an_export_contains_every_row(of_odd_cells, mia, kind):
    actions.export(snapshot_id=of_odd_cells.uuid, actor=mia, format=kind)
    run_ok()
    made = Export.objects.get()

    assert (made.rows, made.neutralised) == (42, 1 if kind == "csv" else 0)
    content = artifacts.open_blob(made.blob.digest).read()
    if kind == "csv":
        assert b"'=cmd|" in content
    if kind == "jsonl":
        assert "=cmd|'/c calc'!A1" in [json.loads(line)["text"] for line in content.splitlines()]
    assert Event.objects.filter(verb="snapshots.exported").count() == 1


@pytest.mark.parametrize("who", ["ana", "gita", "otto"])
def test_only_engineers_and_leads_freeze(request, decided, ana, who):
    with pytest.raises(PermissionDenied):
        actions.freeze(dataset=decided, actor=ana if who == "ana" else request.getfixturevalue(who))
    assert not Job.objects.filter(kind="snapshots.create").exists()


@pytest.mark.journey  # 13,083 rows: too long for the fast suite
def test_banking77_is_frozen_with_its_own_split(dataset, ana, mia):
    folder = Path(os.environ.get("SHARED_DATA") or settings.BASE_DIR.parent / "shared" / "data") / "banking77"
    if not folder.exists():
        pytest.skip("The real data set is not here.")
    train = import_file(dataset, ana, (folder / "train.csv").read_bytes(), "train.csv", default_split="train")
    test = import_file(dataset, ana, (folder / "test.csv").read_bytes(), "test.csv", default_split="test")
    snapshot = freeze(dataset, mia)
    left_out = sum(snapshot.leakage["left_out"].values())

    assert (train.rows_read, test.rows_read) == (10_003, 3_080)
    assert datasets.items(dataset).count() == train.rows_new + test.rows_new
    assert snapshot.counts["rows"] + left_out == train.rows_new + test.rows_new
    assert snapshot.counts["splits"]["test"] == test.rows_new
    assert snapshot.leakage["leaked"] == 0
    assert len(snapshot.counts["labels"]) == 77
    assert Counter(row.split for row in queries.open_snapshot(snapshot)) == snapshot.counts["splits"]
