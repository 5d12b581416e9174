"""A chat with responses to write."""

import json

from lifecycle.runtime.task_types.answers import ItemContent
from tests.support.generation import chat_snapshot
from tests.task_types.examples import Example, column

ASKED, MORE = {"role": "user", "content": "Hi?"}, {"role": "user", "content": "Who?"}
FIRST, LAST = {"role": "assistant", "content": "Hello.", "weight": 0}, {"role": "assistant", "content": "Me."}
CALL = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
EDITED = LAST | {"content": "Anna."}


def dialogue(*turns):
    return {"messages": list(turns)}


def cell(*turns):
    return column(json.dumps(turns))


OWN, OTHER = dialogue(ASKED, FIRST, MORE, LAST), dialogue(ASKED, FIRST, MORE, EDITED)
EXAMPLE = Example(
    item=ItemContent("", OWN),
    good=[
        (each, each)
        for each in (
            OWN,
            OTHER,
            dialogue(ASKED, FIRST | {"content": "Hey."}, MORE, LAST),
            dialogue(ASKED, MORE, LAST),
            dialogue(ASKED, {"role": "assistant", "content": "Hey."}, MORE, LAST),
            dialogue(ASKED, FIRST, MORE, FIRST, LAST),
        )
    ],
    bad=[
        (None, "shape"),
        ({"messages": "x"}, "shape"),
        (OWN | {"more": 1}, "shape"),
        (dialogue("x"), "turn"),
        (dialogue(ASKED, {"role": "boss", "content": "x"}), "turn"),
        (dialogue(MORE, LAST), "turn_changed"),
        (dialogue(LAST), "turn_changed"),
        (dialogue(ASKED, FIRST, MORE | {"content": "Ho?"}, LAST), "turn_changed"),
        (dialogue(ASKED, FIRST, MORE), "no_answer"),
        (dialogue(ASKED, FIRST, MORE, LAST | {"content": " "}), "blank"),
        (dialogue(ASKED, FIRST, MORE, LAST | {"content": 1}), "blank"),
        (dialogue(ASKED, FIRST, MORE, LAST | {"mood": "kind"}), "turn_keys"),
        (dialogue(ASKED, FIRST, MORE, LAST | {"tool_calls": [float("nan")]}), "turn_keys"),
        (dialogue(ASKED, FIRST, MORE, LAST | {"content": "\ud83d"}), "unstorable_text"),
    ],
    cells=[
        (cell(ASKED, FIRST, MORE, EDITED), OTHER),
        (column(""), None),
        (column("null"), None),
        (cell(ASKED, FIRST, MORE, EDITED | {"x": None}), OTHER),
        (cell(ASKED, FIRST, MORE, {"from": "gpt", "value": "Anna."}), OTHER),
    ],
    bad_cells=[
        (column("[]"), "messages"),
        (column("x"), "not_json"),
        (cell(LAST), "first_turn"),
        (cell({"role": "boss"}), "turn"),
        (cell(ASKED, LAST | {"content": ""}), "turn"),
        (cell(ASKED, MORE), "no_answer"),
        (cell(MORE, LAST), "turn_changed"),
        (cell(ASKED, FIRST, MORE, LAST | {"mood": "kind"}), "turn_keys"),
        (column('[{"role": "user", "content": "x", "n": 1e999}]'), "not_json"),
    ],
    words=[(OWN, "Hello. … Me.")],
    merges=[([OWN, OWN, OTHER], OWN), ([OWN, OTHER], None)],
    frozen=[(OWN, "")],
    row=lambda number: {"messages": [ASKED, FIRST | {"content": f"Hello {number}."}, MORE, LAST]},
    labeled=lambda text, number: {
        "messages": [
            {"role": "system", "content": text},
            {"role": "user", "content": text, "name": "ann"},
            {"role": "assistant", "content": "", "tool_calls": CALL},
            {"role": "tool", "content": "7", "tool_call_id": "c1"},
            {"role": "assistant", "content": text, "weight": number % 2},
        ]
    },
    snapshot=chat_snapshot,
    flipped=("", "as it was before", ""),
)
