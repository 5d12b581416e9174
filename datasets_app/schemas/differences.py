"""What changed between two texts, line by line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT = 2  # unchanged lines around each change
LIMIT = 4_000  # lines of both texts that are compared


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line. number: in the newer text, or in the older one if removed. sign: "+" added, "-" removed, " "
    unchanged.
    """

    number: int
    sign: str
    text: str


def differences(before: str, after: str) -> list[DiffLine] | None:
    """Added and removed lines, each change with two lines of context; empty if nothing differs.

    None if the texts have more than 4,000 lines in total, which would take too long.
    """
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > LIMIT:
        return None
    found: list[DiffLine] = []
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT):
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                found += numbered(" ", new[new_from:new_to], new_from)
                continue
            found += numbered("-", old[old_from:old_to], old_from)
            found += numbered("+", new[new_from:new_to], new_from)
    return found


def numbered(sign: str, lines: Sequence[str], after: int) -> list[DiffLine]:
    """Lines with their numbers, from the one after `after` on."""
    return [DiffLine(number, sign, text) for number, text in enumerate(lines, start=after + 1)]
