"""evaluations list, rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.commands.exports import TO, fetch
from lifecycle.runtime.cli.commands.training import RUN, score
from lifecycle.runtime.cli.screen import count, moment, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused

METRICS = {"macro_f1": "MACRO F1", "accuracy": "ACCURACY", "micro_f1": "MICRO F1", "ece": "ECE"}


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("evaluations", help="list evaluations and download per-row predictions").add_subparsers(
        metavar="WHAT", required=True
    )
    listing = group.add_parser("list", parents=[common], help="the newest 30 of a run")
    listing.add_argument("what", metavar="RUN", help=RUN)
    listing.set_defaults(run=list_)
    rows = group.add_parser("rows", parents=[common], help="the predictions of every row as a file, from which the report follows")
    rows.add_argument("what", metavar="RUN", help=RUN)
    rows.add_argument("--split", default="test", metavar="NAME", help="measured on validation or test (default: test)")
    rows.add_argument("--format", choices=("parquet", "csv"), default="parquet", help="the kind of file (default: parquet)")
    rows.add_argument("--to", type=Path, metavar="FILE", help=TO)
    rows.set_defaults(run=download)


def list_(session: Session) -> None:
    """Newest first."""
    rows = of_run(session, find.run(session, session.args.what))
    lines = table(
        ["SPLIT", "ROWS", *METRICS.values(), "MADE", "UUID"],
        [(row["split"], row["rows"], *(score(row[name]) for name in METRICS), moment(row["created_at"]), row["uuid"]) for row in rows],
    )
    session.screen.show(rows, *(lines if rows else ["No evaluations yet: a run is evaluated when it has succeeded."]))


def download(session: Session) -> None:
    """The newest on that split, whole or not at all; of Parquet the digest is checked."""
    args, run = session.args, find.run(session, session.args.what)
    found = next((row for row in of_run(session, run) if row["split"] == args.split), None)
    if found is None:
        raise Refused(f"Run {run['number']} has no evaluation on {args.split}.", next_step=f"See: lifecycle evaluations list {args.what}")
    digest = session.api.get(f"/evaluations/{found['uuid']}/")["predictions_digest"] if args.format == "parquet" else ""
    made = {"file_name": f"run-{run['number']}-{args.split}-predictions.{args.format}", "sha256": digest}
    path = fetch(session, f"/evaluations/{found['uuid']}/predictions.{args.format}", made, args.to)
    session.screen.show(found | {"path": str(path)}, f"{path}: {count(found['rows'], 'row')}.")


def of_run(session: Session, run: dict[str, Any]) -> list[dict[str, Any]]:
    """Its newest evaluations."""
    return list(session.api.get("/evaluations/", run=run["uuid"])["results"])
