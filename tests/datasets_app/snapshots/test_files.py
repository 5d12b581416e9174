"""No cell of an exported table runs in a spreadsheet, and each is imported unchanged."""

import csv
import json
import zipfile

import openpyxl
import pytest

from datasets_app.snapshots.formats import FORMATS, About, formats_for
from datasets_app.snapshots.rules import ExportFormat
from lifecycle.runtime.task_types.exports import Entry, Tally
from lifecycle.ui.cells import inert_cell, live_cell

FORMULAE = ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"]


def written(folder, kind, entries, task="single_label") -> Tally:
    tally = Tally()
    FORMATS[ExportFormat(kind)].write(folder / "file", iter(entries), tally, About(task))
    return tally


def lost(tally: Tally) -> dict[str, int]:
    return {code: count for code, count in tally.losses.items() if count}


@pytest.mark.parametrize("begin", FORMULAE)
def test_a_cell_that_starts_like_a_formula_gets_an_apostrophe_also_in_full_width(tmp_path, begin):
    text = f"{begin}cmd|' /C calc'!A0"

    tally = written(tmp_path, "csv", [Entry(text, "a", "train")])

    with (tmp_path / "file").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert row["text"] == "'" + text
    assert (tally.rows, tally.neutralised) == (1, 1)


@pytest.mark.parametrize(
    "text", ["plain", "'", "'tis", "''", *FORMULAE, *(f"'{each}1" for each in FORMULAE), "''=1", "a=1", ""]
)
def test_neutralised_cells_are_restored(text):
    assert live_cell(inert_cell(text)) == text
    assert not inert_cell(text).startswith(tuple(FORMULAE))


def test_excel_keeps_texts_and_counts_its_losses(tmp_path):
    rows = [
        Entry("=1+1", "007", "train"),
        Entry("a\r\nb", "x\x02y", "train"),
        Entry("x" * 32_767, "long", "train"),
    ]

    tally = written(tmp_path, "xlsx", rows)

    with (tmp_path / "file").open("rb") as file:
        found = list(openpyxl.load_workbook(file).worksheets[0].iter_rows(values_only=True))
    assert [row[1:3] for row in found] == [("text", "label"), ("'=1+1", "007"), ("a\nb", "xy")]
    assert (tally.rows, tally.neutralised, lost(tally)) == (
        2,
        1,
        {"returns": 1, "control": 1, "long_cell": 1},
    )


def test_fasttext_counts_its_losses(tmp_path):
    rows = [
        Entry("one\ntwo", ["first name", "b"], "train", id="7", group="g", time="t", metadata={"k": "v"}),
        Entry("none", [], "test"),
        Entry("__label__x", ["b"], "test"),
    ]

    tally = written(tmp_path, "fasttext", rows, "multi_label")

    packed = zipfile.ZipFile(tmp_path / "file")
    assert {name: packed.read(name) for name in packed.namelist()} == {
        "train.ft": b"__label__first_name __label__b one two\n",
        "test.ft": b"none\n",
    }
    assert lost(tally) == {
        "breaks": 1,
        "names": 1,
        "ids": 1,
        "groups": 1,
        "times": 1,
        "metadata": 1,
        "no_class": 1,
        "like_label": 1,
    }


def test_pairs_without_a_preferred_response_are_left_out_and_counted(tmp_path):
    pair = {"prompt": "2+2?", "responses": ["4", "5"]}
    rows = [Entry("", label, "train", content=pair) for label in ("first", "second", "tie", "neither")]
    rows.append(Entry("", "first", "test", content={"responses": ["4", "5"]}))

    trl = written(tmp_path, "trl", rows, "preference")
    lines = zipfile.ZipFile(tmp_path / "file").read("train.jsonl").splitlines()
    (tmp_path / "file").unlink()
    (tmp_path / "file.parts").rmdir()
    openai = written(tmp_path, "openai", rows, "preference")

    assert lines == [
        b'{"prompt": "2+2?", "chosen": "4", "rejected": "5"}',
        b'{"prompt": "2+2?", "chosen": "5", "rejected": "4"}',
    ]
    assert (trl.rows, lost(trl)) == (3, {"swapped": 1, "tie": 1, "neither": 1})
    assert (openai.rows, lost(openai)) == (
        2,
        {"swapped": 1, "tie": 1, "neither": 1, "no_prompt": 1, "wrapped": 2},
    )


def test_texts_paired_with_messages_become_messages(tmp_path):
    messages = [{"role": "assistant", "content": "4"}]
    row = Entry("", "first", "train", content={"prompt": "2+2?", "responses": [messages, "5"]})

    tally = written(tmp_path, "trl", [row], "preference")

    assert (
        zipfile.ZipFile(tmp_path / "file").read("train.jsonl")
        == b'{"prompt": [{"role": "user", "content": "2+2?"}], "chosen": [{"role": "assistant", "content":'
        b' "4"}], "rejected": [{"role": "assistant", "content": "5"}]}\n'
    )
    assert lost(tally) == {"wrapped": 1}


def test_metadata_under_the_names_of_the_format_is_counted(tmp_path):
    row = Entry(
        "long",
        "short",
        "train",
        id="7",
        metadata={"summary": "old", "id": "8", "tags": '["a"]', "odd": "[1,2]"},
    )

    tally = written(tmp_path, "summaries", [row], "generation")

    assert (
        zipfile.ZipFile(tmp_path / "file").read("train.jsonl")
        == b'{"document": "long", "summary": "short", "id": "7", "tags": ["a"], "odd": "[1,2]"}\n'
    )
    assert lost(tally) == {"keys": 2}


def test_a_pair_becomes_two_rows_of_unpaired_preferences(tmp_path):
    pair = {"prompt": "2+2?", "responses": ["4", "5"]}
    rows = [Entry("", label, "train", content=pair) for label in ("second", "neither", "tie")]

    tally = written(tmp_path, "unpaired", rows, "preference")

    lines = [json.loads(line) for line in zipfile.ZipFile(tmp_path / "file").read("train.jsonl").splitlines()]
    assert [(line["completion"], line["label"]) for line in lines] == [
        ("4", False),
        ("5", True),
        ("4", False),
        ("5", False),
    ]
    assert (tally.rows, lost(tally)) == (4, {"tie": 1, "parted": 2})


def test_unpaired_preferences_are_offered_if_the_labels_are_true_and_false():
    assert ExportFormat.UNPAIRED in formats_for("single_label", ["true", "false"])
    assert ExportFormat.UNPAIRED not in formats_for("single_label", ["card", "true"])
