"""models register, verify."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.arguments import Run
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun

noun = Noun("Registered models: create them, register runs as versions, and verify versions.")


@noun.verb
def register(
    session: Session,
    run: Run,
    version: Annotated[str, Argument(metavar="MODEL@VERSION", help="such as support-inbox@1.2.0")],
    purpose: Annotated[str, Option(metavar="TEXT", help="of its card: what it is for")] = "",
    limits: Annotated[str, Option(metavar="TEXT", help="of its card: what it can't do")] = "",
    risks: Annotated[str, Option(metavar="TEXT", help="of its card: what may go wrong")] = "",
) -> None:
    """Register a run as a signed version of a model."""
    slug, _, semver = version.rpartition("@")
    if not slug or not semver:
        raise Usage(f"{version!r} isn't a version. Write MODEL@VERSION, such as support-inbox@1.2.0.")
    source, model = find.run(session, run), find.model(session, slug)
    stated = {
        name: text for name, text in (("purpose", purpose), ("limits", limits), ("risks", risks)) if text
    }
    job = session.api.post(
        f"/models/{model['uuid']}/versions/", {"run": source["uuid"], "semver": semver, "stated": stated}
    )
    watching.follow_job(session, job["uuid"])
    made = find.version(session, semver, {"model": model["uuid"]})
    session.screen.show(
        made,
        f"Run {source['number']} is registered as {slug}@{semver}.",
        f"Root digest  {made['root_digest']}",
        f"Next: lifecycle promotions request {slug}@{semver} --endpoint ENDPOINT",
    )


@noun.verb
def verify(
    session: Session,
    version: Annotated[
        str, Argument(metavar="VERSION", help="MODEL@VERSION or uuid; without it give --file")
    ] = "",
    key: Annotated[
        Path | None,
        Option(metavar="PEM", help="the installation's public key (signing.pub.pem), from its operator"),
    ] = None,
    file: Annotated[Path | None, Option(metavar="FILE", help="a local .zip export of a version")] = None,
    save: Annotated[Path | None, Option(metavar="FILE", help="save the download")] = None,
) -> None:
    """Verify a version's files, model card, and signatures on this machine, without trusting the server."""
    if not version and not file:
        raise Usage("Name a version, or give its export with --file.")
    importlib.import_module("lifecycle.runtime.cli.bundles").verify(session, version, key, file, save)
