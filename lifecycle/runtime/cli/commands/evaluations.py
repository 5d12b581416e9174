"""evaluations download."""

from __future__ import annotations

from typing import Annotated, Literal

from typer import Option

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import Run, To
from lifecycle.runtime.cli.files import fetch
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.words import things

noun = Noun("Evaluations of runs, and their predictions.")


@noun.verb
def download(
    session: Session,
    run: Run,
    split: Annotated[str, Option(metavar="NAME", help="validation or test")] = "test",
    format: Annotated[Literal["parquet", "csv"], Option(help="file format")] = "parquet",  # noqa: A002
    to: To = None,
) -> None:
    """Download the predictions of every row of a run's newest evaluation."""
    parent = find.run(session, run)
    found = next(
        (
            row
            for row in session.api.get("/evaluations/", run=parent["uuid"])["results"]
            if row["split"] == split
        ),
        None,
    )
    if found is None:
        raise Refused(
            f"Run {parent['number']} has no evaluation on {split}.",
            next_step=f"See: lifecycle evaluations list {run}",
        )
    digest = (
        session.api.get(f"/evaluations/{found['uuid']}/")["predictions_digest"] if format == "parquet" else ""
    )
    made = {"file_name": f"run-{parent['number']}-{split}-predictions.{format}", "sha256": digest}
    path = fetch(session, f"/evaluations/{found['uuid']}/predictions.{format}", made, to)
    session.screen.show(found | {"path": str(path)}, f"{path}: {things(found['rows'], 'row')}.")
