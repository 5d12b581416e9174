"""Any number of labels a text."""

from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.inputs import Cell, CellKind
from tests.support.training import multi_label_snapshot
from tests.task_types.examples import Example, column

EMPTY, PERSON, ORG, BOTH = {"labels": []}, {"labels": ["p"]}, {"labels": ["o"]}, {"labels": ["o", "p"]}
NAMED = {"labels": ["a", "b"]}
EXAMPLE = Example(
    item=ItemContent("Anna works at Siemens"),
    good=[
        (EMPTY, EMPTY),
        (PERSON, PERSON),
        (BOTH, BOTH),
        ({"labels": ["PERSON", "o", "p"]}, BOTH),
        ({"labels": ["p", "p"]}, PERSON),
        ({"labels": ["PERSON", "ORG"]}, BOTH),
    ],
    bad=[
        (None, "shape"),
        ([], "shape"),
        ({}, "shape"),
        ("p", "shape"),
        ({"label": "p"}, "shape"),
        ({"labels": "p"}, "shape"),
        ({"labels": {"p": 1}}, "shape"),
        ({"labels": ["p"], "more": 1}, "shape"),
        ({"labels": [["p"]]}, "unknown_label"),
        ({"labels": ["x"]}, "unknown_label"),
        ({"labels": ["p", None]}, "unknown_label"),
        ({"labels": [1]}, "unknown_label"),
    ],
    cells=[
        (column('["b", "a", "a"]'), NAMED),
        (column("a|b"), NAMED),
        (column("b; a"), NAMED),
        (column("a;b;"), NAMED),
        (column("[]"), EMPTY),
        (column(""), None),
        (column("null"), None),
        (Cell(CellKind.NAMES, '["b", "a"]'), NAMED),
        (Cell(CellKind.PLAIN, "a;b"), {"labels": ["a;b"]}),
        (column('[" a  b "]'), {"labels": ["a b"]}),
    ],
    bad_cells=[
        (column("[1]"), "names"),
        (column('["a"'), "not_json"),
        (column("[NaN]"), "not_json"),
        (column('["\\u0000"]'), "unstorable_text"),
    ],
    words=[(BOTH, "ORG, PERSON"), (EMPTY, "none of the labels"), ({"labels": ["gone"]}, "a retired label")],
    merges=[
        ([BOTH, ORG], ORG),
        ([PERSON, ORG], None),
        ([EMPTY, EMPTY, ORG], EMPTY),
        ([BOTH, BOTH, PERSON], BOTH),
    ],
    frozen=[(NAMED, '["a","b"]'), (EMPTY, "[]")],
    row=lambda number: {"text": f"Anna works at Siemens {number}"},
    labeled=lambda text, number: {
        "text": text,
        "labels": (["=a"], ["b;c", "ü👩🏽"], ["=a", "c|d"])[number % 3],
    },
    snapshot=multi_label_snapshot,
    flipped=('["card"]', '["card"]', '["card", "refund"]'),
)
