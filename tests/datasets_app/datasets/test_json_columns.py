"""One JSON object of columns, as written by pandas and `datasets`, is read as rows in constant memory."""

from __future__ import annotations

import json
import tracemalloc
import zipfile

import pytest

from datasets_app.datasets.importing import readers, sniffing
from datasets_app.datasets.importing.readers import Reading
from datasets_app.datasets.models import Item
from tests.support.datasets import import_file, make_dataset, receive

COLUMNS = Reading("utf-8", "json_columns", "", has_header=False)
LISTS = b'{"text": ["my card", "money", "\\u00fc\\n"], "label": ["007", 1.50, null]}'
ROW_BY_ROW = (
    b'{"text": {"0": "my card", "1": "money", "2": "\\u00fc\\n"}, "label": {"0": "007", "1": 1.50, "2":'
    b" null}}"
)


def parser_of(tmp_path, content: bytes, name: str = "a.json") -> str:
    path = tmp_path / "file"
    path.write_bytes(content)
    return sniffing.propose(path, name, "utf-8").parser


@pytest.mark.parametrize(
    "content", [LISTS, ROW_BY_ROW, LISTS.replace(b", ", b",\n  "), b"\xef\xbb\xbf" + LISTS]
)
@pytest.mark.parametrize("packed", [False, True])
def test_columns_become_rows_with_unchanged_values(tmp_path, content, packed):
    path = tmp_path / "file"
    path.write_bytes(content)
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.json", content)

    reading = sniffing.propose(path, "a.json", "utf-8-sig" if content[:1] == b"\xef" else "utf-8")

    assert reading.parser == "json_columns"
    assert readers.header(path, reading).columns == ("text", "label")
    assert [(row.line, *row.values.values()) for row in readers.read_rows(path, reading)] == [
        (1, "my card", "007"),
        (2, "money", "1.50"),
        (3, "ü\n", ""),
    ]


@pytest.mark.parametrize(
    ("content", "parser"),
    [
        (b'{"tokens": ["a", "b"]}\n{"tokens": ["c"]}\n', "jsonl"),
        (b'{"text": "a", "label": "b"}', "jsonl"),
        (b'{"text": "a", "tags": ["b"]}', "jsonl"),
        (b'{"messages": [{"role": "user", "content": "a"}]}', "jsonl"),
        (b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}', "jsonl"),
        (b'{"text": ["a"], "label": ["b"]}', "json_columns"),
        (b'{"text": ["a", "b"], "label": ["b"]}', "doccano"),
        (b'{"text": ["' + b"a" * 70_000 + b'", "b"], "label": ["b", "c"]}', "json_columns"),
        (b'{"messages": [{"role": "user", "content": "' + b"a" * 70_000 + b'"}]}\n{}', "jsonl"),
        (b'[{"text": "a"}]', "json"),
    ],
)
def test_an_object_of_columns_is_distinguished_from_an_object_per_line(tmp_path, content, parser):
    assert parser_of(tmp_path, content) == parser


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"text": ["a", "b"], "label": ["c"]}', "The column 'text' has 2 values, 'label' has 1."),
        (
            b'{"text": {"0": "a"}, "label": {"1": "c"}}',
            "The columns 'text' and 'label' don't name the same rows in the same order.",
        ),
        (b'{"text": ["a"', "The file ends where ] was expected."),
        (b'{"text": ["a"], "text": ["b"]}', "The file has the column 'text' twice."),
        (b'{"text": ["a"]} x', "The file has extra text after the JSON object."),
        (b'{"version": 1}', "The file is one JSON object, and none of its keys has a list of values."),
        (b'{"text": [tru]}', "The file isn't one JSON object of columns (expecting value)."),
    ],
)
def test_an_invalid_object_of_columns_blocks(tmp_path, content, sentence):
    path = tmp_path / "file"
    path.write_bytes(content)

    assert [(each.code, each.sentence, each.blocks) for each in readers.header(path, COLUMNS).problems] == [
        ("json", sentence, True)
    ]
    assert list(readers.read_rows(path, COLUMNS)) == []


def test_other_values_are_ignored_and_objects_are_flattened(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b'{"version": "1", "data": [{"text": "a", "by": {"id": 7}}, {"text": "b"}]}')

    header = readers.header(path, COLUMNS)
    assert (header.columns, [(each.code, each.notice) for each in header.problems]) == (
        ("data.text", "data.by.id"),
        [("left_out", True)],
    )
    assert [row.values for row in readers.read_rows(path, COLUMNS)] == [
        {"data.text": "a", "data.by.id": "7"},
        {"data.text": "b"},
    ]


def test_a_long_file_of_columns_is_read_in_constant_memory(tmp_path):
    path = tmp_path / "file"
    count = 30_000
    path.write_text(
        json.dumps(
            {"text": [f"{n} " + "x" * 300 for n in range(count)], "label": [str(n % 7) for n in range(count)]}
        )
    )
    tracemalloc.start()
    try:
        found = sum(1 for _ in readers.read_rows(path, COLUMNS))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (found, path.stat().st_size > 9_000_000) == (count, True)
    assert peak < 5_000_000


@pytest.mark.django_db
def test_a_file_of_columns_is_imported(project, ana):
    upload = import_file(make_dataset(project, ana), ana, LISTS.replace(b"null", b'"none"'), "train.json")

    assert (upload.parser, upload.mapping, upload.rows_new) == (
        "json_columns",
        {"text": "text", "label": "label"},
        3,
    )
    assert list(Item.objects.order_by("line").values_list("text", flat=True)) == ["my card", "money", "ü\n"]


@pytest.mark.django_db
def test_columns_of_different_lengths_import_nothing(project, ana):
    content = b'{"text": ["a", "b"], \n"label": ["c"]}'

    upload = receive(make_dataset(project, ana), ana, content, "train.json")

    assert (upload.parser, upload.report["dry_run"]["blocked"], upload.report["dry_run"]["rows"]) == (
        "json_columns",
        True,
        0,
    )
    assert not Item.objects.exists()
