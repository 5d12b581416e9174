"""datasets upload (a dry run, and the import once it is accepted), datasets scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.arguments import Dataset
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.files import earlier, sent
from lifecycle.runtime.cli.screen import Table, facts, percent, plain
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.words import things

PROBLEMS_SHOWN = 10
LABELS_SHOWN = 12
SCANS = {"duplicates": "near_duplicates", "labels": "label_errors"}
WORDS = {
    "near_duplicate": "near duplicates",
    "label_conflict": "label conflicts",
    "label_error": "label errors",
}
noun = Noun("Datasets: create, upload files, and scan for data issues.")


@noun.verb
def upload(
    session: Session,
    file: Annotated[str, Argument(metavar="FILE", help="a file, or the uuid of an earlier dry run")],
    dataset: Annotated[str, Option(metavar="SLUG", help="the file's dataset, by slug or uuid")] = "",
    origin: Annotated[str, Option(help="where the file comes from, saved with it")] = "",
    labels_as: Annotated[
        Literal["decisions", "suggestions"], Option(help="what its labels become: labels, or pre-labels")
    ] = "decisions",
    map: Annotated[
        list[str],
        Option(metavar="COLUMN=ROLE", help="how a column is used, such as worker=annotator; repeatable"),
    ] = [],  # noqa: B006
    value: Annotated[
        list[str],
        Option(
            metavar="VALUE=LABEL",
            help="the label of a value of the label column; VALUE= imports its rows unlabeled; repeatable",
        ),
    ] = [],  # noqa: B006
    contradicting: Annotated[
        Literal["first", "unlabeled"] | None,
        Option(
            help=(
                "keep the first of conflicting labels, or leave these texts unlabeled; for files without an"
                " annotator column"
            )
        ),
    ] = None,
    accept: Annotated[
        bool, Option("--accept", help="import it, unless the dry run found something that forbids it")
    ] = False,
) -> None:
    """Upload a file: a dry run first, the import with --accept.

    Nothing is imported before it is accepted: at once with --accept, or later by the uuid that the dry run
    prints.
    """
    found = (
        sent(session, file, dataset, "/datasets/{}/uploads/", origin=origin)
        if Path(file).exists()
        else earlier(session, file, "/uploads/", "upload")
    )
    found = chosen(session, inspected(session, found), map, value, contradicting)
    page = session.page(f"/datasets/uploads/{found['uuid']}/")
    blocked = looked(found).get("blocked")
    lines = dry_run(found)
    if not accept:
        next_steps = [
            "Nothing is imported yet.",
            f"Accept it with: lifecycle datasets upload {found['uuid']} --accept",
            f"Or on {page}",
        ]
        next_steps = (
            [f"It can't be imported as it is parsed now. Choose how to parse it on {page}"]
            if blocked
            else next_steps
        )
        return session.screen.show(found, *lines, "", *next_steps)
    if blocked:
        session.screen.info(*lines)
        raise Refused(
            "The file can't be imported as it is parsed now.",
            next_step=f"Fix it, or choose how to parse it on {page}",
        )
    body = {"labels_as": labels_as, "seen": found["seen"]} | ({"origin": origin} if origin else {})
    watching.follow_job(session, session.api.post(f"/uploads/{found['uuid']}/accept/", body)["uuid"])
    done = session.api.get(f"/uploads/{found['uuid']}/")
    there, out = f"{done['rows_duplicate']:,} duplicates", f"{done['rows_failed']:,} rejected rows"
    return session.screen.show(
        done, *lines, "", f"Imported {things(done['rows_new'], 'new item')}; {there}, {out}."
    )


def inspected(session: Session, found: dict[str, Any]) -> dict[str, Any]:
    """The upload once its dry run is done, which for a large file is a job."""
    while found["state"] == "received" or found["looking"]:
        session.screen.live(f"Reading {found['file_name']}", "reading")
        session.sleep(watching.POLL_SECONDS)
        found = session.api.get(f"/uploads/{found['uuid']}/")
    session.screen.close()
    if found["state"] != "inspected":
        raise Refused(
            f"This upload is {found['state']}.",
            next_step=f"See {session.page('/datasets/uploads/' + found['uuid'] + '/')}",
        )
    return found


def chosen(
    session: Session, found: dict[str, Any], mapped: list[str], values: list[str], contradicting: str | None
) -> dict[str, Any]:
    """The upload after a dry run with the options of the command."""
    pairs = dict(each.rpartition("=")[::2] for each in mapped)
    if "" in pairs:
        raise Usage("Write --map as COLUMN=ROLE, such as --map worker=annotator.")
    if unknown := next((column for column in pairs if column not in found["mapping"]), None):
        raise Usage(f"The file has no column {unknown}; it has {', '.join(found['mapping'])}.")
    if not all(value and mark for value, mark, _ in (each.rpartition("=") for each in values)):
        raise Usage("Write --value as VALUE=LABEL, such as --value pos=positive.")
    if not pairs and not contradicting and not values:
        return found
    reading = {
        name: found[name] for name in ("encoding", "parser", "delimiter", "has_header") if found[name] != ""
    }
    body = reading | {
        "mapping": found["mapping"] | pairs,
        "default_split": found["default_split"],
        "contradicting": contradicting,
    }
    if values:
        body["label_values"] = found["label_values"] | dict(each.rpartition("=")[::2] for each in values)
    return inspected(session, session.api.post(f"/uploads/{found['uuid']}/inspect/", body))


def looked(found: dict[str, Any]) -> dict[str, Any]:
    """The dry run's report."""
    return dict(found["report"].get("dry_run", {}))


def dry_run(found: dict[str, Any]) -> list[str | Table]:
    """The dry run's report for people."""
    report = looked(found)
    people = report.get("people", {})
    labels = sorted(report.get("labels", {}).items(), key=lambda each: (-each[1], each[0]))
    shown = ", ".join(f"{name} {number:,}" for name, number in labels[:LABELS_SHOWN])
    more = f" and {len(labels) - LABELS_SHOWN:,} more" if len(labels) > LABELS_SHOWN else ""
    lines: list[str | Table] = [
        facts(
            [
                ("File", f"{found['file_name']}, {found['size']:,} bytes, {found['encoding']}"),
                (
                    "Rows",
                    (
                        f"{report.get('rows', 0):,}: {report.get('ok', 0):,} usable,"
                        f" {report.get('failed', 0):,} rejected"
                    ),
                ),
                (
                    "Duplicates",
                    (
                        f"{things(report.get('repeated') or 0, 'row')} with a text that is there already"
                        if report.get("repeated")
                        else ""
                    ),
                ),
                ("Columns", ", ".join(f"{name} → {role}" for name, role in found["mapping"].items())),
                ("Labels", f"{shown}{more}" if labels else "none"),
                (
                    "Values",
                    ", ".join(
                        f"{value} → {name or 'no label'}"
                        for value, name in list(found["label_values"].items())[:LABELS_SHOWN]
                    ),
                ),
                (
                    "By",
                    (
                        f"{things(len(people), 'annotator')}, {things(sum(people.values()), 'annotation')}"
                        if people
                        else ""
                    ),
                ),
            ]
        )
    ]
    problems = report.get("problems", [])
    for each in problems[:PROBLEMS_SHOWN]:
        lines.append(
            f"{'Line ' + format(each['line'], ',') if each['line'] else 'File'}: {plain(each['sentence'])}"
            f" {plain(each['fix'])}"
        )
    rest = sum(report.get("counts", {}).values()) - len(problems[:PROBLEMS_SHOWN])
    return [*lines, f"… and {things(rest, 'more problem')}."] if rest > 0 else lines


@noun.verb
def scan(
    session: Session,
    dataset: Dataset,
    kind: Annotated[
        Literal["duplicates", "labels"], Option("--for", help="near duplicates, or label errors")
    ] = "duplicates",
) -> None:
    """Scan a dataset for near duplicates or label errors."""
    uuid = find.dataset(session, dataset)["uuid"]
    watching.follow_job(session, session.api.post(f"/datasets/{uuid}/scans/", {"kind": SCANS[kind]})["uuid"])
    found = session.api.get(f"/datasets/{uuid}/scans/")
    done = next(each for each in found["scans"] if each["kind"] == SCANS[kind])
    report = done["report"]
    session.screen.show(
        done,
        f"{things(report['rows'], 'text')}: {things(report['new'], 'new data issue')}; {report['again']:,}"
        f" known, {report['gone']:,} gone.",
        *(
            [f"The model agrees with {percent(report['agreement'])} of the labels."]
            if "agreement" in report
            else []
        ),
        *([f"Features: {report['encoder'] or 'TF-IDF of words'}."] if "encoder" in report else []),
        *(
            [f"Skipped: {report['left_out_rows']:,} of labels with too few texts."]
            if report.get("left_out_rows")
            else []
        ),
        "Open: " + ", ".join(f"{WORDS[each['kind']]} {each['open']:,}" for each in found["data_issues"]),
        "Page: " + session.page(f"/data-issues/dataset/{uuid}/"),
    )
