"""One label a text."""

from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.inputs import Cell, CellKind
from tests.support.training import make_snapshot
from tests.task_types.examples import Example, column

PERSON, ORG, PLACE = {"label": "p"}, {"label": "o"}, {"label": "l"}
EXAMPLE = Example(
    item=ItemContent("Anna works at Siemens"),
    good=[
        ({"label": "PERSON"}, PERSON),
        ({"label": "p"}, PERSON),
        ({"label": "ORG"}, ORG),
        ({"label": "l"}, PLACE),
    ],
    bad=[
        (None, "shape"),
        ("p", "shape"),
        ([], "shape"),
        ({}, "shape"),
        ({"labels": ["p"]}, "shape"),
        ({"label": "p", "more": 1}, "shape"),
        ({"label": "x"}, "unknown_label"),
        ({"label": ""}, "unknown_label"),
        ({"label": None}, "unknown_label"),
        ({"label": 1}, "unknown_label"),
        ({"label": ["p"]}, "unknown_label"),
        ({"label": {"p": 1}}, "unknown_label"),
    ],
    cells=[
        (column("PERSON"), {"label": "PERSON"}),
        (column("  two   words "), {"label": "two words"}),
        (column('["a"]'), {"label": "a"}),
        (column("no\u00a0break"), {"label": "no break"}),
        (column(""), None),
        (column(" "), None),
        (column('["open'), {"label": '["open'}),
        (column('["a", 1]'), {"label": '["a", 1]'}),
        (Cell(CellKind.NAMES, '["a"]'), {"label": "a"}),
        (Cell(CellKind.PLAIN, "a; b"), {"label": "a; b"}),
    ],
    bad_cells=[
        (column('["a", "b"]'), "labels"),
        (Cell(CellKind.NAMES, '["a", "b"]'), "labels"),
        (Cell(CellKind.NAMES, "[]"), "labels"),
        (Cell(CellKind.NAMES, "[1]"), "names"),
        (Cell(CellKind.NAMES, "["), "not_json"),
    ],
    words=[(PERSON, "PERSON"), ({"label": "gone"}, "a retired label")],
    merges=[([PERSON, PERSON, ORG], PERSON), ([PERSON, ORG], None), ([PERSON], PERSON)],
    frozen=[({"label": "PERSON"}, "PERSON")],
    row=lambda number: {"text": f"Anna works at Siemens {number}"},
    labeled=lambda text, number: {"text": text, "label": ("=a", "b;c|d", "ü👩🏽")[number % 3]},
    snapshot=make_snapshot,
    flipped=("card", "card", "refund"),
)
