"""scan: look through a dataset for what is doubtful. findings: what was found, the most doubtful first."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.screen import count, percent, table
from lifecycle.runtime.cli.session import Session

SCANS = {"duplicates": "near_duplicates", "labels": "label_errors"}
KINDS = {"duplicates": "near_duplicate", "conflicts": "label_conflict", "labels": "label_error"}
WORDS = {"near_duplicate": "near duplicates", "label_conflict": "label conflicts", "label_error": "label errors"}


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    made = commands.add_parser("scan", parents=[common], help="look through a dataset for near duplicates or label errors")
    made.add_argument("dataset", metavar="DATASET", help="slug or uuid")
    made.add_argument("--for", dest="kind", choices=list(SCANS), default="duplicates", help="what to look for (default: duplicates)")
    made.set_defaults(run=scan)
    shown = commands.add_parser("findings", parents=[common], help="what scans found, the most doubtful 30 first")
    shown.add_argument("dataset", metavar="DATASET", help="slug or uuid")
    shown.add_argument("--kind", choices=list(KINDS), default="duplicates", help="duplicates, conflicts of labels, or doubtful labels")
    shown.add_argument("--status", choices=["open", "confirmed", "dismissed", "gone"], default="open", help="default: open")
    shown.set_defaults(run=findings)


def scan(session: Session) -> None:
    """Have it scanned, stay until it is, and say what was found."""
    dataset, kind = find.dataset(session, session.args.dataset), SCANS[session.args.kind]
    job = session.api.post(f"/datasets/{dataset['uuid']}/scans/", {"kind": kind})
    watching.follow_job(session, job["uuid"])
    found = session.api.get(f"/datasets/{dataset['uuid']}/scans/")
    done = next(each for each in found["scans"] if each["kind"] == kind)
    report = done["report"]
    lines = [
        f"{count(report['rows'], 'text')}: {count(report['new'], 'new finding')}; {report['again']:,} known, {report['gone']:,} gone.",
        *([f"The model agrees with {percent(report['agreement'])} of the labels."] if "agreement" in report else []),
        *([f"Features: {report['encoder'] or 'TF-IDF of words'}."] if "encoder" in report else []),
        *([f"Left out: {report['left_out_rows']:,} of labels with too few texts."] if report.get("left_out_rows") else []),
        "Open: " + ", ".join(f"{WORDS[each['kind']]} {each['open']:,}" for each in found["findings"]),
        "Page: " + session.page(f"/scanning/dataset/{dataset['uuid']}/"),
    ]
    session.screen.show(done, *lines)


def findings(session: Session) -> None:
    """By uuid; texts are on the page."""
    dataset, kind = find.dataset(session, session.args.dataset), KINDS[session.args.kind]
    rows = session.api.get(f"/datasets/{dataset['uuid']}/findings/", kind=kind, status=session.args.status)["results"]
    lines = table(["FINDING", "SCORE", "TEXTS", "LABEL", "SUGGESTED"], [line(row) for row in rows])
    session.screen.show(rows, *(lines if rows else [f"No {WORDS[kind]} here that are {session.args.status}."]))


def line(row: dict[str, Any]) -> tuple[str, str, int, str, str]:
    """One finding."""
    labels = row["given"] or ", ".join(f"{name} {number:,}" for name, number in row["labels"].items())
    return row["uuid"], f"{row['score']:.3f}", row["size"], labels, row["suggested"] or ""
