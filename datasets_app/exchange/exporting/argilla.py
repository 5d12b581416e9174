"""Argilla's records, unflattened: fields, all responses and one suggestion per question. Flattened records stay flattened."""

from __future__ import annotations

from collections.abc import Iterator

from datasets_app.datasets.importing.readers.jsons import Pairs
from datasets_app.exchange.exporting.facts import Fact, Guess, Object, Said, Sheet

MORE_GUESSES = "Pre-labels beyond the first: Argilla has one per question."
SECONDS = "Annotation times: Argilla has none."


def keeps(raw: Pairs) -> bool:
    """Every record can go out as it came."""
    return True


def write(fact: Fact, raw: Pairs | None, sheet: Sheet) -> Iterator[Object]:
    """The record of one item. raw: as it came, to which new responses are added."""
    question = fact.question or "label"
    fresh = [said for said in fact.answers if not (said.brought and raw is not None)]
    sheet.drop(SECONDS, len(fresh))
    responses = [response(said, sheet) for said in fresh]
    ruling = fact.ruling
    if ruling and (ruling.by_hand or (ruling.of_file and raw is None)):
        responses.append({"value": sheet.written(ruling.value), "user_id": ruling.person, "status": "submitted"})
    guesses = [suggestion(guess, sheet) for guess in fact.guesses if raw is None or not guess.brought]
    if raw is None:
        sheet.drop(MORE_GUESSES, len(guesses) - 1)
        yield {
            "id": fact.external_id or fact.uuid, "fields": sheet.fields(fact), "metadata": dict(fact.metadata),
            "suggestions": {question: guesses[0]} if guesses else {},
            "responses": {question: responses} if responses else {}, "vectors": {},
        }  # fmt: skip
        return
    present = (raw.get("suggestions") or {}).get(question) if "fields" in raw else raw.get(f"{question}.suggestion")
    has_one = bool(present)
    sheet.drop(MORE_GUESSES, len(guesses) - (not has_one))
    yield (nested if "fields" in raw else flat)(dict(raw), question, responses, [] if has_one else guesses[:1])


def nested(record: Object, question: str, responses: list[Object], guesses: list[Object]) -> Object:
    """A record with more responses."""
    if responses:
        given = record.get("responses") or {}
        record["responses"] = {**given, question: [*(given.get(question) or []), *responses]}
    if guesses:
        record["suggestions"] = {**(record.get("suggestions") or {}), question: guesses[0]}
    return record


def flat(record: Object, question: str, responses: list[Object], guesses: list[Object]) -> Object:
    """A flattened record with more responses."""
    for key, name in (("", "value"), (".users", "user_id"), (".status", "status")) if responses else ():
        column = f"{question}.responses{key}"
        record[column] = [*(record.get(column) or []), *(each[name] for each in responses)]
    if guesses:
        record |= {f"{question}.suggestion": guesses[0]["value"], f"{question}.suggestion.score": guesses[0]["score"]}
        record[f"{question}.suggestion.agent"] = guesses[0]["agent"]
    return record


def response(said: Said, sheet: Sheet) -> Object:
    """One person's response."""
    if said.value is None:
        return {"value": None, "user_id": said.person, "status": "discarded"}
    return {"value": sheet.written(said.value), "user_id": said.person, "status": "submitted"}


def suggestion(guess: Guess, sheet: Sheet) -> Object:
    """What one source suggests."""
    return {"value": sheet.written(guess.value), "score": guess.score, "agent": guess.source}
