"""schema: the classes and the guideline of a dataset, shown, exported and published as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lifecycle.cli import classes, find
from lifecycle.cli.arguments import of_dataset
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import count, document, moment, plain
from lifecycle.cli.session import Session
from lifecycle.refusals import Refused

KEPT = ("name", "group", "definition", "examples", "lookalikes", "stable_id")  # of a class in a file


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser(
        "schema", help="the classes and the guideline of a dataset",
        description='A file of classes is JSON: {"version": 3, "guideline": "…", "labels": [{"name": "card", "definition": "…", '
        '"examples": ["…"], "lookalikes": [{"name": "cash", "note": "…"}], "group": "…", "stable_id": "…"}]}. Only names are needed. '
        "A class keeps its id by name, or by the stable_id where it is called otherwise. Without a guideline the present one stays; "
        "with a version the file is refused once somebody else has published.",
    ).add_subparsers(dest="what", metavar="WHAT", required=True)  # fmt: skip
    of_version(group, common, "show", "the classes, each with its definition").set_defaults(run=show)
    out = of_version(group, common, "export", "as the file that `publish` takes")
    out.add_argument("--to", type=Path, metavar="FILE", help="where it is kept (default: it is printed)")
    out.set_defaults(run=export)
    new = of_dataset(group, common, "publish", "publish the next version, from a file")
    of_file(new)
    new.add_argument("--take-up", action="append", default=[], metavar="PROPOSAL", help="a proposal that it takes up, by uuid")
    new.set_defaults(run=publish)


def of_version(group: Any, common: Any, name: str, text: str) -> Any:
    """A command on a version of a dataset's classes."""
    made = of_dataset(group, common, name, text)
    made.add_argument("--version", type=int, metavar="N", help="of these 30 newest (default: the newest)")
    return made


def of_file(made: Any) -> None:
    """What is published."""
    made.add_argument("file", type=Path, metavar="FILE", help="a JSON file, as `schema export` writes it")
    made.add_argument("--retire", action="store_true", help="retire the classes that the file lacks")


def wanted(session: Session) -> dict[str, Any]:
    """The version that was asked for. Raises Refused where it is not there."""
    dataset, number = find.dataset(session, session.args.dataset), session.args.version
    if number is None:
        return classes.newest(session, dataset)
    found = [row for row in classes.versions(session, dataset["uuid"]) if row["version"] == number]
    return find.only(found, f"version {number} of the classes of {dataset['slug']}")


def show(session: Session) -> None:
    """For people."""
    found, lines, group = wanted(session), list[str](), ""
    for label in found["labels"]:
        if label["group"] != group:
            group = label["group"]
            lines += ["", group] if group else [""]
        lines.append(f"{label['name']}: {plain(label['definition'])}" if label["definition"] else label["name"])
    guideline = ["", found["guideline"]] if found["guideline"] else []
    head = f"Version {found['version']} of {moment(found['created_at'])}: {classes_of(found)}."
    session.screen.show(found, head, *lines, *guideline)


def classes_of(found: dict[str, Any]) -> str:
    """How many."""
    number = len(found["labels"])
    return f"{number:,} class{'' if number == 1 else 'es'}"


def export(session: Session) -> None:
    """The file, printed or kept."""
    found = wanted(session)
    labels = [{name: label[name] for name in KEPT} for label in found["labels"]]
    made = {"version": found["version"], "guideline": found["guideline"], "labels": labels}
    if session.args.to is None:
        session.screen.show(made, document(made, indent=2))
        return
    try:
        session.args.to.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise Usage(f"{session.args.to} cannot be written: {error.strerror}.") from error
    session.screen.show(made | {"path": str(session.args.to)}, f"{session.args.to}: version {found['version']}, {classes_of(found)}.")


def publish(session: Session) -> None:
    """The next version; the same again changes nothing."""
    args = session.args
    dataset = find.dataset(session, args.dataset)
    made = published(session, dataset, args.file, args.take_up, retire=args.retire)
    taken = f" It takes up {count(len(args.take_up), 'proposal')}." if args.take_up else ""
    session.screen.show(made, f"Version {made['version']} of the classes of {dataset['slug']} stands: {classes_of(made)}.{taken}")


def published(session: Session, dataset: dict[str, Any], path: Path, proposals: list[str], *, retire: bool) -> dict[str, Any]:
    """The version that a file makes. Raises Refused where it would retire classes that nobody asked to retire."""
    found = read(path)
    known = classes.versions(session, dataset["uuid"])
    if not retire and (gone := missing(known[0]["labels"] if known else [], found["labels"])):
        raise Refused(
            f"The file lacks {', '.join(gone)}, so that this version would retire {'it' if len(gone) == 1 else 'them'}.",
            next_step="Add --retire to do so; a class is renamed by its stable_id, and merged on the page.",
        )
    guideline = found.get("guideline", known[0]["guideline"] if known else "")
    body = {"labels": found["labels"], "guideline": guideline, "seen": found.get("version"), "taking_up": proposals}
    return dict(session.api.post(f"/labeling/datasets/{dataset['uuid']}/schemas/", body))


def missing(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """The names of the classes that a file no longer has, neither by name nor by id."""
    there = {label["name"] for label in after} | {str(label.get("stable_id")) for label in after}
    return [label["name"] for label in before if label["name"] not in there and label["stable_id"] not in there]


def read(path: Path) -> dict[str, Any]:
    """The file. Raises Usage for what is no file of classes."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}.") from error
    except ValueError as error:
        raise Usage(f"{path} is not JSON: {error}.") from error
    labels = found.get("labels") if isinstance(found, dict) else None
    if not isinstance(labels, list) or not all(isinstance(label, dict) and isinstance(label.get("name"), str) for label in labels):
        raise Usage(f'{path} is no file of classes: it needs "labels", a list of objects with a "name". See: lifecycle schema --help')
    return dict(found)
