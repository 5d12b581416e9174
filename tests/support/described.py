"""Compare responses with the API description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator


@cache
def described() -> tuple[dict[str, Any], list[str]]:
    """The API's description, and what its generator warns of."""
    GENERATOR_STATS.reset()
    found = SchemaGenerator().get_schema(request=None, public=True)
    warnings = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    return found, warnings


def exact(node: Any) -> Any:
    """A part of the description as JSON Schema: `nullable` is a word of OpenAPI's own, and an object has no
    field that is not described.
    """
    if isinstance(node, list):
        return [exact(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: exact(value) for key, value in node.items() if key != "nullable"}
    if "properties" in node:
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") is True else made


@cache
def components() -> dict[str, Any]:
    """Every component as JSON Schema."""
    return {"schemas": exact(described()[0]["components"]["schemas"])}


@cache
def validator(path: str, method: str, status: int) -> Draft202012Validator:
    """Of a JSON answer."""
    schema = described()[0]["paths"][path][method]["responses"][str(status)]["content"]["application/json"][
        "schema"
    ]
    return Draft202012Validator({"components": components(), **exact(schema)})


def faults(method: str, route: str, answer: HttpResponse) -> Iterator[str]:
    """Where an answer is not as it is described. route: as Django writes it, /api/v1/runs/<uuid:uuid>/."""
    path = re.sub("<[a-z]+:([a-z_]+)>", r"{\1}", route)
    operation = described()[0]["paths"][path].get(method)
    if operation is None:
        return  # a method that the address does not have
    here = f"{method.upper()} {path} {answer.status_code}"
    documented = operation["responses"].get(str(answer.status_code))
    if documented is None:
        yield f"{here}: no such answer is described"
        return
    kind, kinds = answer.headers.get("Content-Type", "").split(";")[0], documented.get("content", {})
    if kind not in kinds and "*/*" not in kinds and (kind or kinds):
        yield f"{here}: {kind} is described as {', '.join(kinds) or 'nothing'}"
    elif kind == "application/json" and kind in kinds:
        yield from (f"{here} {wrong}" for wrong in wrong_in(path, method, answer.status_code, answer.content))


@cache
def wrong_in(path: str, method: str, status: int, content: bytes) -> list[str]:
    """Where a JSON answer is not of its schema. Many people get the same answer: it is looked at once."""
    errors = validator(path, method, status).iter_errors(json.loads(content))
    return [f"at {error.json_path}: {error.message[:200]}" for error in errors]
