"""audit verify."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

from typer import Option

from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun

noun = Noun("The audit log: list its events, verify it.")


@noun.verb
def verify(
    session: Session,
    key: Annotated[
        Path | None,
        Option(metavar="PEM", help="the installation's public key (signing.pub.pem), from its operator"),
    ] = None,
    file: Annotated[
        Path | None, Option(metavar="FILE", help="a local .jsonl export; without it one is made now")
    ] = None,
    save: Annotated[Path | None, Option(metavar="FILE", help="save the download")] = None,
    checkpoints: Annotated[
        Path | None,
        Option(metavar="FILE", help="signed checkpoints that you keep: all are checked, new ones added"),
    ] = None,
) -> int | None:
    """Verify the audit log on this machine: every hash, the order, and the signed checkpoints.

    Take the key from the people who run the installation, not from the server.
    """
    result: int | None = importlib.import_module("lifecycle.runtime.cli.trails").verify(
        session, key, file, save, checkpoints
    )
    return result
