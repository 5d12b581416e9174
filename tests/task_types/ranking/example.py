"""Two to five responses in order."""

from functools import partial
from itertools import permutations

from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.inputs import Cell, CellKind
from tests.support.ranking import ranking_snapshot
from tests.task_types.examples import Example, column


def order(*numbers):
    return {"ranking": list(numbers)}


EXAMPLE = Example(
    item=ItemContent("", {"responses": ["one", "two", "three"]}),
    good=[(order(*numbers), order(*numbers)) for numbers in permutations(range(3))],
    bad=[
        (None, "shape"),
        ([0, 1, 2], "shape"),
        ({"ranking": "012"}, "shape"),
        ({"ranking": [0, 1, 2], "more": 1}, "shape"),
        (order(), "ranking"),
        (order(0), "ranking"),
        (order(0, 0, 1), "ranking"),
        (order(0, True, 2), "ranking"),
        (order(0, 1.0, 2), "ranking"),
        (order("0", "1", "2"), "ranking"),
        (order(1, 2, 3), "ranking"),
        (order(0, 1, None), "ranking"),
        (order(0, 1, 2, 3), "ranking"),
    ],
    cells=[
        (column("[2, 0, 1]"), order(2, 0, 1)),
        (column('["2", "0", "1"]'), order(2, 0, 1)),
        (column(""), None),
        (column("null"), None),
        (Cell(CellKind.RANKING, "[0, 1, 2]"), order(0, 1, 2)),
    ],
    bad_cells=[
        (column("[0, 1]"), "ranking"),
        (column("[1, 2, 3]"), "ranking"),
        (column("2"), "shape"),
        (column("first"), "not_json"),
        (column("[0, true, 2]"), "ranking"),
        (column('[["0"], 1, 2]'), "ranking"),
        (column("[NaN]"), "not_json"),
    ],
    words=[(order(2, 0, 1), "3 > 1 > 2")],
    merges=[
        ([order(0, 1, 2), order(0, 1, 2), order(2, 1, 0)], order(0, 1, 2)),
        ([order(0, 1, 2), order(2, 1, 0)], None),
    ],
    frozen=[(order(2, 0, 1), "[2,0,1]")],
    row=lambda number: {"responses": ["one", "two", f"three {number}"]},
    labeled=lambda text, number: {
        "prompt": text,
        "responses": [text, f"{text} or not", "c"],
        "ranking": ([2, 0, 1], [0, 1, 2], [1, 2, 0])[number % 3],
    },
    snapshot=partial(ranking_snapshot, task="ranking"),
    flipped=("1 > 2 > 3", "1 > 2 > 3", "2 > 1 > 3"),
)
