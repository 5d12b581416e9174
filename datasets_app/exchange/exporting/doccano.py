"""doccano's JSONL in a zip: all.jsonl with resolved labels, and <person>.jsonl with each person's annotations."""

from __future__ import annotations

from typing import Any

from datasets_app.datasets.importing.readers.jsons import Pairs
from datasets_app.exchange.exporting.facts import Fact, Object, Sheet
from lifecycle.runtime.task_types.answers import Value

GUESSES = "Pre-labels: doccano's examples have labels only."
SKIPS = "Skips: doccano has none."
TIMES = "Annotation times and durations."
EMPTY = "Annotations with no label or no spans: doccano can't distinguish them from missing ones."
LABELS = ("label", "labels", "cats", "entities", "spans")


def lines(fact: Fact, raw: Pairs | None, sheet: Sheet) -> list[tuple[str, Object]]:
    """(person, line) of one item; no person: the line of what is decided. raw: as the item came, of which all but its labels stays."""
    base: Object = {key: value for key, value in raw.items() if key not in LABELS} if raw is not None else fresh(fact)
    ruling = fact.ruling
    kept = raw if raw is not None and ruling and ruling.of_file and any(raw.get(key) for key in LABELS) else None
    decided = {key: kept[key] for key in LABELS if key in kept} if kept is not None else labels(ruling.value if ruling else None, sheet)
    found = [("", base | decided)]
    for said in fact.answers:
        if said.value is None:
            sheet.drop(SKIPS)
            continue
        sheet.drop(TIMES, int(said.seconds > 0 or not said.brought))
        found.append((said.person, base | labels(said.value, sheet)))
    sheet.drop(GUESSES, len(fact.guesses))
    return found


def fresh(fact: Fact) -> Object:
    """An item that was no example before."""
    return {**({"id": fact.external_id} if fact.external_id else {}), "text": fact.text, "Comments": [], **fact.metadata}


def labels(value: Value | None, sheet: Sheet) -> Object:
    """The annotation as labels; an empty list for none."""
    found: list[Any] = [] if value is None else sheet.written(value)
    sheet.drop(EMPTY, int(value is not None and not found))
    return {"label": found}
