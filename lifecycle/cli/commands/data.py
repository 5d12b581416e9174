"""upload: a file's dry run, and its import once somebody has looked at it. freeze: a snapshot of what is decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lifecycle.cli import find, watching
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import count, facts, plain
from lifecycle.cli.session import Session
from lifecycle.refusals import Refused

PROBLEMS_SHOWN = 10
LABELS_SHOWN = 12
SPLITS = ("train", "validation", "test")  # in the order in which they are used


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    made = commands.add_parser(
        "upload", parents=[common], help="send a file with texts: dry run first, import with --accept",
        description="Send a file and see its dry run. Nothing is imported before it is accepted: with --accept at once, "
        "or later with `lifecycle upload UPLOAD --accept`, where UPLOAD is the uuid that the dry run prints.",
    )  # fmt: skip
    made.add_argument("file", metavar="FILE", help="a file, or the uuid of an earlier dry run")
    made.add_argument("--dataset", default="", metavar="SLUG", help="the dataset that it belongs to, by slug or uuid")
    made.add_argument("--origin", default="", help="where the file comes from, to be kept with it")
    made.add_argument(
        "--labels-as", choices=["decisions", "suggestions"], default="decisions", help="what its labels become (default: decisions)"
    )
    made.add_argument(
        "--map", action="append", default=[], metavar="COLUMN=ROLE", help="what a column is used for, such as worker=annotator; repeat it"
    )  # noqa: E501
    made.add_argument(
        "--value", action="append", default=[], metavar="VALUE=LABEL",
        help="the label that a value of the label column becomes, new or not; VALUE= imports the rows without a label; repeat it",
    )  # fmt: skip
    made.add_argument(
        "--contradicting", choices=["first", "undecided"],
        help="keep the first of conflicting labels, or leave these texts unlabeled; for files without an annotator column",
    )  # fmt: skip
    made.add_argument("--accept", action="store_true", help="import it when nothing in the file forbids that")
    made.set_defaults(run=upload)
    cold = commands.add_parser("freeze", parents=[common], help="freeze a dataset's decided items as a snapshot to train on")
    cold.add_argument("dataset", metavar="DATASET", help="slug or uuid")
    cold.add_argument("--note", default="", help="what is new in it, in a line")
    cold.add_argument("--slice", default="", metavar="UUID", help="only what this slice chooses now")
    cold.set_defaults(run=freeze)


def upload(session: Session) -> None:
    """Send, look, and import if asked."""
    args = session.args
    found = chosen(session, inspected(session, sent(session) if Path(args.file).exists() else earlier(session, args.file)))
    lines = dry_run(found)
    if not args.accept:
        lines += [
            "",
            "Nothing is imported yet.",
            f"Accept it with: lifecycle upload {found['uuid']} --accept",
            f"Or on {page(session, found)}",
        ]
        if looked(found).get("blocked"):
            lines[-3:] = [f"It cannot be imported as it is read now. Choose how to read it on {page(session, found)}"]
        return session.screen.show(found, *lines)
    if looked(found).get("blocked"):
        session.screen.tell("\n".join(lines))
        raise Refused(
            "The file cannot be imported as it is read now.", next_step=f"Mend it, or choose how to read it on {page(session, found)}"
        )
    body = {"labels_as": args.labels_as, "seen": found["seen"]} | ({"origin": args.origin} if args.origin else {})
    job = session.api.post(f"/uploads/{found['uuid']}/accept/", body)
    watching.follow_job(session, job["uuid"])
    done = session.api.get(f"/uploads/{found['uuid']}/")
    return session.screen.show(done, *lines, "", imported(done))


def sent(session: Session) -> dict[str, Any]:
    """The upload of a file that lies here."""
    path, args = Path(session.args.file), session.args
    if not args.dataset:
        raise Usage("Say which dataset the file belongs to: --dataset SLUG.")
    if not path.is_file():
        raise Usage(f"{path} is no file.")
    dataset = find.dataset(session, args.dataset)
    with path.open("rb") as file:
        return dict(session.api.send(f"/datasets/{dataset['uuid']}/uploads/", file, name=path.name, origin=args.origin))


def earlier(session: Session, name: str) -> dict[str, Any]:
    """The upload of an earlier dry run."""
    if not find.is_uuid(name):
        raise Usage(f"There is no file {name}.")
    return find.read(session, f"/uploads/{name}/", f"upload {name}")


def inspected(session: Session, found: dict[str, Any]) -> dict[str, Any]:
    """The upload once somebody has looked through it; a large file is looked through by a job."""
    while found["state"] == "received" or found["looking"]:
        session.screen.live(f"{found['file_name']} is being read", "reading")
        session.sleep(watching.POLL_SECONDS)
        found = session.api.get(f"/uploads/{found['uuid']}/")
    session.screen.close()
    if found["state"] != "inspected":
        raise Refused(f"This upload is {found['state']}.", next_step=f"See {page(session, found)}")
    return found


def chosen(session: Session, found: dict[str, Any]) -> dict[str, Any]:
    """The upload once it was looked through as the call says."""
    args = session.args
    pairs = dict(each.rpartition("=")[::2] for each in args.map)
    if "" in pairs:
        raise Usage("Write --map as COLUMN=ROLE, such as --map worker=annotator.")
    if unknown := next((column for column in pairs if column not in found["mapping"]), None):
        raise Usage(f"The file has no column {unknown}; there are {', '.join(found['mapping'])}.")
    if not all(value and mark for value, mark, _ in (each.rpartition("=") for each in args.value)):
        raise Usage("Write --value as VALUE=LABEL, such as --value pos=positive.")
    if not pairs and not args.contradicting and not args.value:
        return found
    reading = {name: found[name] for name in ("encoding", "parser", "delimiter", "has_header") if found[name] != ""}
    body = reading | {"mapping": found["mapping"] | pairs, "default_split": found["default_split"], "contradicting": args.contradicting}
    if args.value:
        body["label_values"] = found["label_values"] | dict(each.rpartition("=")[::2] for each in args.value)
    return inspected(session, session.api.post(f"/uploads/{found['uuid']}/inspect/", body))


def looked(found: dict[str, Any]) -> dict[str, Any]:
    """What the look at the file found."""
    return dict(found["report"].get("dry_run", {}))


def dry_run(found: dict[str, Any]) -> list[str]:
    """What the look at the file found, for people."""
    report = looked(found)
    people = report.get("people", {})
    labels = sorted(report.get("labels", {}).items(), key=lambda each: (-each[1], each[0]))
    shown = ", ".join(f"{name} {number:,}" for name, number in labels[:LABELS_SHOWN])
    more = f" and {len(labels) - LABELS_SHOWN:,} more" if len(labels) > LABELS_SHOWN else ""
    lines = facts([
        ("File", f"{found['file_name']}, {found['size']:,} bytes, {found['encoding']}"),
        ("Rows", f"{report.get('rows', 0):,}: {report.get('ok', 0):,} usable, {report.get('failed', 0):,} left out"),
        ("Repeated", f"{count(report.get('repeated') or 0, 'row')} with a text that is there already" if report.get("repeated") else ""),
        ("Columns", ", ".join(f"{name} → {role}" for name, role in found["mapping"].items())),
        ("Labels", f"{shown}{more}" if labels else "none"),
        ("Values", ", ".join(f"{value} → {name or 'no label'}" for value, name in list(found["label_values"].items())[:LABELS_SHOWN])),
        ("By", f"{count(len(people), 'annotator')}, {count(sum(people.values()), 'annotation')}" if people else ""),
    ])  # fmt: skip
    problems = report.get("problems", [])
    lines += [f"{'Line ' + format(each['line'], ',') if each['line'] else 'File'}: {plain(each['sentence'])} {plain(each['mend'])}" for each in problems[:PROBLEMS_SHOWN]]  # fmt: skip  # noqa: E501
    rest = sum(report.get("counts", {}).values()) - len(problems[:PROBLEMS_SHOWN])
    return [*lines, f"… and {count(rest, 'more problem')}."] if rest > 0 else lines


def imported(done: dict[str, Any]) -> str:
    """What became of it."""
    there, out = done["rows_duplicate"], done["rows_failed"]
    return f"Imported {count(done['rows_new'], 'new item')}; {there:,} were there already, {out:,} were left out."


def freeze(session: Session) -> None:
    """Freeze it, and stay until its rows are divided; refused when somebody was quicker."""
    dataset = find.dataset(session, session.args.dataset)
    known = session.api.get("/snapshots/", dataset=dataset["uuid"])["results"]
    body = {"note": session.args.note, "after": known[0]["number"] if known else 0, "slice": session.args.slice or None}
    job = session.api.post(f"/datasets/{dataset['uuid']}/freeze/", body)
    watching.follow_job(session, job["uuid"])
    made = session.api.get("/snapshots/", dataset=dataset["uuid"])["results"][0]
    name, splits = f"{dataset['slug']}@{made['number']}", made["counts"]["splits"]
    session.screen.show(
        made,
        f"{name}: {count(made['counts']['rows'], 'row')}; {', '.join(f'{at} {splits[at]:,}' for at in SPLITS if at in splits)}.",
        f"Train on it: lifecycle launch {name} --watch",
    )


def page(session: Session, found: dict[str, Any]) -> str:
    """Where a person looks at the upload."""
    return session.page(f"/datasets/uploads/{found['uuid']}/")
