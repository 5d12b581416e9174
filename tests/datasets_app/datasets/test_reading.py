"""Malformed files: every problem is reported with its line and a fix, and no cell is changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.conf import settings

from datasets_app.datasets.importing import dry_run, mapping, readers, sniffing
from datasets_app.datasets.importing.readers import Reading, Row
from datasets_app.datasets.importing.report import Problem

CSV = Reading("utf-8", "csv", ",")
JSONL = Reading("utf-8", "jsonl", "", has_header=False)


def read(tmp_path: Path, content: bytes, reading: Reading = CSV) -> list[tuple]:
    path = tmp_path / "file"
    path.write_bytes(content)
    return [
        (found.line, found.values) if isinstance(found, Row) else (found.line, found.code)
        for found in readers.read_rows(path, reading)
    ]


def test_lines_are_physical_even_with_quoted_newlines_and_mixed_line_ends(tmp_path):
    content = b'text,label\r\n"one\ntwo\r\nthree",a\nnext,b\r\n\r\n"last ""quoted""",c'

    assert read(tmp_path, content) == [
        (2, {"text": "one\ntwo\r\nthree", "label": "a"}),
        (5, {"text": "next", "label": "b"}),
        (7, {"text": 'last "quoted"', "label": "c"}),
    ]


def test_cells_are_never_turned_into_numbers(tmp_path):
    assert read(tmp_path, b"text,n\n007,NA\n1e5,\n")[0][1] == {"text": "007", "n": "NA"}


def test_ragged_rows_are_reported_and_the_rest_is_read(tmp_path):
    assert read(tmp_path, b"a,b\n1,2\n3\n4,5,6\n7,8\n") == [
        (2, {"a": "1", "b": "2"}),
        (3, "ragged"),
        (4, "ragged"),
        (5, {"a": "7", "b": "8"}),
    ]


def test_an_unescaped_quote_is_reported(tmp_path):
    assert read(tmp_path, b'a,b\n"he said "hi" to me",2\n3,4\n') == [
        (2, "quoting"),
        (3, {"a": "3", "b": "4"}),
    ]


def test_an_unclosed_quote_is_reported_with_the_line_where_it_opens(tmp_path):
    assert read(tmp_path, b'a,b\n1,2\n"open,3\n4,5\n') == [(2, {"a": "1", "b": "2"}), (3, "quoting")]


def test_nul_is_reported(tmp_path):
    assert read(tmp_path, b"a,b\n1,2\nx\x00y,3\n4,5\n") == [
        (2, {"a": "1", "b": "2"}),
        (3, "nul"),
        (4, {"a": "4", "b": "5"}),
    ]


def test_a_cell_of_a_megabyte_is_rejected_and_the_rest_is_read(tmp_path):
    content = b"text,label\n" + b"x" * 1_048_576 + b",a\nfine,b\n"

    assert read(tmp_path, content) == [(2, "long_cell"), (3, {"text": "fine", "label": "b"})]


def test_a_text_over_the_limit_is_rejected():
    found = mapping.Mapper({"text": "text"}).draft(Row(7, {"text": "x" * 100_001}))

    assert found == Problem(
        7,
        "long_text",
        "Line 7 has a text of 100,001 characters; the limit is 100,000.",
        "Split the text into several rows.",
    )


def test_an_endless_line_is_skipped_in_constant_memory(tmp_path):
    content = b'{"text": "' + b"x" * 5_000_000 + b'"}\n{"text": "fine"}\n'

    assert read(tmp_path, content, JSONL) == [(1, "long_line"), (2, {"text": "fine"})]


def test_duplicate_and_empty_column_names_are_made_unique_and_reported(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"text,text,,label\na,b,c,d\n")
    header = readers.header(path, CSV)

    assert header.columns == ("text", "text (2)", "column 3", "label")
    assert [(problem.line, problem.code) for problem in header.problems] == [(1, "header")]


def test_columns_without_a_header_are_numbered(tmp_path):
    assert read(tmp_path, b"hello,a\nbye,b\n", Reading("utf-8", "csv", ",", has_header=False)) == [
        (1, {"column 1": "hello", "column 2": "a"}),
        (2, {"column 1": "bye", "column 2": "b"}),
    ]


def test_broken_lines_of_jsonl_are_reported(tmp_path):
    content = b'{"text": "a"}\n{"text": "b",}\n[1, 2]\n"x"\n\n{"text": "c", "text": "d"}\n{"text": "e"}\n'

    assert read(tmp_path, content, JSONL) == [
        (1, {"text": "a"}),
        (2, "json"),
        (3, "json"),
        (4, "json"),
        (6, "json"),
        (7, {"text": "e"}),
    ]


def test_nested_objects_become_dotted_columns_with_unchanged_values(tmp_path):
    line = {"text": "hi", "meta": {"user": {"id": 7}, "tags": ["a", "b"]}, "ok": True, "none": None}
    content = json.dumps(line).encode() + b'\n{"text": "n", "n": 1.50, "big": 12345678901234567890}\n'

    assert read(tmp_path, content, JSONL) == [
        (1, {"text": "hi", "meta.user.id": "7", "meta.tags": '["a", "b"]', "ok": "true", "none": ""}),
        (2, {"text": "n", "n": "1.50", "big": "12345678901234567890"}),
    ]


def test_a_json_list_is_reported(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b'[{"text": "a"},\n{"text": "b"}]')
    first = next(iter(readers.read_rows(path, JSONL)))

    assert first.sentence == "The file is one JSON list, not one object per line."


def test_deep_nesting_and_unpaired_surrogates_are_reported(tmp_path):
    content = b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b'}\n{"text": "\\ud800"}\n{"text": "fine"}\n'

    assert read(tmp_path, content, JSONL) == [(1, "json"), (2, "surrogate"), (3, {"text": "fine"})]


@pytest.mark.parametrize(
    ("content", "encoding", "line"),
    [
        (b"text\nplain\n", "utf-8", None),
        ("text\nÜber\n".encode(), "utf-8", None),
        (b"\xef\xbb\xbftext\nplain\n", "utf-8-sig", None),
        ("text\nÜber\n".encode("utf-16"), "utf-16", None),
        (b"text\nok\n\xdcber\n", "", 3),
        ("text\nplain\n".encode("utf-16-le"), "", 1),
    ],
)
def test_encodings_are_detected_by_byte_order_mark_or_strictly_and_never_guessed(
    tmp_path, content, encoding, line
):
    path = tmp_path / "file"
    path.write_bytes(content)

    found, misfit = readers.find_encoding(path)

    assert (found, misfit.line if misfit else None) == (encoding, line)


def test_a_byte_order_mark_isnt_part_of_the_first_column(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbftext\na\n", Reading("utf-8-sig", "csv")) == [(2, {"text": "a"})]
    assert read(tmp_path, "text\nä\n".encode("utf-16"), Reading("utf-16", "csv")) == [(2, {"text": "ä"})]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04rest", "The archive is damaged or truncated."),
        (b"%PDF-1.7", "This is a PDF, not CSV, TSV, JSONL, JSON, text, CoNLL, Parquet, or Excel."),
        (
            bytes(range(256)) * 8 + bytes(999),
            "This is a binary file, not CSV, TSV, JSONL, JSON, text, CoNLL, Parquet, or Excel.",
        ),
        (b"text\na", ""),
    ],
)
def test_unsupported_file_types_are_named(tmp_path, content, sentence):
    path = tmp_path / "file"
    path.write_bytes(content)
    fault = readers.find_fault(path, 1_000_000)

    assert (fault.sentence if fault else "") == sentence


@pytest.mark.parametrize(
    ("name", "content", "parser", "delimiter", "has_header"),
    [
        ("a.csv", "text,label\na b,x\n", "csv", ",", True),
        ("a.csv", "text;label\na, b;x\nc, d, e;y\n", "csv", ";", True),
        ("a.csv", "text|label\na|x\nb|y\n", "csv", "|", True),
        ("a.tsv", 'label\tsms\nham\the said "hi\nspam\twin\n', "tsv", "\t", True),
        ("a.tsv", 'text\tlabel\n"a\tb"\tx\n"c"\ty\n', "csv", "\t", True),
        ("a.csv", "How do I locate my card?,card_arrival\nWhere is it?,card_arrival\n", "csv", ",", False),
        ("a.txt", "ham\tGo until jurong point, crazy.\nspam\tFree entry\nham\tOk lar\n", "tsv", "\t", False),
        ("a.txt", '{"text": "a"}\n', "jsonl", "", False),
        ("a.csv", ",said,kind\n0,how are you,x\n1,I am fine,y\n", "csv", ",", True),
        ("a.csv", ",said,kind\n,how are you,x\n1,I am fine,y\n", "csv", ",", False),
    ],
)
def test_parser_delimiter_and_header_are_proposed(tmp_path, name, content, parser, delimiter, has_header):
    path = tmp_path / "file"
    path.write_text(content)

    assert sniffing.propose(path, name, "utf-8") == Reading("utf-8", parser, delimiter, has_header)


@pytest.mark.parametrize(
    ("content", "has_header", "reported"),
    [
        (b"great film,pos\nbad film,neg\n", True, True),
        (b"great film,pos\nbad film,neg\n", False, False),
        (b"text,kind\na,b\n", True, False),
    ],
)
def test_a_first_row_without_known_names_is_reported(tmp_path, content, has_header, reported):
    path = tmp_path / "file"
    path.write_bytes(content)
    reading = Reading("utf-8", "csv", ",", has_header)
    columns = readers.header(path, reading).columns
    found = dry_run.examine(path, reading, {columns[0]: "text", columns[1]: "label"})

    assert [(problem.line, problem.code, problem.blocks) for problem in found.problems] == [
        (1, "header", False)
    ] * reported


def test_columns_are_proposed_by_name_then_by_content():
    assert mapping.propose(
        ["Sentence", "CATEGORY", "ID", "thread_id", "created_at", "split", "note"], []
    ) == {
        "Sentence": "text",
        "CATEGORY": "label",
        "ID": "id",
        "thread_id": "group",
        "created_at": "time",
        "split": "split",
        "note": "metadata",
    }
    rows = [
        Row(n, {"column 1": kind, "column 2": f"a rather long sentence {n}"})
        for n, kind in enumerate(["ham", "spam", "ham", "ham"])
    ]
    assert mapping.propose(["column 1", "column 2"], rows) == {"column 1": "label", "column 2": "text"}


def test_a_repetitive_column_isnt_a_label_if_the_text_column_is_known():
    rows = [
        Row(line, {"id": str(line), "text": f"message {line}", "channel": ("mail", "chat")[line % 2]})
        for line in range(2, 12)
    ]

    assert mapping.propose(["id", "text", "channel"], rows) == {
        "id": "id",
        "text": "text",
        "channel": "metadata",
    }


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"text": "  "}, "empty_text"),
        ({"text": "a", "label": "x" * 121}, "label"),
        ({"text": "a", "label": "x\ny"}, "label"),
        ({"text": "a", "id": "x" * 201}, "id"),
        ({"text": "a", "split": "somewhere"}, "split"),
    ],
)
def test_invalid_rows_are_reported(values, code):
    mapper = mapping.Mapper({name: name for name in ("text", "label", "id", "group", "time", "split")})

    assert mapper.draft(Row(3, values)).code == code


def test_an_unreadable_time_is_reported_but_the_row_is_kept(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"text,when\na,tomorrow\nb,2026-01-02\nc,\n")
    found = list(dry_run.read_drafts(path, CSV, {"text": "text", "when": "time"}, ""))

    assert [(each.line, each.code, each.notice) for each in found if isinstance(each, Problem)] == [
        (2, "time", True)
    ]
    assert [
        (each.text, each.metadata, bool(each.event_time)) for each in found if not isinstance(each, Problem)
    ] == [
        ("a", {"when": "tomorrow"}, False),
        ("b", {}, True),
        ("c", {}, False),
    ]


def test_splits_and_times_are_parsed():
    mapper = mapping.Mapper({"text": "text", "split": "split", "time": "time"}, default_split="train")

    assert mapper.draft(Row(2, {"text": "a", "split": "Dev"})).split == "validation"
    assert mapper.draft(Row(2, {"text": "a", "split": ""})).split == "train"
    assert (
        mapper.draft(Row(2, {"text": "a", "time": "2026-11-24T16:10:00+02:00"})).event_time.isoformat()
        == "2026-11-24T14:10:00+00:00"
    )
    assert (
        mapper.draft(Row(2, {"text": "a", "time": "1700000000"})).event_time.isoformat()
        == "2023-11-14T22:13:20+00:00"
    )


def test_a_mapping_needs_exactly_one_text():
    assert [problem.sentence for problem in mapping.check({"a": "metadata"}, ["a"])] == [
        "No column is mapped to text."
    ]
    assert [problem.sentence for problem in mapping.check({"a": "text", "b": "text"}, ["a", "b"])] == [
        "2 columns are mapped to text."
    ]
    assert [
        problem.sentence for problem in mapping.check({"a": "text", "b": "label", "c": "label"}, "abc")
    ] == ["2 columns are mapped to label."]


def test_look_alike_texts_are_reported_once_and_arent_duplicates(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    path = tmp_path / "file"
    path.write_text(
        "\n".join(["text", decomposed, composed, composed, decomposed, "na\u00efve", "cafe", ""]),
        encoding="utf-8",
    )
    report = dry_run.examine(path, CSV, {"text": "text"})

    assert [(problem.line, problem.code, problem.notice) for problem in report.problems] == [
        (3, "twins", True)
    ]
    assert (report.ok, report.repeated) == (6, 2)


def test_all_problems_are_counted_and_the_first_hundred_kept(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"text,label\n" + b"only one\n" * 1000 + b"good,a\n")
    report = dry_run.examine(path, CSV, {"text": "text", "label": "label"})

    assert (report.rows, report.ok, report.failed, report.blocked) == (1001, 1, 1000, False)
    assert report.counts == {"ragged": 1000}
    assert len(report.problems) == 100


def test_a_column_of_ids_isnt_a_label(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"text,label\n" + b"".join(b"t%d,l%d\n" % (n, n) for n in range(1500)))

    assert dry_run.examine(path, CSV, {"text": "text", "label": "label"}).counts == {"many_labels": 1}


def shared_data() -> Path:
    return Path(os.environ.get("SHARED_DATA") or settings.BASE_DIR.parent / "shared" / "data")


def test_banking77_is_read_completely():
    path = shared_data() / "banking77" / "train.csv"
    if not path.exists():
        pytest.skip("The real data set is not here.")
    encoding, line = readers.find_encoding(path)
    reading = sniffing.propose(path, path.name, encoding)
    roles = mapping.propose(readers.header(path, reading).columns, dry_run.first_rows(path, reading))
    report = dry_run.examine(path, reading, roles)

    assert (encoding, line, reading) == ("utf-8", None, Reading("utf-8", "csv", ",", True))
    assert roles == {"text": "text", "category": "label"}
    assert (report.rows, report.ok, report.failed, len(report.labels)) == (10_003, 10_003, 0, 77)
    last = list(readers.read_rows(path, reading))[-1]
    assert (
        path.read_bytes()
        .split(b"\n")[last.line - 1]
        .startswith(last.values["text"].split("\n")[0].encode()[:20])
    )
