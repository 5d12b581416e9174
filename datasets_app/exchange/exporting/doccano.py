"""doccano's JSONL in a zip: all.jsonl with resolved labels, and <person>.jsonl with each person's
annotations.
"""

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
    """(person, line) pairs of one item; an empty person for the resolved label. raw: the imported object,
    kept except for its labels.
    """
    base: Object = (
        {key: value for key, value in raw.items() if key not in LABELS} if raw is not None else fresh(fact)
    )
    ruling = fact.ruling
    kept = (
        raw if raw is not None and ruling and ruling.of_file and any(raw.get(key) for key in LABELS) else None
    )
    decided = (
        {key: kept[key] for key in LABELS if key in kept}
        if kept is not None
        else labels(ruling.value if ruling else None, sheet)
    )
    found = [("", base | decided)]
    for annotation in fact.annotations:
        if annotation.value is None:
            sheet.drop(SKIPS)
            continue
        sheet.drop(TIMES, int(annotation.seconds > 0 or not annotation.from_file))
        found.append((annotation.person, base | labels(annotation.value, sheet)))
    sheet.drop(GUESSES, len(fact.guesses))
    return found


def fresh(fact: Fact) -> Object:
    """An example for an item from another format."""
    return {
        **({"id": fact.external_id} if fact.external_id else {}),
        "text": fact.text,
        "Comments": [],
        **fact.metadata,
    }


def labels(value: Value | None, sheet: Sheet) -> Object:
    """The annotation as labels; an empty list for none."""
    found: list[Any] = [] if value is None else sheet.written(value)
    sheet.drop(EMPTY, int(value is not None and not found))
    return {"label": found}
