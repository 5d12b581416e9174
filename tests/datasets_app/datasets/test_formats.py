"""Other table formats: JSON lists, Parquet, Excel, plain text and fastText become rows with unchanged
cells.
"""

from __future__ import annotations

import datetime
import json
import os
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import settings

from datasets_app.datasets.importing import dry_run, mapping, readers, sniffing
from datasets_app.datasets.importing.readers import Reading, Row, jsons
from datasets_app.datasets.importing.report import Problem

JSON = Reading("utf-8", "json", "", has_header=False)
PARQUET = Reading("", "parquet", "", has_header=False)
XLSX = Reading("", "xlsx", "", has_header=True)


def read(tmp_path: Path, content: bytes, reading: Reading) -> list[tuple]:
    path = tmp_path / "file"
    path.write_bytes(content)
    return rows_of(path, reading)


def rows_of(path: Path, reading: Reading) -> list[tuple]:
    return [
        (found.line, found.values) if isinstance(found, Row) else (found.line, found.code, found.sentence)
        for found in readers.read_rows(path, reading)
    ]


def test_a_long_parquet_file_is_read_in_constant_memory(tmp_path):
    path, texts = tmp_path / "file", (os.urandom(500).hex() for _ in range(20_000))
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as writer:
        for _ in range(20):
            writer.write_table(pa.table({"text": [next(texts) for _ in range(1_000)]}))
    before, most = pa.total_allocated_bytes(), 0

    for found in readers.read_rows(path, PARQUET):
        if found.line % 1_000 == 1:
            most = max(most, pa.total_allocated_bytes() - before)

    assert found.line == 20_000
    assert most < path.stat().st_size / 3


def test_a_json_list_is_read_with_numbers_as_written(tmp_path):
    content = (
        b'\n[\n {"text": "a", "n": 1.50, "big": 12345678901234567890, "e": 1e5},\n {"text": "b", "meta":'
        b' {"tags": [1.0, "x"]}}]\n'
    )

    assert read(tmp_path, content, JSON) == [
        (1, {"text": "a", "n": "1.50", "big": "12345678901234567890", "e": "1e5"}),
        (2, {"text": "b", "meta.tags": '[1.0, "x"]'}),
    ]


def test_a_duplicate_key_and_a_huge_number_are_a_problem(tmp_path):
    (found,) = read(tmp_path, f'[{{"a": 1, "a": 1, "n": {"1" * 5_000}}}]'.encode(), JSON)

    assert (found[0], found[1]) == (1, "json")


def test_a_json_list_is_read_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(jsons, "BLOCK", 7)
    rows = [
        {"text": f'text {n} \u00fc \\ "quoted" ]', "n": n, "deep": {"of": [n, None, True]}} for n in range(50)
    ]
    path = tmp_path / "file"
    for indent in (None, 2):
        path.write_text(json.dumps(rows, indent=indent), encoding="utf-8")

        found = rows_of(path, JSON)
        assert [line for line, _ in found] == list(range(1, 51))
        assert [values["text"] for _, values in found] == [row["text"] for row in rows]
        assert found[7][1]["deep.of"] == "[7, null, true]"


def test_a_broken_list_blocks_with_the_number_of_its_object(tmp_path):
    broken = read(tmp_path, b'[{"text": "a"}, {"text": "b",}, {"text": "c"}]', JSON)
    cut = read(tmp_path, b'[{"text": "a"}, {"text": "b"}', JSON)

    assert broken[0] == (1, {"text": "a"})
    assert broken[1][:2] == (2, "json")
    assert broken[1][2].startswith("Object 2 isn't valid JSON (")
    assert cut[2] == (2, "json", "The list is truncated after object 2.")
    report = dry_run.examine(tmp_path / "file", JSON, {"text": "text"})
    assert report.blocked


def test_invalid_entries_of_a_list_are_reported_and_the_rest_is_read(tmp_path):
    content = b'[1, {"text": "a", "text": "b"}, {"text": "\\ud800"}, {"text": "fine"}]'

    assert read(tmp_path, content, JSON) == [
        (1, "json", "Entry 1 of the list isn't an object."),
        (2, "json", "Object 2 has a duplicate key."),
        (3, "surrogate", "Object 3 has an unpaired surrogate in column 'text'."),
        (4, {"text": "fine"}),
    ]


def test_an_unclosed_object_is_rejected_in_constant_memory(tmp_path):
    found = read(tmp_path, b'[{"text": "' + b"x" * 9_000_000, JSON)

    assert found == [(1, "long_line", "Object 1 is longer than 4,000,000 characters.")]


def test_a_file_that_isnt_a_list_is_reported(tmp_path):
    assert read(tmp_path, b'{"text": "a"}', JSON) == [(0, "json", "The file isn't one JSON list.")]


def test_parquet_is_flattened_to_texts(tmp_path):
    table = pa.table(
        {
            "text": ["007", "NA", None],
            "meta": [{"user": {"id": 7}, "tags": ["a", "b"]}, {"user": {"id": 8}, "tags": []}, None],
            "at": [datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC), None, None],
            "day": [datetime.date(2026, 1, 2), None, None],
            "price": pa.array([Decimal("1.50"), None, None], pa.decimal128(5, 2)),
            "ok": [True, False, None],
            "picture": [b"\x89PNG", None, None],
            "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
        }
    )
    path = tmp_path / "file"
    pq.write_table(table, path, row_group_size=2)

    assert rows_of(path, PARQUET) == [
        (
            1,
            {
                "text": "007",
                "meta.user.id": "7",
                "meta.tags": '["a", "b"]',
                "at": "2026-01-02T03:04:00+00:00",
                "day": "2026-01-02",
                "price": "1.50",
                "ok": "true",
                "kind": "x",
            },
        ),
        (
            2,
            {
                "text": "NA",
                "meta.user.id": "8",
                "meta.tags": "[]",
                "at": "",
                "day": "",
                "price": "",
                "ok": "false",
                "kind": "y",
            },
        ),
        (3, {"text": "", "meta": "", "at": "", "day": "", "price": "", "ok": "", "kind": "x"}),
    ]
    header = readers.header(path, PARQUET)
    assert header.columns == ("text", "meta.user.id", "meta.tags", "at", "day", "price", "ok", "kind")
    assert [problem.sentence for problem in header.problems] == [
        "Column 'picture' has bytes, which aren't supported."
    ]


def test_class_numbers_of_a_parquet_file_become_names_and_minus_one_means_no_label(tmp_path):
    features = {
        "info": {
            "features": {
                "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
                "text": {"dtype": "string", "_type": "Value"},
            }
        }
    }
    table = pa.table({"text": ["a", "b", "c", "d"], "label": [1, 0, -1, 7]}).replace_schema_metadata(
        {"huggingface": json.dumps(features)}
    )
    path = tmp_path / "file"
    pq.write_table(table, path)

    assert [values["label"] for _, values in rows_of(path, PARQUET)] == ["pos", "neg", "", "7"]


def test_a_damaged_parquet_file_blocks(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"PAR1" + bytes(100))

    assert readers.header(path, PARQUET).problems == (
        Problem(
            0,
            "type",
            "This isn't a Parquet file, or it's damaged.",
            "Write it again with pyarrow, polars, or datasets, or export CSV or JSONL.",
            blocks=True,
        ),
    )
    assert rows_of(path, PARQUET) == []


def workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Data"
    sheet.append(["text", "label", "n", "when", "sum"])
    sheet.append(["007", "NA", 7, datetime.datetime(2026, 1, 2), "=1+1"])
    sheet.append([])
    sheet.append(["b\r\nc", None, 1.5, datetime.datetime(2026, 1, 2, 3, 4, 5), True])
    sheet.append(["too", "x", 1, None, None, "many"])
    sheet.append([None, None, None])
    book.create_sheet("Notes")
    book.save(path)


def test_the_first_sheet_of_a_workbook_is_read_and_the_others_are_reported(tmp_path):
    path = tmp_path / "file"
    workbook(path)

    assert rows_of(path, XLSX) == [
        (2, {"text": "007", "label": "NA", "n": "7", "when": "2026-01-02", "sum": ""}),
        (4, {"text": "b\nc", "label": "", "n": "1.5", "when": "2026-01-02T03:04:05", "sum": "true"}),
        (5, "ragged", "Row 5 has 6 cells; there are 5 columns."),
    ]
    header = readers.header(path, XLSX)
    assert header.columns == ("text", "label", "n", "when", "sum")
    assert [problem.sentence for problem in header.problems] == [
        "Only sheet 'Data' is read; 'Notes' is ignored."
    ]


def test_plain_text_has_one_text_per_line(tmp_path):
    assert read(tmp_path, b"one, two\r\n\n  three\n", Reading("utf-8", "txt", "", has_header=False)) == [
        (1, {"text": "one, two"}),
        (3, {"text": "  three"}),
    ]


def test_fasttext_reads_every_label_of_a_line(tmp_path):
    content = b"__label__pos a good one\n__label__a __label__b both\nno label here\n__label__neg\n"

    assert read(tmp_path, content, Reading("utf-8", "fasttext", "", has_header=False)) == [
        (1, {"label": "pos", "text": "a good one"}),
        (2, {"label": '["a", "b"]', "text": "both"}),
        (3, {"label": "", "text": "no label here"}),
        (4, {"label": "neg", "text": ""}),
    ]


@pytest.mark.parametrize(
    ("name", "content", "parser"),
    [
        ("a.json", '[{"text": "a"}]', "json"),
        ("a.json", '{"text": "a"}\n', "jsonl"),
        ("a.txt", "__label__x a\n", "fasttext"),
        ("a.txt", "How do I pay, please?\nMy card, it is lost\n", "txt"),
        ("a.txt", "text,label\na,b\n", "csv"),
        ("train.txt.gz", "just a line\n", "txt"),
    ],
)
def test_the_parser_is_proposed(tmp_path, name, content, parser):
    path = tmp_path / "file"
    path.write_text(content)

    assert sniffing.propose(path, name, "utf-8").parser == parser


def shared_data(name: str) -> Path:
    path = Path(os.environ.get("SHARED_DATA") or settings.BASE_DIR.parent / "shared" / "data") / name
    if not path.exists():
        pytest.skip("The real data set is not here.")
    return path


def test_a_real_json_list_is_read_completely():
    path = shared_data("pii_presidio/synth_dataset_v2.json")
    reading = sniffing.propose(path, path.name, "utf-8")
    roles = mapping.propose(readers.header(path, reading).columns, dry_run.first_rows(path, reading))
    report = dry_run.examine(path, reading, roles)

    assert reading == JSON
    assert (roles["full_text"], report.rows, report.ok) == ("text", 1500, 1500)
