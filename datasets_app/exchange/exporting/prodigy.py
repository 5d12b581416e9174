"""Prodigy's JSONL: a line for each annotation of each session; a skip has the answer "ignore"."""

from __future__ import annotations

from collections.abc import Iterator

from datasets_app.datasets.importing.readers.jsons import Pairs
from datasets_app.exchange.exporting.facts import Fact, Object, Sheet
from lifecycle.runtime.task_types.answers import Value

GUESSES = "Pre-labels: Prodigy's examples have annotations only."
SECONDS = "Time spent on annotations."
BESIDE = (
    "label",
    "accept",
    "spans",
    "tokens",
    "options",
    "answer",
    "_session_id",
    "_annotator_id",
    "_timestamp",
    "_task_hash",
)


def keeps(raw: Pairs) -> bool:
    """Every line can be exported unchanged."""
    return True


def write(fact: Fact, raw: Pairs | None, sheet: Sheet) -> Iterator[Object]:
    """The lines of one item. raw: the imported line, which stays unchanged."""
    if raw is not None:
        yield raw
    sheet.drop(GUESSES, sum(not (guess.from_file and raw is not None) for guess in fact.guesses))
    base: Object = {key: value for key, value in (raw or {}).items() if key not in BESIDE} or fresh(fact)
    fresh_lines = 0
    for annotation in fact.annotations:
        if annotation.from_file and raw is not None:
            continue
        sheet.drop(SECONDS, int(annotation.seconds > 0))
        fresh_lines += 1
        yield {
            **base,
            **example(annotation.value, sheet),
            "_session_id": annotation.person,
            "_timestamp": int(annotation.at.timestamp()),
        }
    ruling = fact.ruling
    if ruling and (ruling.by_hand or (ruling.of_file and raw is None)):
        yield {**base, **example(ruling.value, sheet), "_timestamp": int(ruling.at.timestamp())}
    elif raw is None and not fresh_lines:
        yield base


def fresh(fact: Fact) -> Object:
    """An example for an item from another format."""
    return {"text": fact.text, **({"id": fact.external_id} if fact.external_id else {}), **fact.metadata}


def example(value: Value | None, sheet: Sheet) -> Object:
    """The annotation as Prodigy fields. value: None for a skip."""
    return {"answer": "ignore"} if value is None else {**sheet.written(value), "answer": "accept"}
