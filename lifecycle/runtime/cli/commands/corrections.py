"""corrections upload (a dry run, and labels once it is accepted), corrections show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from lifecycle.runtime.cli import watching
from lifecycle.runtime.cli.files import earlier, sent
from lifecycle.runtime.cli.screen import Table, facts, plain, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.words import things

OUTCOMES = {
    "changed": "changed",
    "unchanged": "unchanged",
    "moved": "relabeled since the export",
    "own": "annotated by yourself",
    "unknown_label": "unknown label",
    "unknown_item": "not an item of this dataset",
    "unreadable": "no label that can be parsed",
    "repeated": "repeats an earlier item with another label",
}
SENT, WHERE, WHAT = "/labeling/datasets/{}/corrections/", "/labeling/corrections/", "corrections file"
CASES, PAIRS = 10, 20  # that are shown
noun = Noun(
    "Corrected labels: export a dataset version as CSV, Excel, JSONL, or Parquet, correct its labels, and"
    " upload it."
)


@noun.verb
def upload(
    session: Session,
    file: Annotated[str, Argument(metavar="FILE", help="a file, or the uuid of an earlier dry run")],
    dataset: Annotated[str, Option(metavar="SLUG", help="the file's dataset, by slug or uuid")] = "",
    accept: Annotated[
        bool, Option("--accept", help="save what it changes as labels that you are responsible for")
    ] = False,
    take_moved: Annotated[
        bool, Option("--take-moved", help="with --accept: also items that were relabeled since the export")
    ] = False,
) -> None:
    """Upload a file of corrected labels: a dry run first, labels with --accept.

    No label changes before it is accepted: at once with --accept, or later by the uuid that the dry run
    prints.
    """
    found = sent(session, file, dataset, SENT) if Path(file).exists() else earlier(session, file, WHERE, WHAT)
    found = looked(session, found)
    parts = dry_run(session, found)
    if not accept:
        may = counts(found).get("changed", 0) or counts(found).get("moved", 0)
        how = (
            f"Accept it with: lifecycle corrections upload {found['uuid']} --accept"
            if may
            else "It changes no label."
        )
        return session.screen.show(found, *parts, "", "No label changed yet.", how)
    session.screen.info(*parts)
    job = session.api.post(f"/labeling/corrections/{found['uuid']}/accept/", {"take_moved": take_moved})
    watching.follow_job(session, job["uuid"])
    done = session.api.get(f"/labeling/corrections/{found['uuid']}/")
    return session.screen.show(done, written(done))


def looked(session: Session, found: dict[str, Any]) -> dict[str, Any]:
    """The file after its dry run. Raises Refused where that failed, or it was accepted already."""
    while found["state"] == "looking":
        session.screen.live(f"Reading {found['file_name']}", "reading")
        session.sleep(watching.POLL_SECONDS)
        found = session.api.get(f"/labeling/corrections/{found['uuid']}/")
    session.screen.close()
    error = found["report"].get("error", {})
    if found["state"] == "failed":
        raise Refused(
            error.get("message") or f"{found['file_name']} couldn't be read.",
            next_step=error.get("next_step", ""),
        )
    if found["state"] != "looked":
        raise Refused(
            f"This file is {found['state']} already.",
            next_step=f"See: lifecycle corrections show {found['uuid']}",
        )
    return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    """Rows by outcome."""
    return dict(found["report"].get("look", {}).get("counts", {}))


def dry_run(session: Session, found: dict[str, Any]) -> list[str | Table]:
    """The dry run's result for people: rows by outcome, changes by label, and the rows in doubt."""
    look = found["report"].get("look", {})
    parts: list[str | Table] = [
        facts(
            [
                ("File", f"{found['file_name']}, {found['state']}"),
                ("Rows", f"{look.get('rows', 0):,}"),
                *(
                    (words.capitalize(), number)
                    for name, words in OUTCOMES.items()
                    if (number := counts(found).get(name))
                ),
                ("Page", session.page(f"/labeling/corrections/{found['uuid']}/")),
            ]
        )
    ]
    pairs = look.get("pairs", [])
    parts += ["", table(["WAS", "BECOMES", "ROWS"], pairs[:PAIRS])] if pairs else []
    parts += [f"… and {things(len(pairs) - PAIRS, 'more pair')}."] if len(pairs) > PAIRS else []
    for name, number, near in look.get("unknown", []):
        parts.append(
            f"{plain(name)}: not a label, {things(number, 'row')}"
            + (f". Did you mean {near}?" if near else "")
        )
    for name, words in OUTCOMES.items():
        for row in look.get("cases", {}).get(name, [])[:CASES]:
            change = f": now {row['now']}, in the file {row['in_file']}" if "now" in row else ""
            parts.append(f"Line {row['line']:,}: {plain(row['message']) or words}{plain(change)}")
    return parts


def written(done: dict[str, Any]) -> str:
    """The result of the import."""
    found = done["report"].get("written", {})
    taken = ("changed", "moved") if done["take_moved"] else ("changed",)
    left = [
        f"{words} {found[name]:,}"
        for name, words in OUTCOMES.items()
        if found.get(name) and name not in taken
    ]
    made = sum(found.get(name, 0) for name in taken)
    return f"{things(made, 'label')} saved." + (f" Left as they are: {', '.join(left)}." if left else "")


@noun.verb
def show(session: Session, correction: Annotated[str, Argument(metavar="CORRECTION", help="uuid")]) -> None:
    """Show what a file would change, or its result."""
    found = earlier(session, correction, WHERE, WHAT)
    error = found["report"].get("error", {})
    parts = dry_run(session, found) + ([plain(f"{error['message']} {error['next_step']}")] if error else [])
    session.screen.show(found, *parts, *(["", written(found)] if found["state"] == "written" else []))
