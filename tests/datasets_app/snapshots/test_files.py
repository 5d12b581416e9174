"""No cell of an exported table runs in a spreadsheet."""

import csv

import pytest

from datasets_app.snapshots import files


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_a_cell_that_begins_like_a_formula_gets_an_apostrophe_full_width_forms_too(tmp_path, begin):
    line = dict.fromkeys(files.COLUMNS, "") | {"text": f"{begin}cmd|' /C calc'!A0"}

    counts = files.write(tmp_path / "rows.csv", [line], "csv", files.Shape())

    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert row["text"] == "'" + line["text"]
    assert counts == (1, 1)
