"""Prodigy: {"text", "spans": […], "accept": [names] or "label": name, "answer", "_session_id", …}, one object
a line.

Accepted examples are annotations, ignored ones are skips. Rejected ones aren't annotations: their proposed
labels become metadata.
"""

from __future__ import annotations

from typing import Any

from datasets_app.datasets.importing.readers.jsons import Pairs, cell_of
from datasets_app.datasets.importing.readers.shapes import Answer
from datasets_app.datasets.importing.readers.tools.parts import (
    Parsed,
    listed,
    name_of,
    names_cell,
    parsed,
    spans_cell,
)
from lifecycle.runtime.task_types.inputs import Cell

KNOWN = ("text", "label", "accept", "options", "tokens", "spans")
SESSIONS = ("_session_id", "_annotator_id")


def from_prodigy(found: Pairs) -> Parsed:
    """One example, answered in one session."""
    cells = cells_of(found)
    verdict = found.get("answer")
    person = next((name for key in SESSIONS if (name := name_of(found.get(key)))), "")
    values = Pairs({"text": cell_of(found.get("text"))} | dict.fromkeys(cells, ""))
    values |= {key: value for key, value in found.items() if key not in KNOWN}
    at = cell_of(found.get("_timestamp"))
    if verdict == "accept":
        return parsed(values, [Answer(person, cells, at=at)])
    if proposed := ", ".join(cell_of(each) for each in names_in(found)):
        values["proposed"] = proposed
    return parsed(values, [Answer(person, {}, skipped=True, at=at)] if verdict == "ignore" and person else [])


def cells_of(found: Pairs) -> dict[str, Cell]:
    """The answers of an accepted example, by question."""
    cells: dict[str, Cell] = {}
    if (spans := found.get("spans")) is not None:
        cells["spans"] = spans_cell(
            Pairs({key: each[key] for key in ("start", "end", "label", "text") if key in each})
            for each in listed(spans)
            if isinstance(each, Pairs)
        )
    if "accept" in found or "label" in found:
        cells["label"] = names_cell(names_in(found))
    return cells


def names_in(found: Pairs) -> list[Any]:
    """The label names that an example proposes."""
    value = found["accept"] if "accept" in found else found.get("label")
    return value if isinstance(value, list) else [value] if value else []
