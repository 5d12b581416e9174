"""Sample data of regression."""

from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.inputs import Cell, CellKind
from tests.task_types.examples import Example, column


def number(found):
    return {"number": found}


EXAMPLE = Example(
    item=ItemContent("The room was clean and the staff were kind."),
    good=[
        *((number(each), number(float(each))) for each in (0, 1, 2.5, 3.5, 4, 5.25, 6, 7.75, 8, 9, 9.99, 10)),
        (number(-0.0), number(0.0)),
    ],
    bad=[
        (None, "shape"),
        (3.5, "shape"),
        ("3.5", "shape"),
        ([], "shape"),
        ({}, "shape"),
        (number(None), "shape"),
        (number("3.5"), "shape"),
        (number(True), "shape"),
        (number([3]), "shape"),
        (number(-0.1), "shape"),
        (number(10.01), "shape"),
        (number(float("nan")), "shape"),
        (number(float("inf")), "shape"),
        ({"number": 3, "more": 1}, "shape"),
        ({"label": 3}, "shape"),
    ],
    cells=[
        (column("3.5"), number(3.5)),
        (column(" 7 "), number(7.0)),
        (column("3,5"), number(3.5)),
        (column("1e1"), number(10.0)),
        (column(""), None),
        (column("null"), None),
        (Cell(CellKind.PLAIN, "0"), number(0.0)),
    ],
    bad_cells=[
        *((column(word), "shape") for word in ("good", "11", "-1", "nan", "inf", "1;2", "1.000,5")),
        (Cell(CellKind.NAMES, '["1", "2"]'), "several"),
    ],
    words=[(number(3.5), "3.5"), (number(4.0), "4")],
    merges=[
        ([number(1.0), number(9.0), number(2.0)], number(2.0)),
        ([number(1.0), number(2.0)], number(1.5)),
        ([number(3.0)], number(3.0)),
    ],
    frozen=[(number(3.5), "3.5")],
    row=lambda at: {"text": f"The room was clean and the staff were kind {at}."},
    labeled=lambda text, number: {"text": text, "number": (0, 3.5, 10)[number % 3]},
)
