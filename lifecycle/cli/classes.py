"""The classes of a dataset by the names that people use, where the API takes and gives ids."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.cli.session import Session
from lifecycle.cli.settings import Usage
from lifecycle.refusals import Refused

DROPPED = "a dropped class"
Row = dict[str, Any]


def versions(session: Session, dataset: str) -> list[Row]:
    """The newest 30 versions of a dataset's classes and guideline, newest first."""
    return list(session.api.get(f"/labeling/datasets/{dataset}/schemas/"))


def newest(session: Session, dataset: Row) -> Row:
    """The version that stands. Raises Refused where none was published."""
    found = versions(session, dataset["uuid"])
    if not found:
        raise Refused(f"{dataset['slug']} has no classes yet.", next_step=f"Publish them: lifecycle schema publish {dataset['slug']} FILE")
    return found[0]


def names(found: Sequence[Row]) -> dict[str, str]:
    """What the classes of these versions, newest first, are called: by stable id, each by its newest name."""
    return {label["stable_id"]: label["name"] for version in reversed(found) for label in version["labels"]}


def called(schema: Row, name: str) -> str:
    """The stable id of the class with this name. Raises Usage where the version has none."""
    ids = {label["name"]: str(label["stable_id"]) for label in schema["labels"]}
    if name not in ids and name not in ids.values():
        known = ", ".join(list(ids)[:10]) + (" …" if len(ids) > 10 else "")
        raise Usage(f"There is no class {name}. Version {schema['version']} has: {known}.")
    return ids.get(name, name)


def value(schema: Row, text: str) -> Row:
    """An answer as the API takes it, from JSON in which classes have their names: {"labels": ["card"]}. Raises Usage."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Usage(f'--value takes JSON, such as \'{{"labels": ["card"]}}\'. {text[:40]!r} is none.') from error
    if not isinstance(found, dict):
        raise Usage("--value takes a JSON object.")
    ids = {label["name"]: str(label["stable_id"]) for label in schema["labels"]}
    if isinstance(found.get("labels"), list):
        found["labels"] = [ids.get(str(each), each) for each in found["labels"]]
    for span in found["spans"] if isinstance(found.get("spans"), list) else []:
        if isinstance(span, dict):
            span["label"] = ids.get(str(span.get("label")), span.get("label"))
    return found


def words(said: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """An answer as a line. known: the names of classes by stable id."""
    if "label" in said:
        return known.get(said["label"], DROPPED)
    if "labels" in said:
        return ", ".join(sorted(known.get(each, DROPPED) for each in said["labels"])) or "none of the classes"
    if "spans" in said:
        marked = (f"{each['start']}–{each['end']} {known.get(each['label'], DROPPED)}" for each in said["spans"])
        return ", ".join(marked) or "nothing to mark"
    return json.dumps(said, ensure_ascii=False)
