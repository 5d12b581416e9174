"""dataset-versions create, export."""

from __future__ import annotations

from typing import Annotated, Literal

from typer import Option

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.arguments import Dataset, DatasetVersion, To
from lifecycle.runtime.cli.files import fetch, lost, ordered, saved
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.words import things

Format = Literal[
    "csv",
    "xlsx",
    "jsonl",
    "parquet",
    "hf",
    "fasttext",
    "conll",
    "chat",
    "sharegpt",
    "prompts",
    "alpaca",
    "summaries",
    "trl",
    "openai",
    "unpaired",
    "rankings",
]
SPLITS = ("train", "validation", "test")  # in the order in which they are used
noun = Noun("Versions of a dataset: create, list, and export.")


@noun.verb
def create(
    session: Session,
    dataset: Dataset,
    note: Annotated[str, Option(help="what is new in it, in a line")] = "",
    slice: Annotated[  # noqa: A002
        str, Option(metavar="SLICE", help="only what this slice matches now, by name or uuid")
    ] = "",
) -> None:
    """Create a version of a dataset's labeled items, to train on."""
    parent = find.dataset(session, dataset)
    known = session.api.get("/dataset-versions/", dataset=parent["uuid"])["results"]
    only = find.slice_(session, slice, {"dataset": parent})["uuid"] if slice else None
    body = {"note": note, "after": known[0]["number"] if known else 0, "slice": only}
    watching.follow_job(
        session, session.api.post(f"/datasets/{parent['uuid']}/dataset-versions/", body)["uuid"]
    )
    made = session.api.get("/dataset-versions/", dataset=parent["uuid"])["results"][0]
    name, splits = f"{parent['slug']}@{made['number']}", made["counts"]["splits"]
    session.screen.show(
        made,
        f"{name}: {things(made['counts']['rows'], 'row')};"
        f" {', '.join(f'{at} {splits[at]:,}' for at in SPLITS if at in splits)}.",
        f"Train on it: lifecycle runs launch {name} --watch",
    )


@noun.verb
def export(
    session: Session,
    version: DatasetVersion,
    format: Annotated[Format, Option(help="file format")],
    to: To = None,
) -> None:
    """Export a dataset version as a file with its texts, checked by its digest."""
    where = f"/dataset-versions/{find.dataset_version(session, version)['uuid']}/exports/"
    made = ordered(session, where, {"format": format}, lambda row: row["format"] == format)
    path = fetch(session, f"/dataset-version-files/{made['uuid']}/", made, to)
    odd = (
        [f"{things(made['neutralised'], 'cell')} would run as a formula: a ' was put before each."]
        if made["neutralised"]
        else []
    )
    session.screen.show(
        made | {"path": str(path)},
        *saved(path, made, things(made["rows"], "row")),
        *odd,
        *lost(made["left_out"]),
    )
