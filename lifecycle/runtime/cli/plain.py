"""Verbs that are one request: `table.py` names them, and their options come from the API's description.

`operations.json` is the part of that description that they need, so that help works offline; a test compares
it with the present one.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from inspect import Parameter
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lifecycle.runtime.cli import classes, find, plans, watching
from lifecycle.runtime.cli.adjusts import ADJUSTS
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.files import text_of
from lifecycle.runtime.cli.screen import Table, facts, shown, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.table import VERBS, Verb, placeholders
from lifecycle.runtime.cli.verbs import FAILED, Draw, Noun
from lifecycle.runtime.cli.wording import VOCABULARY, Words

OPERATIONS = Path(__file__).with_name("operations.json")
TYPES: dict[str, Any] = {"integer": int, "number": float, "boolean": bool}
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
METAVARS = {
    "dataset_version": "dataset@number",
    "rollout": "endpoint",
    "newest_rollout": "endpoint",
    "shadow": "endpoint",
    "check": "queue",
}
PARSERS: dict[str, Callable[[str], Any]] = {"share": plans.share, "fraction": plans.points}
PERCENT = "percent, such as 5 or 0.5%"
LIMIT = 30
FIELDS = {  # help of fields whose description isn't enough
    "due_on": "when it should be done, such as 2026-12-24",
    "overlap": "annotators per item",
    "hidden_share": "percent of items without pre-labels",
    "order": "of the items",
    "acceptance": "what happens to annotations that agree",
    "source": "which items",
    "upload": "only items of this upload",
    "people": "assign only to this annotator; repeatable",
    "items": "only this item, by the id it came with or uuid; repeatable",
    "gold_rate": "percent of each annotator's items, up to 30",
    "gold_feedback": "show annotators their gold results immediately",
    "gold_minimum": "minimum gold accuracy in percent",
    "gold_holds": "pause annotators below the minimum until a lead reinstates them",
    "reason": "why; saved in the audit log",
    "note": "in a line",
    "typed": "the version that is live afterwards, typed to be sure",
    "pattern": "a word, phrase, or expression; repeatable; @FILE for one per line",
    "mode": "match texts with any of the words, or all",
    "explanation": "shown to annotators who get it wrong",
    "value": 'the annotation as JSON: {"labels": ["card"]}',
    "proposals decline reason": "why, for its author",
    "tolerated": "percent of the sample that may be wrong",
    "size": "items of the sample",
    "per_label": "items of each label, 1 to 50",
    "imported": "also items whose label came with a file",
    "reply_to": "uuid of the comment it replies to",
    "q": 'card transfer, "a phrase", -without',
    "flags": "only those that began with a flag",
    "mine": "only your own",
    "mentioning": "only those that mention you",
    "state": "only in this state",
    "delay_ms": "of slow responses",
    "minutes": "after which it ends automatically",
    "direction": "which way is good",
    "weeks": "the period",
    "holdout_share": "of the cases without the model; up to 50",
    "purpose": "intended use, shown on each version's card",
}
Row = dict[str, Any]


def add(noun: Noun, name: str) -> None:
    """Add the plain verbs of a noun."""
    described: Row = json.loads(OPERATIONS.read_text(encoding="utf-8"))
    for verb in VERBS:
        parent, _, word = verb.name.partition(" ")
        if parent == name:
            operation = described[verb.call]
            run = runner(verb, operation, labels(described), noun.drawings.get(word))
            noun.add(word, verb.help or operation["help"], parameters(verb, operation), run)


def labels(described: Row) -> dict[str, dict[Any, str]]:
    """The labels of values by field name."""
    found: dict[str, dict[Any, str]] = {}
    for operation in described.values():
        for name, field in (operation["query"] | operation["body"]).items():
            found[name] = found.get(name, {}) | field.get("labels", {})
    return found


def parameters(verb: Verb, operation: Row) -> list[Parameter]:
    """The command's parameters: placeholders of the path, then the fields of the query and the body."""
    flags = dict(each.split("=") for each in verb.flags.split())
    fields, positional = offered(verb, operation), verb.arguments.split()
    made = [argument(name, METAVARS.get(name, name), {"type": "string"}) for name in placeholders(verb)]
    made += [argument(name, name, fields[name]) for name in positional]
    made += [
        option(name, flags.get(name, name), field) for name, field in fields.items() if name not in positional
    ]
    if operation["list"] == "paged":
        made.append(
            option(
                "limit",
                "limit",
                {"type": "integer", "minimum": 1, "help": f"how many, newest first (default: {LIMIT})"},
            )
        )
    if verb.fails and verb.fails[0] != "!":
        made.append(
            option(
                "check", "check", {"type": "boolean", "help": "exit with 1 if something is open, for scripts"}
            )
        )
    return sorted(made, key=lambda each: each.default is not Parameter.empty)


def argument(name: str, called: str, field: Row) -> Parameter:
    """A positional parameter."""
    info = typer.Argument(
        metavar=called.replace("_", "-").upper(), help=hint(name, field), parser=parser(field)
    )
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind(field), info])


def option(name: str, called: str, field: Row) -> Parameter:
    """An option; one that isn't given is left out of the request."""
    word = called.replace("_", "-")
    metavar = word.upper() if kind(field) is str or parser(field) else None
    flag = f"--{word}/--no-{word}" if kind(field) is bool else f"--{word}"
    info = typer.Option(
        flag, metavar=metavar, help=hint(name, field), parser=parser(field), min=field.get("minimum")
    )
    default: Any = Parameter.empty if field.get("required") else [] if field.get("many") else None
    cls: Any = list[kind(field)] if field.get("many") else kind(field)  # type: ignore[misc]
    python_name = f"{name}_" if keyword.iskeyword(name) else name
    return Parameter(
        python_name,
        Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[cls | None if default is None else cls, info],
    )


def kind(field: Row) -> Any:
    """The type of a value."""
    return Literal[tuple(field["enum"])] if "enum" in field else TYPES.get(field["type"], str)


def parser(field: Row) -> Callable[[str], Any] | None:
    """The parser of a value that people write differently from the API."""
    return PARSERS.get(field["type"])


def hint(name: str, field: Row) -> str | None:
    """The help of a value: its meaning, format, and default."""
    notes = {
        "share": PERCENT,
        "fraction": PERCENT,
        "moment": "a time, or a duration such as 2h or 7d",
        "json": "JSON",
    }
    labels = ", ".join(
        f"{value} ({label[0].lower()}{label[1:]})" for value, label in field.get("labels", {}).items()
    )
    about = field.get("about") or FIELDS.get(name) or find.HELP.get(name) or field.get("help", "")
    text = "; ".join(filter(None, (about, notes.get(field["type"], ""), labels)))
    return (
        f"{text} (default: {field['default']})" if field.get("default") not in (None, "", False) else text
    ).strip() or None


def offered(verb: Verb, operation: Row) -> Row:
    """The fields that the command takes."""
    left_out = {"before", "project", *verb.hides.split(), *dict(verb.sets)}
    fields = {
        name: field
        for name, field in (operation["query"] | operation["body"]).items()
        if name not in left_out
    }
    for name in verb.optional.split():
        fields[name] = fields[name] | {"required": False}
    for name in fields.keys() & {"holdout_share"}:  # a share of 1
        fields[name] = fields[name] | {"type": "fraction"}
    for name in fields:
        if words := VOCABULARY.get(f"{verb.name} {name}"):
            fields[name] = fields[name] | {"labels": words}
        if about := FIELDS.get(f"{verb.name} {name}"):
            fields[name] = fields[name] | {"about": about}
    return {name: field | {"many": True} if name == verb.joins else field for name, field in fields.items()}


def runner(
    verb: Verb, operation: Row, labels: dict[str, dict[Any, str]], draw: Draw | None
) -> Callable[..., int | None]:
    """The function of a verb. draw: formats its result for people."""
    kinds = offered(verb, operation)

    def run(session: Session, limit: int | None = None, **given: Any) -> int | None:
        check = bool(verb.fails) and given.pop("check", None)
        known: Row = {}
        for name in placeholders(verb):
            known[name] = find.reference(session, name, given.pop(name), known)
        words = Words(session, known, labels)
        fields = {
            name: words.get_field(text[1:-1], (), known)[0] if str(text).startswith("{") else text
            for name, text in verb.sets
        }
        for name, value in given.items():
            if value not in (None, [], ""):
                name = name.removesuffix("_")
                fields[name] = resolved(session, name, value, kinds[name], known)
        if verb.joins in fields:
            fields[verb.joins] = "\n".join(
                text_of(Path(each[1:])) if each.startswith("@") else each for each in fields[verb.joins]
            )
        if adjust := ADJUSTS.get(verb.name):
            adjust(session, fields, known)
        if "project" in operation["query"] | operation["body"] and "project" not in fields:
            required = operation["body"].get("project", {}).get("required")
            fields |= (
                {"project": uuid}
                if (uuid := find.only_project(session) if required else find.project(session))
                else {}
            )
        uuids = {name: row["uuid"] for name, row in known.items()}
        method, _, path = verb.call.partition(" ")
        found = requested(session, method, path.format(**uuids), fields, operation, limit or LIMIT)
        found = session.api.get(verb.then.format(**uuids)) if verb.then else found
        known["given"] = fields
        if verb.page:
            known["page"] = session.page(
                verb.page.format(**{**(found if isinstance(found, dict) else {}), **known})
            )
        parts = result_parts(words, verb, found, draw)
        session.screen.show(
            found if found is not None else {"uuid": path.format(**uuids).split("/")[-2]}, *parts
        )
        if verb.fails.startswith("!"):
            return None if found[verb.fails[1:]] else FAILED
        return FAILED if check and found[verb.fails] else None

    return run


def resolved(session: Session, name: str, value: Any, field: Row, known: Row) -> Any:
    """A value for the API: a name becomes its uuid, a duration a time; none clears a field."""
    if isinstance(value, list):
        return [] if value == ["none"] else [resolved(session, name, each, field, known) for each in value]
    if value == "none" and not field.get("required") and "enum" not in field:
        return None
    if field["type"] == "json":
        return classes.value(value)
    if field["type"] == "moment":
        return moment(value, 1 if name == "until" else -1)
    if field["type"] == "uuid" and name in find.REFERENCES:
        known[name] = find.reference(session, name, value, known)
        return known[name]["uuid"]
    return value


def moment(text: str, sign: int) -> str:
    """A time from a duration to or from now, or as it is written. Raises Usage."""
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdecimal() and 0 < int(number) < 100_000 and unit in UNITS:
        return (datetime.now(UTC) + sign * timedelta(**{UNITS[unit]: int(number)})).isoformat()
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()
    except ValueError as error:
        raise Usage(
            f"{text!r} isn't a time. Write a duration, such as 30m, 2h, or 7d, or a time, such as"
            " 2026-11-25T10:00:00Z."
        ) from error


def requested(session: Session, method: str, path: str, fields: Row, operation: Row, limit: int) -> Any:
    """Send the request. Returns the rows of a list, or a job once it has succeeded, else the response."""
    if method == "DELETE":
        return session.api.delete(path)
    if method == "PUT":
        return session.api.put(path, fields)
    if method == "POST":
        found = session.api.post(path, fields or None, twice=not operation["body"])
        return watching.follow_job(session, found["uuid"]) if operation["job"] else found
    if operation["list"] == "paged":
        found = list(
            islice(
                session.api.every(
                    path, lambda: session.screen.live("Still searching", "searching"), **fields
                ),
                limit,
            )
        )
    else:
        found = session.api.get(path, **fields)
        found = found["results"] if operation["list"] == "results" else found
    wanted = find.project(session) if isinstance(found, list) and "project" not in operation["query"] else ""
    return [row for row in found if row.get("project", wanted) == wanted] if wanted else found


def result_parts(words: Words, verb: Verb, found: Any, draw: Draw | None) -> list[str | Table]:
    """A result for people: as its noun formats it, a table of a list, the verb's sentence, or facts and
    tables of one object.
    """
    if isinstance(found, list) and not found:
        return [words.cell(verb.text, {}) or "None."]
    if draw:
        return draw(words, found)
    if isinstance(found, list):
        return [words.table(verb.columns, found) if verb.columns else rows(found)]
    row: Row = found or {}
    lines = [line for each in verb.text.split("\n") if each and (line := words.cell(each, row))]
    if not verb.columns:
        return [*lines] or whole(words, verb, row)
    left = {name: value for name, value in row.items() if f"{{{name}" not in verb.columns and is_rows(value)}
    return [*lines, words.facts(f"{verb.columns}{'; page' if verb.page else ''}", row), *tables(left)]


def whole(words: Words, verb: Verb, row: Row) -> list[str | Table]:
    """All fields of one thing, and its tables."""
    about = [
        (name.replace("_", " ").capitalize(), shown(value) or "none")
        for name, value in flat(row)
        if not is_rows(value)
    ]
    about += [("Page", words.known["page"])] if verb.page else []
    return [facts(about), *tables({name: value for name, value in flat(row) if is_rows(value)})]


def tables(found: Row) -> list[str | Table]:
    """Tables of all fields, each under its name."""
    return [
        part
        for name, value in found.items()
        for part in ("", name.replace("_", " ").capitalize(), rows(value))
    ]


def is_rows(value: Any) -> bool:
    """Whether a value is a table of its own."""
    each = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return bool(each) and all(isinstance(row, dict) for row in each)


def flat(row: Row, before: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a row and of its nested objects."""
    for name, value in row.items():
        if isinstance(value, dict) and value and not is_rows(value):
            yield from flat(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", value


def rows(found: Any) -> Table:
    """A table of all fields."""
    each = [{"name": name} | row for name, row in found.items()] if isinstance(found, dict) else found
    cells = [dict(flat(row)) for row in each]
    heads = list(dict.fromkeys(name for row in cells for name in row))
    return table(
        [name.replace("_", " ").upper() for name in heads],
        [[shown(row.get(name)) for name in heads] for row in cells],
    )
