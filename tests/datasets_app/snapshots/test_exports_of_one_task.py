"""Exports that are special to one task: cells of written texts, pairs of strings, unpaired preferences, and
label names in a folder.
"""

from __future__ import annotations

import io
import json
import zipfile

import pyarrow.parquet as pq
import pytest

from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.labels import latest_schema, names_in, value_of
from lifecycle.runtime.task_types.values import rename
from tests.support.datasets import import_file, make_dataset
from tests.support.exports import exported
from tests.support.snapshots import freeze

pytestmark = pytest.mark.django_db


def lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def decided(dataset) -> dict[str, object]:
    names = names_in(latest_schema(dataset))
    return {row.item.digest: rename(value_of(row), names) for row in current_decisions(dataset)}


def facts(dataset) -> dict[str, tuple]:
    """The text, content, and other columns of each item."""
    fields = ("text", "content", "external_id", "group", "event_time", "metadata")
    return {digest: rest for digest, *rest in dataset.items.values_list("digest", *fields)}


def test_a_written_text_is_a_plain_cell_of_a_table(project, ana, mia):
    dataset = make_dataset(project, ana, task="generation")
    rows = [{"instruction": f"Sum up {n}.", "output": f"@short {n}"} for n in range(12)]
    import_file(dataset, ana, lines(rows), "rows.jsonl")

    _, content = exported(freeze(dataset, mia), mia, "csv")

    assert b",'@short 5," in content


@pytest.mark.postgres
def test_strings_of_a_pair_stay_strings(project, ana, mia):
    first = make_dataset(project, ana, task="preference")
    import_file(
        first,
        ana,
        lines([{"prompt": f"{n}?", "chosen": "4", "rejected": "5"} for n in range(12)]),
        "rows.jsonl",
    )
    made, content = exported(freeze(first, mia), mia, "trl")
    second = make_dataset(project, ana, task="preference")

    import_file(second, ana, content, made.file_name)

    assert facts(second) == facts(first)
    assert decided(second) == decided(first)


def test_unpaired_preferences_round_trip(project, ana, mia):
    first = make_dataset(project, ana)
    import_file(
        first,
        ana,
        lines([{"prompt": f"{n}?", "completion": "4", "label": n % 2 == 0} for n in range(12)]),
        "rows.jsonl",
    )
    snapshot = freeze(first, mia)

    for kind in ("csv", "jsonl", "hf", "unpaired"):
        made, content = exported(snapshot, mia, kind)
        second = make_dataset(project, ana)
        import_file(second, ana, content, made.file_name)
        assert facts(second) == facts(first), kind
        assert decided(second) == decided(first), kind


def test_a_folder_has_label_names_in_the_file_and_in_the_card(project, ana, mia):
    dataset = make_dataset(project, ana, name="Inbox of single_label")
    import_file(
        dataset, ana, lines([{"text": f"text {n}", "label": "abc"[n % 3]} for n in range(20)]), "r.jsonl"
    )

    _, content = exported(freeze(dataset, mia), mia, "hf")

    packed = zipfile.ZipFile(io.BytesIO(content))
    assert packed.namelist() == [
        "README.md",
        *(f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")),
    ]
    card = packed.read("README.md").decode()
    assert "  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': a\n" in card
    assert r"# Inbox of single\_label, version 1" in card
    schema = parquet_schema(packed.read("data/test-00000-of-00001.parquet"))
    assert schema["info"]["features"]["label"] == {"names": ["a", "b", "c"], "_type": "ClassLabel"}


def parquet_schema(content: bytes) -> dict:
    return json.loads(pq.read_schema(io.BytesIO(content)).metadata[b"huggingface"])
