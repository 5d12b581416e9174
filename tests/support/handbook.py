"""Questions about a company's offices, each with the passage of the handbook that holds its answer: made in
code, the same each time.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

TOWNS = (
    "Aachen", "Bergen", "Cork", "Dresden", "Essen", "Florence", "Graz", "Haarlem", "Ipswich", "Jena", "Kiel",
    "Leeds", "Malaga", "Nantes", "Oslo", "Porto", "Quimper", "Riga", "Seville", "Turin", "Utrecht", "Vaasa",
    "Wroclaw", "York", "Zagreb", "Bruges", "Derby", "Gdansk", "Lille", "Modena", "Split", "Trier",
)  # fmt: skip
ROOMS = ("the post room", "the front desk", "the east lobby", "the store", "the canteen")
# A fact in an office's passage, a question about it, and the desk's response.
FACTS = (
    (
        "The help desk has extension {extension}.",
        "Which extension has the help desk in {town}?",
        "The help desk in {town} has extension {extension}.",
    ),
    (
        "Visitors park on level {level}.",
        "Where do visitors of the {town} office park?",
        "Visitors in {town} park on level {level}.",
    ),
    ("Its doors open at {hour}.", "When do the doors in {town} open?", "In {town} the doors open at {hour}."),
    (
        "A hotel room may cost up to {euros} euros a night.",
        "What may a hotel room in {town} cost?",
        "In {town} the company pays for rooms of up to {euros} euros a night.",
    ),
    (
        "Parcels are handed out at {room}.",
        "Where do I get my parcel in {town}?",
        "In {town} parcels are handed out at {room}.",
    ),
)
ASKED = 3  # questions about each office


@dataclass(frozen=True)
class Pair:
    """A question, the passage and the answer that a colleague gave; the office is what must stay on one side
    of a split.
    """

    id: str
    question: str
    passage: str
    answer: str
    office: str


def pairs() -> list[Pair]:
    """Three questions about each office. The passages of two offices differ in every fact."""
    made = []
    for number, town in enumerate(TOWNS):
        facts = {
            "town": town,
            "extension": 4100 + 37 * number,
            "level": 1 + number % 6,
            "hour": f"{6 + number % 4}:{(number * 7) % 6}0",
            "euros": 90 + 5 * ((number * 11) % 31),
            "room": ROOMS[number % len(ROOMS)],
        }
        passage = f"Office in {town}. {' '.join(fact.format(**facts) for fact, _, _ in FACTS)}"
        for turn in range(ASKED):
            _, question, answer = FACTS[(number + turn) % len(FACTS)]
            made.append(
                Pair(f"q-{len(made)}", question.format(**facts), passage, answer.format(**facts), town)
            )
    return made


def write_csv(path: Path, rows: list[Pair], unanswered: list[Pair]) -> Path:
    """The pairs as a help desk exports them: with a row that asks nothing (line 3), one that is there twice,
    and some without an answer.
    """
    lines = [[each.id, each.question, each.passage, each.answer, each.office] for each in rows]
    lines += [[each.id, each.question, each.passage, "", each.office] for each in unanswered]
    lines.insert(1, ["q-x", "", rows[0].passage, rows[0].answer, rows[0].office])
    lines.append(["q-y", *lines[0][1:]])
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "question", "passage", "answer", "office"], *lines])
    return path
