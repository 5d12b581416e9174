"""schema show, export, publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from lifecycle.runtime.cli import classes, find
from lifecycle.runtime.cli.arguments import Dataset
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.files import text_of
from lifecycle.runtime.cli.screen import document, moment, plain
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.words import things

KEPT = ("name", "group", "definition", "examples", "lookalikes", "stable_id")  # of a label in a file
Version = Annotated[int | None, Option(metavar="N", help="one of the newest 30 (default: the newest)")]
File = Annotated[Path, Argument(metavar="FILE", help="a JSON file, as `schema export` writes it")]
Retire = Annotated[bool, Option("--retire", help="retire the labels that the file lacks")]
noun = Noun(
    'The labels and the guideline of a dataset. A file is JSON: {"version": 3, "guideline": "…", "labels":'
    ' [{"name": "card", "definition": "…", "examples": ["…"], "lookalikes": [{"name": "cash", "note": "…"}],'
    ' "group": "…", "stable_id": "…"}]}. Only names are required. A label keeps its id by its name, or by its'
    " stable_id where it is renamed. Without a guideline the current one stays; with a version the file is"
    " refused after someone else has published."
)


def wanted(session: Session, dataset: str, version: int | None) -> dict[str, Any]:
    """A version, the newest without a number. Raises Refused where it is missing."""
    parent = find.dataset(session, dataset)
    if version is None:
        return classes.newest(session, parent)
    rows = (row for row in classes.versions(session, parent["uuid"]) if row["version"] == version)
    return find.only(rows, f"version {version} of the labels of {parent['slug']}")


@noun.verb
def show(session: Session, dataset: Dataset, version: Version = None) -> None:
    """Show the labels, each with its definition, and the guideline."""
    found, lines, group = wanted(session, dataset, version), list[str](), ""
    for label in found["labels"]:
        if label["group"] != group:
            group = label["group"]
            lines += ["", group] if group else [""]
        lines.append(
            f"{label['name']}: {plain(label['definition'])}" if label["definition"] else label["name"]
        )
    guideline = ["", found["guideline"]] if found["guideline"] else []
    head = (
        f"Version {found['version']} of {moment(found['created_at'])}:"
        f" {things(len(found['labels']), 'label')}."
    )
    session.screen.show(found, head, *lines, *guideline)


@noun.verb
def export(
    session: Session,
    dataset: Dataset,
    version: Version = None,
    to: Annotated[Path | None, Option(metavar="FILE", help="where to save it (default: print it)")] = None,
) -> None:
    """Export as the file that `publish` takes."""
    found = wanted(session, dataset, version)
    labels = [{name: label[name] for name in KEPT} for label in found["labels"]]
    made = {"version": found["version"], "guideline": found["guideline"], "labels": labels}
    if to is None:
        return session.screen.show(made, document(made, indent=2))
    try:
        to.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise Usage(f"{to} can't be written: {error.strerror}.") from error
    return session.screen.show(
        made | {"path": str(to)}, f"{to}: version {found['version']}, {things(len(labels), 'label')}."
    )


@noun.verb
def publish(
    session: Session,
    dataset: Dataset,
    file: File,
    retire: Retire = False,
    accept: Annotated[
        list[str], Option(metavar="PROPOSAL", help="a proposal that it accepts, by uuid; repeatable")
    ] = [],  # noqa: B006
) -> None:
    """Publish the next version, from a file."""
    parent = find.dataset(session, dataset)
    made = published(session, parent, file, accept, retire=retire)
    taken = f" It accepts {things(len(accept), 'proposal')}." if accept else ""
    name = f"Version {made['version']} of the labels of {parent['slug']}"
    session.screen.show(made, f"{name} is published: {things(len(made['labels']), 'label')}.{taken}")


def published(
    session: Session, dataset: dict[str, Any], path: Path, proposals: list[str], *, retire: bool
) -> dict[str, Any]:
    """Publish a version from a file. Raises Refused where it would retire labels without --retire."""
    found = read(path)
    known = classes.versions(session, dataset["uuid"])
    if not retire and (dropped := missing(known[0]["labels"] if known else [], found["labels"])):
        raise Refused(
            f"The file lacks {', '.join(dropped)}, so this version would retire"
            f" {'it' if len(dropped) == 1 else 'them'}.",
            next_step="Add --retire to do so. Rename a label by its stable_id; merge labels on the page.",
        )
    guideline = found.get("guideline", known[0]["guideline"] if known else "")
    body = {
        "labels": found["labels"],
        "guideline": guideline,
        "seen": found.get("version"),
        "accepting": proposals,
    }
    return dict(session.api.post(f"/labeling/datasets/{dataset['uuid']}/schemas/", body))


def missing(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """The names of the labels that a file no longer has, neither by name nor by id."""
    there = {label["name"] for label in after} | {str(label.get("stable_id")) for label in after}
    return [
        label["name"] for label in before if label["name"] not in there and label["stable_id"] not in there
    ]


def read(path: Path) -> dict[str, Any]:
    """The file. Raises Usage for one without labels."""
    try:
        found = json.loads(text_of(path))
    except ValueError as error:
        raise Usage(f"{path} isn't JSON: {error}.") from error
    labels = found.get("labels") if isinstance(found, dict) else None
    if not isinstance(labels, list) or not all(
        isinstance(label, dict) and isinstance(label.get("name"), str) for label in labels
    ):
        raise Usage(f'{path} needs "labels", a list of objects with a "name". See: lifecycle schema --help')
    return dict(found)
