"""Eight sentences of a support inbox, of two labels, and how a run reads rows; the same with any number of
labels.
"""

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
SETS = [
    ("my card is lost", ["card"]),
    ("card stolen please help", ["card"]),
    ("money back please", ["refund"]),
    ("where is my refund", ["refund"]),
    ("card lost money back", ["card", "refund"]),
    ("refund my stolen card", ["card", "refund"]),
    ("thanks help", []),
    ("where is my order", []),
]


def write_rows(path, rows):
    """A text with one label, or with a list of them."""
    named = [(text, "labels" if isinstance(label, list) else "label", label) for text, label in rows]
    lines = [
        json.dumps({"id": f"{number:064x}", "text": text, name: label})
        for number, (text, name, label) in enumerate(named)
    ]
    path.write_text("\n".join(lines) + "\n")
