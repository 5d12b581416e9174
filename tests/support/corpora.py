"""Small corpora for journeys: labeled history, new messages, and the label that each annotator gives them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from lifecycle.roof.demo import inbox

INTENTS = ("order_status", "delivery_late", "login_problem", "password_reset")
CATEGORIES = ("card_arrival", "exchange_rate", "pin_blocked", "age_limit")
HISTORY, NEW = 400, 24


@dataclass(frozen=True)
class Row:
    """A text and its true label."""

    text: str
    label: str


@dataclass(frozen=True)
class Corpus:
    """name: short. label_by: the label that an annotator gives the n-th new row."""

    name: str
    labels: tuple[str, ...]
    history: tuple[Row, ...]
    new: tuple[Row, ...]
    label_by: Callable[[str, int], str]

    def csv_file(self, folder: Path) -> Path:
        """The history as a customer-care system would export it, with two rows that are not in order: lines 3
        and 5.
        """
        path = folder / f"{self.name}-history.csv"
        lines = [[f"h-{at}", row.text, row.label] for at, row in enumerate(self.history)]
        lines.insert(1, ["h-x", "", self.labels[0]])
        lines.insert(3, ["h-y", "One cell is missing"])
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", "text", "label"], *lines])
        return path

    def json_lines(self) -> bytes:
        """The new messages without labels."""
        return "".join(
            json.dumps({"id": f"n-{at}", "text": row.text}) + "\n" for at, row in enumerate(self.new)
        ).encode()

    def truth(self) -> dict[str, str]:
        """Label by text of the new rows."""
        return {row.text: row.label for row in self.new}


def generated() -> Corpus:
    """Four intents of the demo's generator, two pairs that people mix up."""
    drawn = [message for message in inbox.messages(1_600) if message.intent in INTENTS]
    messages = drawn[: HISTORY + NEW]
    new = messages[HISTORY:]

    def label_by(annotator: str, at: int) -> str:
        return inbox.answer(new[at], annotator)

    rows = [Row(message.text, message.intent) for message in messages]
    return Corpus("inbox", INTENTS, tuple(rows[:HISTORY]), tuple(rows[HISTORY:]), label_by)


def banking_folder() -> Path | None:
    """Where banking77 is: SHARED_DATA/banking77, else beside the repository; None where it is not."""
    shared = Path(os.environ.get("SHARED_DATA") or settings.BASE_DIR.parent / "shared" / "data")
    return shared / "banking77" if (shared / "banking77" / "train.csv").exists() else None


def normal(text: str) -> str:
    """What makes two texts duplicates of each other here: letters and digits alone."""
    return "".join(character for character in text.casefold() if character.isalnum())


def banking(folder: Path) -> Corpus:
    """Four categories of banking77, each text once. Every sixth new message divides the annotators."""
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = {normal(row["text"]): row for row in csv.DictReader(file) if row["category"] in CATEGORIES}
    found = [Row(row["text"].strip(), row["category"]) for row in rows.values()]
    by_label = {label: [row for row in found if row.label == label] for label in CATEGORIES}
    mixed = [row for group in zip(*by_label.values(), strict=False) for row in group]
    new = mixed[HISTORY : HISTORY + NEW]

    def label_by(annotator: str, at: int) -> str:
        wrong = CATEGORIES[(CATEGORIES.index(new[at].label) + 1) % len(CATEGORIES)]
        return wrong if annotator == "ben" and at % 6 == 0 else new[at].label

    return Corpus("banking77", CATEGORIES, tuple(mixed[:HISTORY]), tuple(new), label_by)
