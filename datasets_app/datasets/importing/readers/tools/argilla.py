"""Argilla: records with all responses and the suggestions of agents.

    flattened    {"id", "status", <field>: …, "<question>.responses": […], "<question>.responses.users": […],
                 "<question>.responses.status": […], "<question>.suggestion": …,
                 "<question>.suggestion.score": …, "<question>.suggestion.agent": …, <metadata>: …}
    not so       {"id", "fields": {…}, "metadata": {…}, "suggestions": {question: {"value", "score",
                 "agent"}}, "responses": {question: [{"value", "user_id", "status"}]}, "vectors": {…}}

A submitted response is an answer, a discarded one a skip; drafts are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from datasets_app.datasets.importing.readers.jsons import Pairs, cell_of
from datasets_app.datasets.importing.readers.shapes import Answer
from datasets_app.datasets.importing.readers.tools.parts import (
    UNKNOWN,
    Parsed,
    listed,
    name_of,
    names_cell,
    parsed,
    share,
    spans_cell,
)
from lifecycle.runtime.task_types.inputs import Cell, CellKind

SKIPPED, STANDING = "discarded", ("submitted", "")
DRAFTS = "has draft responses"
OWN = ("id", "status", "_server_id", "external_id", "inserted_at", "updated_at")


class Response(NamedTuple):
    """One person's response to one question."""

    question: str
    value: Any
    user: str
    status: str


def from_argilla(found: Pairs) -> Parsed:
    """One record, flattened or not."""
    return from_nested(found) if isinstance(found.get("fields"), Pairs) else from_flat(found)


def from_nested(found: Pairs) -> Parsed:
    """A record from `to_dict(flatten=False)`."""
    responses = [
        Response(question, each.get("value"), cell_of(each.get("user_id")), cell_of(each.get("status")))
        for question, given in pairs_of(found.get("responses"))
        for each in listed(given)
        if isinstance(each, Pairs)
    ]
    guesses = [
        guess_of(question, each.get("value"), each.get("score"), each.get("agent"))
        for question, each in pairs_of(found.get("suggestions"))
        if isinstance(each, Pairs)
    ]
    rest = {key: found[key] for key in OWN[1:] if found.get(key)}
    values = Pairs({"id": cell_of(found.get("id"))} | dict(pairs_of(found.get("fields"))) | rest)
    values |= {f"metadata.{key}": value for key, value in pairs_of(found.get("metadata"))}
    return parsed(values, answers_of(responses), guesses, ignored_in(responses))


def from_flat(found: Pairs) -> Parsed:
    """A record from `to_dict(flatten=True)`."""
    questions = [key.removesuffix(".responses") for key in found if key.endswith(".responses")]
    questions += [
        name
        for key in found
        if key.endswith(".suggestion") and (name := key.removesuffix(".suggestion")) not in questions
    ]
    responses, guesses = [], []
    for question in questions:
        values = listed(found.get(f"{question}.responses"))
        users, states = (listed(found.get(f"{question}.responses.{part}")) for part in ("users", "status"))
        responses += [
            Response(
                question,
                value,
                cell_of(users[at]) if at < len(users) else "",
                cell_of(states[at]) if at < len(states) else "",
            )
            for at, value in enumerate(values)
        ]
        if (value := found.get(f"{question}.suggestion")) not in (None, ""):
            guesses.append(
                guess_of(
                    question,
                    value,
                    found.get(f"{question}.suggestion.score"),
                    found.get(f"{question}.suggestion.agent"),
                )
            )
    others = {
        key: value
        for key, value in found.items()
        if not any(key == each or key.startswith(f"{each}.") for each in questions)
    }
    return parsed(
        Pairs({"id": cell_of(found.get("id"))} | others),
        answers_of(responses),
        guesses,
        ignored_in(responses),
    )


def pairs_of(value: Any) -> Iterable[tuple[str, Any]]:
    """The entries of an object; of anything else, none."""
    return value.items() if isinstance(value, Pairs) else ()


def answers_of(responses: Sequence[Response]) -> list[Answer]:
    """Each person's answers to all questions."""
    people: dict[str, tuple[dict[str, Cell], list[str]]] = {}
    for at, each in enumerate(responses):
        if each.status not in (*STANDING, SKIPPED):
            continue
        cells, states = people.setdefault(name_of(each.user) or f"{UNKNOWN} {at + 1}", ({}, []))
        states.append(each.status)
        if each.status != SKIPPED and each.value is not None:
            cells[each.question] = cell(each.value)
    return [
        Answer(person, cells, skipped=not cells and SKIPPED in states)
        for person, (cells, states) in people.items()
    ]


def ignored_in(responses: Sequence[Response]) -> list[str]:
    """Descriptions of ignored content."""
    return [DRAFTS] if any(each.status not in (*STANDING, SKIPPED) for each in responses) else []


def guess_of(question: str, value: Any, score: Any, agent: Any) -> Answer:
    """An agent's suggestion."""
    return Answer(name_of(agent) or "a model", {question: cell(value)}, score=share(score))


def cell(value: Any) -> Cell:
    """A value by its form: spans, ranks, names or one name."""
    items = listed(value)
    if items and all(isinstance(each, Pairs) and "start" in each for each in items):
        return spans_cell(
            Pairs({key: each[key] for key in ("start", "end", "label") if key in each}) for each in items
        )
    if items and all(isinstance(each, Pairs) and "rank" in each for each in items):
        ordered = sorted(
            items, key=lambda each: int(each["rank"]) if cell_of(each["rank"]).isdecimal() else 0
        )
        return Cell(
            CellKind.RANKING, "[" + ", ".join(digits(cell_of(each.get("value"))) for each in ordered) + "]"
        )
    return names_cell(items if isinstance(value, list) else [value])


def digits(name: str) -> str:
    """The number of a response from 0, from the number at the end of its name: "response-2" is 1."""
    tail = name[len(name.rstrip("0123456789")) :]
    return str(int(tail) - 1) if tail and len(tail) < 5 else "-1"
