"""annotations export."""

from __future__ import annotations

from typing import Annotated, Literal

from typer import Option

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import Dataset, To
from lifecycle.runtime.cli.files import fetch, lost, ordered, saved
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.words import things

noun = Noun("Annotations: export for another labeling tool.")


@noun.verb
def export(
    session: Session,
    dataset: Dataset,
    format: Annotated[Literal["labelstudio", "doccano", "prodigy", "argilla"], Option(help="file format")],  # noqa: A002
    queue: Annotated[str, Option(metavar="QUEUE", help="only of items of this queue, by name or uuid")] = "",
    to: To = None,
) -> None:
    """Export everyone's annotations as a file of another labeling tool."""
    parent = find.dataset(session, dataset)
    only = find.queue(session, queue, {"dataset": parent})["uuid"] if queue else None
    where = f"/datasets/{parent['uuid']}/annotation-exports/"
    made = ordered(
        session,
        where,
        {"format": format, "queue": only},
        lambda row: (row["format"], row["queue"]) == (format, only),
    )
    path = fetch(session, f"/annotation-files/{made['uuid']}/", made, to)
    held = f"{things(made['items'], 'item')}, {things(made['annotations'], 'annotation')}"
    dropped = [f"{text} {number:,}" for text, number in made["dropped"].items()]
    session.screen.show(made | {"path": str(path)}, *saved(path, made, held), *lost(dropped))
