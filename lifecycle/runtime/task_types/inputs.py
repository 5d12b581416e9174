"""Cells of files and labeling tools, and the errors of invalid ones."""

from __future__ import annotations

import json
import unicodedata
from enum import StrEnum
from typing import Any, NamedTuple

from lifecycle.runtime.refusals import Refused

TEXT_LIMIT = 100_000  # characters per text


class BadInput(Refused):
    """The input doesn't fit the task. code: distinguishes the reasons. field: the part of the request or row
    it is in.
    """

    def __init__(self, code: str, message: str, next_step: str = "", field: str = "value") -> None:
        super().__init__(message, next_step=next_step, fields={field: [message]})
        self.code = code


class BadContent(BadInput):
    """The input isn't a valid content of the task's items."""

    def __init__(self, code: str, message: str, next_step: str = "") -> None:
        super().__init__(code, message, next_step, field="content")


class CellKind(StrEnum):
    """A cell: anything for a label column; otherwise JSON of names, spans, texts, response numbers, or
    messages; one number; or one word.
    """

    COLUMN = "column"
    NAMES = "names"
    SPANS = "spans"
    TEXTS = "texts"
    CHOICE = "choice"
    RANKING = "ranking"
    MESSAGES = "messages"
    NUMBERS = "numbers"
    PLAIN = "plain"


class Cell(NamedTuple):
    """A label column's cell, or the answer to one question of a labeling tool."""

    kind: CellKind
    text: str

    @property
    def is_empty(self) -> bool:
        """Whether it has no value."""
        return self.text.strip() in ("", "null")


def clean(name: str) -> str:
    """A name with surrounding spaces removed and inner ones collapsed."""
    return " ".join(name.split())


def has_invisible(name: str) -> bool:
    """Whether a name has control or invisible characters, which labels may not have. White space is allowed:
    `clean` handles it.
    """
    return not name.isprintable() and any(
        unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in name
    )


def loaded(text: str, what: str) -> Any:
    """Parse the JSON of a cell. what: its name in messages, such as "spans". Raises BadInput, also for values
    that can't be stored: NaN, NUL, half a surrogate pair.
    """
    try:
        found = json.loads(text, parse_constant=no_number)
        plain = json.dumps(found, ensure_ascii=False, allow_nan=False)
        plain.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(
            "unstorable_text", f"The {what} have half of a surrogate pair.", "Remove it."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadInput("not_json", f"The {what} aren't valid JSON.", "Write them as JSON.") from error
    if "\\u0000" in plain:
        raise BadInput("unstorable_text", f"The {what} have a NUL character.", "Remove it.")
    return found


def no_number(word: str) -> None:
    """Reject NaN and Infinity, which aren't JSON. Raises ValueError."""
    raise ValueError(word)


def names_of(cell: Cell, what: str) -> list[str]:
    """The texts of a cell: a JSON list of them, or a single word. Raises BadInput."""
    if cell.kind not in (CellKind.NAMES, CellKind.TEXTS):
        return [cell.text.strip()]
    found = loaded(cell.text, what)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BadInput("names", f"The {what} must be a list of texts.")
    return found


def only(cell: Cell, what: str) -> str:
    """The only text of such a cell. Raises BadInput for none or several."""
    found = names_of(cell, what)
    if len(found) != 1:
        raise BadInput(
            "several",
            f"One annotator gave {len(found):,} {what}; this dataset takes one.",
            "Keep one of them.",
        )
    return found[0]
