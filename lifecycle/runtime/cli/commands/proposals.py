"""proposals accept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import Dataset
from lifecycle.runtime.cli.commands.schema import Retire, published
from lifecycle.runtime.cli.screen import count
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun

noun = Noun("Proposed changes of a guideline.")


@noun.verb
def accept(
    session: Session,
    dataset: Dataset,
    proposals: Annotated[list[str], Argument(metavar="PROPOSAL…", help="uuids")],
    file: Annotated[Path, Option(metavar="FILE", help="the version: JSON, as `schema export` writes it")],
    retire: Retire = False,
) -> None:
    """Publish a version that accepts proposals; their authors are notified."""
    of = find.dataset(session, dataset)
    made = published(session, of, file, proposals, retire=retire)
    session.screen.show(made, f"Version {made['version']} of {of['slug']} accepts {count(len(set(proposals)), 'proposal')}.")
