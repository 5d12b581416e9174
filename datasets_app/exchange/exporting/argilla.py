"""Argilla's records, unflattened: fields, all responses and one suggestion per question. Flattened records
stay flattened.
"""

from __future__ import annotations

from collections.abc import Iterator

from datasets_app.datasets.importing.readers.jsons import Pairs
from datasets_app.exchange.exporting.facts import Fact, Guess, ItemAnnotation, Object, Sheet

MORE_GUESSES = "Pre-labels beyond the first: Argilla has one per question."
SECONDS = "Annotation times: Argilla has none."


def keeps(raw: Pairs) -> bool:
    """Every record can be exported unchanged."""
    return True


def write(fact: Fact, raw: Pairs | None, sheet: Sheet) -> Iterator[Object]:
    """The record of one item. raw: the imported record, to which new responses are added."""
    question = fact.question or "label"
    fresh = [annotation for annotation in fact.annotations if not (annotation.from_file and raw is not None)]
    sheet.drop(SECONDS, len(fresh))
    responses = [response(annotation, sheet) for annotation in fresh]
    ruling = fact.ruling
    if ruling and (ruling.by_hand or (ruling.of_file and raw is None)):
        responses.append(
            {"value": sheet.written(ruling.value), "user_id": ruling.person, "status": "submitted"}
        )
    guesses = [suggestion(guess, sheet) for guess in fact.guesses if raw is None or not guess.from_file]
    if raw is None:
        sheet.drop(MORE_GUESSES, len(guesses) - 1)
        yield {
            "id": fact.external_id or fact.uuid,
            "fields": sheet.fields(fact),
            "metadata": dict(fact.metadata),
            "suggestions": {question: guesses[0]} if guesses else {},
            "responses": {question: responses} if responses else {},
            "vectors": {},
        }
        return
    present = (
        (raw.get("suggestions") or {}).get(question) if "fields" in raw else raw.get(f"{question}.suggestion")
    )
    has_one = bool(present)
    sheet.drop(MORE_GUESSES, len(guesses) - (not has_one))
    yield (nested if "fields" in raw else flat)(
        dict(raw), question, responses, [] if has_one else guesses[:1]
    )


def nested(record: Object, question: str, responses: list[Object], guesses: list[Object]) -> Object:
    """Add responses and a suggestion to a record."""
    if responses:
        given = record.get("responses") or {}
        record["responses"] = {**given, question: [*(given.get(question) or []), *responses]}
    if guesses:
        record["suggestions"] = {**(record.get("suggestions") or {}), question: guesses[0]}
    return record


def flat(record: Object, question: str, responses: list[Object], guesses: list[Object]) -> Object:
    """Add responses and a suggestion to a flattened record."""
    for key, name in (("", "value"), (".users", "user_id"), (".status", "status")) if responses else ():
        column = f"{question}.responses{key}"
        record[column] = [*(record.get(column) or []), *(each[name] for each in responses)]
    if guesses:
        record |= {
            f"{question}.suggestion": guesses[0]["value"],
            f"{question}.suggestion.score": guesses[0]["score"],
        }
        record[f"{question}.suggestion.agent"] = guesses[0]["agent"]
    return record


def response(annotation: ItemAnnotation, sheet: Sheet) -> Object:
    """One person's response."""
    if annotation.value is None:
        return {"value": None, "user_id": annotation.person, "status": "discarded"}
    return {"value": sheet.written(annotation.value), "user_id": annotation.person, "status": "submitted"}


def suggestion(guess: Guess, sheet: Sheet) -> Object:
    """The suggestion of one source."""
    return {"value": sheet.written(guess.value), "score": guess.score, "agent": guess.source}
