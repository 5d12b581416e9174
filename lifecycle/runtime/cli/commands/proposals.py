"""proposals accept; what proposals list prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import Dataset
from lifecycle.runtime.cli.commands.schema import Retire, published
from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words
from lifecycle.runtime.words import things

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
    parent = find.dataset(session, dataset)
    made = published(session, parent, file, proposals, retire=retire)
    session.screen.show(
        made,
        f"Version {made['version']} of {parent['slug']} accepts {things(len(set(proposals)), 'proposal')}.",
    )


@noun.draws("list")
def listed(words: Words, found: list[dict[str, Any]]) -> list[str | Table]:
    """Each proposal with its text and outcome."""
    return [line for row in found for line in described(words, row)]


def described(words: Words, row: dict[str, Any]) -> list[str | Table]:
    """One proposal."""
    on = "on version {version}" if row["version"] else "before any version"
    about = ", about {labels:label}" if row["labels"] else ""
    outcome = {"declined": "  Declined: {reason}", "accepted": "  Accepted in version {accepted_in}."}.get(
        row["state"]
    )
    lines = [f"{{uuid}}  {{created_at}}, {{by}} {on}{about}", "  {text}", *([outcome] if outcome else [])]
    return [words.vformat(line, (), row) for line in lines]
