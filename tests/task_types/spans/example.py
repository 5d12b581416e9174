"""Parts of a text, each with a label."""

import json

from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.inputs import Cell, CellKind
from tests.support.spans import spans_snapshot
from tests.task_types.examples import Example, column

TEXT = "Anna works at Siemens 👨🏻‍🚒 in Köln"  # the fireman is four code points


def span(start, end, label="p", **more):
    return {"start": start, "end": end, "label": label, **more}


def spans(*found):
    return {"spans": list(found)}


def cell(*found):
    return column(json.dumps(found))


EMPTY, ANNA, BOTH = spans(), spans(span(0, 4)), spans(span(0, 4), span(14, 21, "o"))
NAMED = spans(span(0, 4, "PER"))
EXAMPLE = Example(
    item=ItemContent(TEXT),
    good=[
        (EMPTY, EMPTY),
        (ANNA, ANNA),
        (spans(span(14, 21, "ORG"), span(0, 4, "PERSON"), span(0, 4)), BOTH),
        (spans(span(0, 4, text="Anna")), ANNA),
        (spans(span(0, 21), span(0, 4)), spans(span(0, 4), span(0, 21))),
        (spans(span(22, 26, text="👨🏻‍🚒")), spans(span(22, 26))),
        (spans(span(30, 34, text="Köln")), spans(span(30, 34))),
        (spans(span(0, 4, "o"), span(0, 4)), spans(span(0, 4, "o"), span(0, 4))),
    ],
    bad=[
        (None, "shape"),
        ({"spans": "p"}, "shape"),
        (spans({"start": 0, "end": 4}), "span"),
        (spans(span(0, 4, score=1)), "span"),
        (spans(span(0, 4.0)), "offsets"),
        (spans(span(True, 4)), "offsets"),
        (spans(span(4, 4)), "outside"),
        (spans(span(-1, 4)), "outside"),
        (spans(span(30, 35)), "outside"),
        (spans(span(0, 5)), "white_space"),
        (spans(span(0, 4, text="Ann")), "other_text"),
        (spans(span(0, 4, "nobody")), "unknown_label"),
        (spans(*[span(0, 4)] * 1_001), "too_many_spans"),
    ],
    cells=[
        (cell([0, 4, "PER"]), NAMED),
        (cell(), EMPTY),
        (column(""), None),
        (column("null"), None),
        (cell({"start_offset": 0, "end_offset": 4, "label": "PER", "id": 0}), NAMED),
        (cell({"start": "0", "end": "4", "labels": ["PER"]}), NAMED),
        (cell([0, 5, " PER "]), NAMED),
        (cell([4, 10, "X"]), spans(span(5, 10, "X"))),
        (cell(span(30, 34, "X", text="Köln")), spans(span(30, 34, "X"))),
        (cell(span(33, 37, "X", text="Köln")), spans(span(30, 34, "X"))),
        (cell(span(27, 31, "X", text="Köln")), spans(span(30, 34, "X"))),
        (Cell(CellKind.SPANS, '[[0, 4, "PER"]]'), NAMED),
        (
            column('["B-PER", "O", "O", "U-ORG", "O", "O", "O"]'),
            spans(span(0, 4, "PER"), span(14, 21, "ORG")),
        ),
    ],
    bad_cells=[
        (column('[[0, 2, "A"]'), "not_json"),
        (column('{"a": 1}'), "shape"),
        (cell([0, 99, "A"]), "outside"),
        (cell([2, 2, "A"]), "outside"),
        (cell([0, 2]), "span"),
        (cell({"start": 0, "label": "A"}), "span"),
        (cell({"start": "1" * 5_000, "end": "2", "label": "A"}), "span"),
        (cell([4, 5, "A"]), "white_space"),
        (column('[[NaN, 3, "A"]]'), "not_json"),
        (column('[[0, 2, "\\u0000"]]'), "unstorable_text"),
        (column('[[0, 2, "\\ud83d"]]'), "unstorable_text"),
        (cell(*[[0, 2, "A"]] * 1_001), "too_many_spans"),
        (cell(span(0, 4, "A", text="xx")), "other_text"),
        (column('["O", "B-PER"]'), "tags"),
    ],
    words=[
        (BOTH, "“Anna” PERSON, “Siemens” ORG"),
        (EMPTY, "no spans"),
        (spans(span(0, 4, "gone")), "“Anna” a retired label"),
    ],
    merges=[
        ([BOTH, ANNA, spans(span(5, 10, "o"), span(0, 4))], ANNA),
        ([ANNA, EMPTY], None),
        ([EMPTY, EMPTY, ANNA], EMPTY),
    ],
    frozen=[(NAMED, '[{"end":4,"label":"PER","start":0}]')],
    row=lambda number: {"text": f"{TEXT} {number}"},
    labeled=lambda text, number: {
        "text": f"{text} of Anna in Köln",
        "spans": [
            [len(text) + 4, len(text) + 8, "=PER"],
            [len(text) + 12, len(text) + 16, "B-ü👩🏽"],
        ][: number % 2 + 1],
    },
    snapshot=spans_snapshot,
    flipped=('[[0, 2, "thing"]]', '[[0, 2, "thing"]]', "[]"),
)
