"""items export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import Dataset
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.files import fetch, ordered
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.words import things

Search = Annotated[str, Option(metavar="WORDS", help='card transfer, "a phrase", -without, begin*')]
Filter = Annotated[list[str], Option("--filter", metavar="NAME=VALUE", help="repeatable")]
Slice = Annotated[
    str, Option(metavar="SLICE", help="the filters of a slice, by name or uuid, to which others are added")
]
noun = Noun(
    "Items of a dataset. Filters have the names that they have in the address of the items page, such as"
    " labeled_how=unanimous."
)


@noun.verb
def export(
    session: Session,
    dataset: Dataset,
    to: Annotated[Path, Option(metavar="FILE", help="the CSV file")],
    search: Search = "",
    filters: Filter = [],  # noqa: B006
    slice: Slice = "",  # noqa: A002
) -> None:
    """Export the items that match as CSV, with their labels."""
    uuid, wanted = query(session, dataset, search, filters, slice)
    body = {
        "filters": {name: value for name, value in wanted.items() if name != "slice"},
        "slice": wanted.get("slice"),
    }
    made = ordered(session, f"/datasets/{uuid}/item-exports/", body, lambda row: True)
    fetch(session, f"/item-files/{made['uuid']}/", made, to)
    session.screen.show(made, f"{things(made['items'], 'item')} in {to}", f"sha256  {made['sha256']}")


def query(
    session: Session, dataset: str, search: str, filters: list[str], slice_: str
) -> tuple[str, dict[str, str]]:
    """The dataset, and the filters as the API takes them. Raises Usage for one without a value."""
    named = dict(each.partition("=")[::2] for each in filters)
    if without := [name for name, value in named.items() if not name or not value]:
        raise Usage(f"Write --filter NAME=VALUE; {without[0] or 'one'} has no value.")
    parent = find.dataset(session, dataset)
    chosen = {"slice": str(find.slice_(session, slice_, {"dataset": parent})["uuid"])} if slice_ else {}
    return parent["uuid"], named | ({"q": search} if search else {}) | chosen
