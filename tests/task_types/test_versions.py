"""A version of a dataset of every type has its rows with their labels, and changes with them alone."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from datasets_app.review.actions.reviews import adjudicate
from datasets_app.snapshots import actions, queries
from datasets_app.snapshots.models import Export, Snapshot
from lifecycle.runtime.task_types.answers import ItemContent, canonical
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.values import labels_of
from registry.ground.artifacts import actions as artifacts
from tests.support.jobs import run_ok
from tests.support.labeling import named, queue_items
from tests.support.snapshots import freeze

pytestmark = pytest.mark.django_db


def labels_in(snapshot: Snapshot) -> dict[str, str]:
    """The label of each row of the manifest, by item."""
    return {row.item: row.label for row in queries.open_snapshot(snapshot)}


def test_a_version_has_each_row_with_its_label_but_no_written_text(key, version, values):
    answers, items = type_of(key).answers, list(version.dataset.items.order_by("id"))
    given = dict(zip(items, values[:2] * 6, strict=True))

    assert labels_in(version) == {item.digest: answers.frozen(value) for item, value in given.items()}
    assert (version.counts["rows"], version.counts["splits"]) == (
        12,
        Counter(row.split for row in queries.open_snapshot(version)),
    )
    assert min(version.counts["splits"].values()) > 0
    used = [label for value in given.values() for label in labels_of(value)]
    assert {name: sum(each.values()) for name, each in version.counts["labels"].items()} == {
        name: used.count(name) for name in used
    }
    assert queries.labels_of(version) == [
        name for name in ("PERSON", "ORG", "PLACE") if name in used and type_of(key).has_labels
    ]
    if type_of(key).writes_text:
        assert {*labels_in(version).values()} == {""}


def test_the_engine_reads_each_row_once_with_its_value(key, version, values, tmp_path):
    items = list(version.dataset.items.order_by("id"))
    expected = {}
    for item, value in zip(items, values[:2] * 6, strict=True):
        row = formats_of(key).engine_row(ItemContent(item.text, item.content or {}), value)
        expected[item.digest] = canonical(row)

    found, counts = {}, {}
    for split in version.counts["splits"]:
        counts[split] = queries.write_split(version, split, tmp_path / split)
        for line in (tmp_path / split).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            digest, _ = row.pop("id"), row.pop("cluster")
            found[digest] = canonical(row)

    assert counts == version.counts["splits"]
    assert found == expected


def test_an_export_has_every_item_with_its_value(key, version, values, mia):
    actions.export(snapshot_id=version.uuid, actor=mia, format="jsonl")
    run_ok("default")

    with artifacts.local_copy(Export.objects.get().blob.digest) as path:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = {row["item"]: (row["label"], row.get("content"), row["split"]) for row in rows}
    splits = {row.item: row.split for row in queries.open_snapshot(version)}
    name, items = type_of(key).answers.name, list(version.dataset.items.order_by("id"))
    assert found == {
        item.digest: (value[name], item.content, splits[item.digest])
        for item, value in zip(items, values[:2] * 6, strict=True)
    }


def test_the_same_labels_give_the_same_digest_and_another_label_changes_its_row_alone(
    version, values, mia, lee, ravi
):
    again = freeze(version.dataset, lee, shares={"train": 50, "validation": 25, "test": 25})
    queue = version.dataset.queues.get()
    item = queue_items(queue)[0]
    adjudicate(
        queue_id=queue.uuid,
        item_id=item.uuid,
        actor=ravi,
        value=named(queue, values[2]),
        reason="By the guideline.",
    )

    later = freeze(version.dataset, mia)

    assert (again.digest, again.test_digest, again.manifest) == (
        version.digest,
        version.test_digest,
        version.manifest,
    )
    assert (again.number, again.parent) == (2, version)
    answers = version.dataset.task_type.answers
    assert later.digest != version.digest
    assert labels_in(later) == labels_in(version) | {item.digest: answers.frozen(values[2])}
    rows = [{row.item: row.split for row in queries.open_snapshot(each)} for each in (version, later)]
    assert rows[0] == rows[1]
    (changed,) = queries.newer(later, version)
    assert (changed.items, len(changed.decisions)) == ([], 1)
