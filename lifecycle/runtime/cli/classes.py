"""A dataset's labels by name, where the API uses ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused

DROPPED = "a retired label"
Row = dict[str, Any]


def versions(session: Session, dataset: str) -> list[Row]:
    """The newest 30 versions of a dataset's labels and guideline, newest first."""
    return list(session.api.get(f"/labeling/datasets/{dataset}/schemas/"))


def newest(session: Session, dataset: Row) -> Row:
    """The current version. Raises Refused where none was published."""
    found = versions(session, dataset["uuid"])
    if not found:
        raise Refused(
            f"{dataset['slug']} has no labels yet.",
            next_step=f"Publish them: lifecycle schema publish {dataset['slug']} FILE",
        )
    return found[0]


def names(found: Sequence[Row]) -> dict[str, str]:
    """The newest name of each label by its stable id. found: versions, newest first."""
    return {label["stable_id"]: label["name"] for version in reversed(found) for label in version["labels"]}


def called(schema: Row, name: str) -> str:
    """The stable id of the label with this name. Raises Usage where the version has none."""
    ids = {label["name"]: str(label["stable_id"]) for label in schema["labels"]}
    if name not in ids and name not in ids.values():
        known = ", ".join(list(ids)[:10]) + (" …" if len(ids) > 10 else "")
        raise Usage(f"There is no label {name}. Version {schema['version']} has: {known}.")
    return ids.get(name, name)


def value(text: str) -> Any:
    """The JSON of an annotation, which the API reads. Raises Usage."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Usage(
            f'--value takes JSON, such as \'{{"labels": ["card"]}}\'. {text[:40]!r} isn\'t JSON.'
        ) from error
