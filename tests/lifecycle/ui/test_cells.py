import pytest

from lifecycle.ui.cells import inert_cell, live_cell


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\r\n=1", "\n\n=1", "＝1", "'=1", "'\n=1"]
)
def test_a_cell_that_begins_like_a_formula_gets_an_apostrophe_and_is_read_back(cell):
    assert inert_cell(cell) == f"'{cell}"
    assert live_cell(inert_cell(cell)) == cell


@pytest.mark.parametrize("cell", ["", "card", "a=1", "'tis", "first\n=second"])
def test_any_other_cell_is_left_alone(cell):
    assert inert_cell(cell) == live_cell(cell) == cell
