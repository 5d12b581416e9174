"""Eight sentences of a support inbox, of two labels, and how a run reads rows."""

import json

ROWS = [
    ("my card is lost", "card"),
    ("card stolen please help", "card"),
    ("the card not arrived", "card"),
    ("where is my card", "card"),
    ("money back please", "refund"),
    ("refund my order", "refund"),
    ("cancel the order money back", "refund"),
    ("where is my refund", "refund"),
]


def write_rows(path, rows):
    lines = [json.dumps({"id": f"{number:064x}", "text": text, "label": label}) for number, (text, label) in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")
