"""The better of two responses."""

from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.inputs import Cell, CellKind
from tests.support.ranking import ranking_snapshot
from tests.task_types.examples import Example, column

MEANT = {
    "first": "first",
    "Tie": "tie",
    "a1": "first",
    "a2": "second",
    "A": "first",
    "B": "second",
    "right": "second",
    "model_a": "first",
    "Response B": "second",
    "equal": "tie",
    "tie (bothbad)": "neither",
    "both bad": "neither",
}


def choice(word):
    return {"choice": word}


EXAMPLE = Example(
    item=ItemContent("", {"responses": ["one", "two"]}),
    good=[(choice(word), choice(word)) for word in ("first", "second", "tie", "neither")],
    bad=[
        (None, "choice"),
        ("first", "choice"),
        ([], "choice"),
        ({}, "choice"),
        (choice(""), "choice"),
        (choice("left"), "choice"),
        (choice("First"), "choice"),
        (choice([]), "choice"),
        (choice(None), "choice"),
        (choice(0), "choice"),
        (choice({"first": 1}), "choice"),
        ({"choice": "first", "more": 1}, "choice"),
        ({"label": "first"}, "choice"),
    ],
    cells=[
        *((column(word), choice(meant)) for word, meant in MEANT.items()),
        (column(""), None),
        (column("null"), None),
        (Cell(CellKind.CHOICE, "second"), choice("second")),
        (Cell(CellKind.NAMES, '["A"]'), choice("first")),
    ],
    bad_cells=[
        *((column(word), "choice") for word in ("1", "2", "0", "good", "-")),
        (Cell(CellKind.NAMES, '["A", "B"]'), "several"),
        (Cell(CellKind.NAMES, '["null"]'), "choice"),
    ],
    words=[(choice("first"), "the first response"), (choice("tie"), "about the same")],
    merges=[
        ([choice("tie"), choice("tie"), choice("first")], choice("tie")),
        ([choice("tie"), choice("first")], None),
    ],
    frozen=[(choice("tie"), '"tie"')],
    row=lambda number: {"first": "one", "second": f"two {number}"},
    labeled=lambda text, number: {
        "prompt": [{"role": "user", "content": text}],
        "chosen": [{"role": "assistant", "content": text}],
        "rejected": [{"role": "assistant", "content": f"{text} or not"}],
    },
    snapshot=ranking_snapshot,
    flipped=("1 > 2", "1 > 2", "2 > 1"),
)
