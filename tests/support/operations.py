"""The part of the API's description that the command's plain verbs are made of, as
`lifecycle/runtime/cli/operations.json` keeps it.
"""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from lifecycle.runtime.cli.table import VERBS

Row = dict[str, Any]
FORMATS = {"uuid": "uuid", "date-time": "moment"}
TEN_THOUSAND = 10_000
LABEL = re.compile(r"^\* `(\w+)` - (.+)$", re.MULTILINE)  # of a value of an enumeration, in its description


def described() -> Row:
    """By method and path, as the table of verbs writes them."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    schemas = document["components"]["schemas"]
    return {verb.call: operation(document["paths"], schemas, verb.call) for verb in VERBS}


def operation(paths: Row, schemas: Row, call: str) -> Row:
    """What an operation is for, what it takes, and what comes of it. list: paged, results, plain or empty."""
    method, _, path = call.partition(" ")
    found = paths["/api/v1" + re.sub(r"{\w+}", "{uuid}", path)][method.lower()]
    sent = content(found.get("requestBody", {}), schemas)
    came = next(
        (
            content(found["responses"][code], schemas)
            for code in ("200", "201", "202")
            if code in found["responses"]
        ),
        {},
    )
    fields = came.get("properties", {})
    is_page = "results" in fields and len(fields) <= 3
    return {
        "help": re.split(r"(?<=[.])\s|;", first_paragraph(found["description"]))[0].rstrip("."),
        "list": (
            "paged"
            if is_page and "before" in fields
            else "results"
            if is_page
            else "plain"
            if came.get("type") == "array"
            else ""
        ),
        "job": (
            method == "POST"
            and {"attempt", "max_attempts", "cancel_requested_at"} <= fields.keys()
            and "/jobs/" not in path
        ),
        "query": {
            each["name"]: field(each["schema"], schemas, each)
            for each in found.get("parameters", [])
            if each["in"] == "query"
        },
        "body": {
            name: field(value, schemas, {"required": name in sent.get("required", ())})
            for name, value in sent.get("properties", {}).items()
            if field(value, schemas, {})["type"] != "object"
        },
    }


def content(part: Row, schemas: Row) -> Row:
    """The schema of a body."""
    of = part.get("content", {}).get("application/json")
    return whole(of["schema"], schemas) if of else {}


def whole(schema: Row, schemas: Row) -> Row:
    """A schema without its references."""
    while True:
        several = (
            schema.get("allOf")
            or [each for each in schema.get("oneOf", []) if each.get("$ref", "").find("Null") < 0][:1]
        )
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]] | {
                name: value for name, value in schema.items() if name != "$ref"
            }
        elif several:
            schema = several[0] | {
                name: value for name, value in schema.items() if name not in ("allOf", "oneOf")
            }
        else:
            return schema


def first_paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def field(schema: Row, schemas: Row, about: Row) -> Row:
    """One that is sent. type: string, integer, number, boolean, uuid, moment, share (of 10,000), json
    (anything) or object.
    """
    found = whole(schema, schemas)
    many = found.get("type") == "array"
    of = whole(found["items"], schemas) if many else found
    made: Row = {"type": FORMATS.get(of.get("format", ""), of.get("type", "json"))}
    if made["type"] == "integer" and of.get("maximum") == TEN_THOUSAND:
        made["type"] = "share"
    if of.get("enum"):
        made["enum"] = (
            [str(each) for each in of["enum"] if each not in (None, "")]
            if made["type"] == "string"
            else of["enum"]
        )
    choices = LABEL.findall(f"{of.get('description')}\n{schema.get('description')}")
    labels = {value: label for value, label in choices if value != label.lower()}
    text = LABEL.sub("", about.get("description") or schema.get("description") or "").strip()
    known = {
        "many": many,
        "required": about.get("required", False),
        "help": first_paragraph(text),
        "labels": labels,
        "default": found.get("default"),
    }
    return made | {name: value for name, value in known.items() if value not in (None, False, "", {})}
