"""Snapshots of tasks with more than one label per item: split by the rarest label, exported with their
structure.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from datasets_app.snapshots import actions, queries
from datasets_app.snapshots.dividing import divide
from datasets_app.snapshots.models import Export
from datasets_app.snapshots.rules import Row
from registry.ground.artifacts import actions as artifacts
from tests.support.jobs import run_ok
from tests.support.labeling import annotate, make_dataset, make_queue, queue_items
from tests.support.snapshots import freeze

SHARES = {"train": 80, "validation": 10, "test": 10}


def row(item: str, *classes: str) -> Row:
    return Row(
        item, f"u-{item}", f"d-{item}", f"du-{item}", json.dumps(classes), f"n-{item}", "", "", "", classes
    )


def test_rare_labels_reach_every_split():
    rows = [row(f"{n:03}", "often", *(["rare"] if n % 20 == 0 else [])) for n in range(100)]
    rows += [row(f"none{n:02}") for n in range(10)]

    found = Counter(
        (placed.split, name)
        for placed in divide(rows, seed=1, shares=SHARES).placed
        for name in placed.row.named or ("",)
    )

    assert {split: found[split, "rare"] for split in SHARES} == {"train": 3, "validation": 1, "test": 1}
    assert {split: found[split, "often"] for split in SHARES} == {"train": 79, "validation": 10, "test": 11}
    assert {split: found[split, ""] for split in SHARES} == {"train": 8, "validation": 1, "test": 1}


@pytest.fixture
def spans(project, mia, ana):
    dataset = make_dataset(project, ana, [f"Anna {n} of Siemens" for n in range(10)], task="spans")
    queue = make_queue(dataset, mia, schema=["PER", "ORG"])
    for n, item in enumerate(queue_items(queue)):
        end = item.text.index("Siemens")
        marks = [{"start": end, "end": end + 7, "label": "ORG"}] if n % 2 else []
        annotate(queue, ana, item, {"spans": [{"start": 0, "end": 4, "label": "PER"}, *marks]})
    return dataset


@pytest.mark.django_db
def test_spans_are_frozen_and_exported_as_lists(spans, mia):
    snapshot = freeze(spans, mia)
    actions.export(snapshot_id=snapshot.uuid, actor=mia, format="jsonl")
    run_ok("default")

    with artifacts.local_copy(Export.objects.get().blob.digest) as path:
        found = {line["text"]: line["label"] for line in map(json.loads, path.read_text().splitlines())}
    assert found["Anna 1 of Siemens"] == [
        {"start": 0, "end": 4, "label": "PER"},
        {"start": 10, "end": 17, "label": "ORG"},
    ]
    assert found["Anna 2 of Siemens"] == [{"start": 0, "end": 4, "label": "PER"}]
    assert sum(snapshot.counts["labels"]["PER"].values()) == 10
    assert sum(snapshot.counts["labels"]["ORG"].values()) == 5
    assert queries.labels_of(snapshot) == ["PER", "ORG"]


@pytest.mark.django_db
def test_written_texts_are_in_the_export_but_not_in_the_manifest(project, ana, mia):
    asked = [{"role": "user", "content": "Hi?"}]
    dataset = make_dataset(project, ana, [{"messages": asked, "n": n} for n in range(10)], task="chat")
    queue = make_queue(dataset, mia, schema=[])
    for n, item in enumerate(queue_items(queue)):
        annotate(queue, ana, item, {"messages": [*asked, {"role": "assistant", "content": f"Hello {n}!"}]})
    snapshot = freeze(dataset, mia)

    actions.export(snapshot_id=snapshot.uuid, actor=mia, format="jsonl")
    run_ok("default")

    assert {row.label for row in queries.open_snapshot(snapshot)} == {""}
    with artifacts.local_copy(Export.objects.get().blob.digest) as path:
        found = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["label"][-1]["content"] for line in found) == [f"Hello {n}!" for n in range(10)]
    assert all(line["content"]["messages"] == asked for line in found)
