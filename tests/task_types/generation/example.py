"""A generated text."""

from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.inputs import Cell, CellKind
from tests.support.generation import generation_snapshot
from tests.task_types.examples import Example, column


def text(value):
    return {"text": value}


EXAMPLE = Example(
    item=ItemContent("Sum it up."),
    good=[
        (text(value), text(value))
        for value in ("well", " two\r\nlines ", "null", '["a"]', "👨🏻‍🚒", "x" * 100_000)
    ],
    bad=[
        (None, "shape"),
        ("x", "shape"),
        ([], "shape"),
        ({}, "shape"),
        ({"label": "p"}, "shape"),
        ({"text": "a", "more": 1}, "shape"),
        (text(""), "blank"),
        (text("  "), "blank"),
        (text(None), "blank"),
        (text(1), "blank"),
        (text("x" * 100_001), "long_text"),
        (text("a\0b"), "unstorable_text"),
        (text("\ud83d"), "unstorable_text"),
    ],
    cells=[
        (column(" well "), text(" well ")),
        (column("null"), text("null")),
        (column('["a"]'), text('["a"]')),
        (column(" "), None),
        (Cell(CellKind.TEXTS, '["well"]'), text("well")),
        (Cell(CellKind.NAMES, '["well"]'), text("well")),
        (Cell(CellKind.PLAIN, "well"), text("well")),
    ],
    bad_cells=[
        (Cell(CellKind.TEXTS, '["a", "b"]'), "several"),
        (Cell(CellKind.TEXTS, "[]"), "several"),
        (Cell(CellKind.TEXTS, '[""]'), "blank"),
        (column("x" * 100_001), "long_text"),
    ],
    words=[(text("well"), "well")],
    merges=[([text("a"), text("a"), text("b")], text("a")), ([text("a"), text("b")], None)],
    frozen=[(text("well"), "")],
    row=lambda number: {"text": f"Sum it up. {number}"},
    labeled=lambda text, number: {
        "instruction": text,
        "input": text if number % 3 == 0 else "",
        "output": "null" if number == 3 else text,
    },
    snapshot=generation_snapshot,
    flipped=("", "as it was before", "as it became"),
)
