"""runs advise, estimate, launch, reproduce, watch, prioritize, list, manifest."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from uuid import uuid4

from typer import Option

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.arguments import (
    Base,
    DatasetVersion,
    Key,
    Place,
    Priority,
    Run,
    Settings,
    Strategy,
)
from lifecycle.runtime.cli.commands.jobs import move
from lifecycle.runtime.cli.errors import ApiRefusal, Usage
from lifecycle.runtime.cli.screen import facts, figure, moment, seconds, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import INTERRUPTED, Noun
from lifecycle.runtime.refusals import Refused

Watch = Annotated[bool, Option("--watch", help="follow it to its end")]
Row = dict[str, Any]
noun = Noun("Fine-tuning runs: advise, estimate, launch, watch.")


def on(session: Session, version: str, base: str) -> Row:
    """The dataset version and base as fields of a request."""
    found = find.dataset_version(session, version)
    project = find.read(session, f"/datasets/{found['dataset']}/", "dataset of this version")["project"]
    return {"dataset_version": found["uuid"], "base": find.base(session, base, project)["uuid"]}


def options(given: list[str]) -> Row:
    """Settings as fields of a request: numbers and booleans are parsed; all else, and the name of a label, is
    text.
    """
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Usage(f"--set {each} has no value. Write NAME=VALUE, such as epochs=3.")
        try:
            found[name] = value if name == "operating_class" else json.loads(value)
        except ValueError:
            found[name] = value
    return found


def keyed(key: str) -> str:
    """The key of --key, or a random one."""
    if key and not find.is_uuid(key):
        raise Usage(f"--key takes a uuid, not {key!r}.")
    return key or str(uuid4())


def create(session: Session, path: str, body: Row) -> Row:
    """Start something on a dataset version; returns the response."""
    try:
        return dict(session.api.post(path, body, twice=True))
    except ApiRefusal as error:
        if error.status != 404:  # the version and the base exist, so the role lacks the permission
            raise
        raise Refused(
            "You can see this dataset version, but not train on it.", next_step="Your roles: lifecycle whoami"
        ) from error


@noun.verb
def advise(
    session: Session,
    version: DatasetVersion,
    base: Base = "",
    sensitive: Annotated[bool, Option("--sensitive", help="the texts are sensitive")] = False,
    baseline_does: Annotated[bool, Option("--baseline-does", help="something simpler would do")] = False,
    latency_ms: Annotated[
        float | None, Option(metavar="MS", help="longest time per text, on one core")
    ] = None,
    size_mb: Annotated[float | None, Option(metavar="MB", help="largest model")] = None,
    minutes: Annotated[float | None, Option(metavar="MIN", help="longest training")] = None,
) -> None:
    """Advise whether to fine-tune on a dataset version and how, with reasons. Nothing is started."""
    fields = on(session, version, base)
    flags = {"sensitive": "true" if sensitive else "", "baseline_does": "true" if baseline_does else ""}
    limits = {"latency_ms": latency_ms, "size_mb": size_mb, "minutes": minutes}
    found = session.api.get(
        f"/dataset-versions/{fields['dataset_version']}/advice/", base=fields["base"], **flags, **limits
    )
    session.screen.show(
        found,
        f"{found['verdict']['title']} {found['verdict']['reason']}",
        *(
            f"{each['severity']}: {each['title']} {each['detail']} {each['next_step']}".rstrip()
            for each in found["warnings"]
        ),
        "",
        table(
            ("SETTING", "PROPOSED", "WHY"),
            [(each["name"], str(each["value"]), each["reason"]) for each in found["settings"]],
        ),
    )


@noun.verb
def estimate(
    session: Session,
    version: DatasetVersion,
    strategy: Strategy = "lora",
    base: Base = "",
    given: Settings = [],  # noqa: B006
) -> int | None:
    """Estimate a run's time, memory, disk, and cost by a dry run of ten steps."""
    body = on(session, version, base) | {"strategy": strategy, "options": options(given)}
    found = session.api.post("/estimates/", body, twice=True)
    page = session.page(f"/runs/estimates/{found['uuid']}/")
    session.screen.info(f"Running ten steps: {page}")
    try:
        watching.follow_job(session, found["job"])
    except KeyboardInterrupt:
        session.screen.info(f"The dry run continues: {page}")
        return INTERRUPTED
    found = session.api.get(f"/estimates/{found['uuid']}/")
    known = found["figures"]
    session.screen.show(
        found,
        facts(
            [
                (
                    "Whole run",
                    (
                        f"{seconds(known['seconds'])} ({seconds(known['shortest'])} to"
                        f" {seconds(known['longest'])})"
                    ),
                ),
                (
                    "Step",
                    (
                        f"{known['step_seconds']:.3f} s, {known['steps']:,} steps, {known['evaluations']:,}"
                        " evaluations"
                    ),
                ),
                ("Peak memory", f"{known['peak_memory_mb']:,.0f} MiB"),
                ("Disk", f"{known['disk_bytes'] / 1e6:,.1f} MB at most"),
                ("Model", f"{known['artifact_bytes'] / 1e6:,.1f} MB"),
                (
                    "Cost",
                    (
                        "no price per core-hour is set"
                        if found["price"] is None
                        else f"{found['price']:.4g} {found['currency']}"
                    ),
                ),
            ]
        ),
    )
    return None


@noun.verb
def launch(
    session: Session,
    version: DatasetVersion,
    strategy: Strategy = "lora",
    base: Base = "",
    given: Settings = [],  # noqa: B006
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None, Option(help="cuda is a GPU, auto whichever is free first")
    ] = None,
    priority: Priority = "normal",
    note: Annotated[str, Option(help="what is tried, in a line")] = "",
    key: Key = "",
    watch: Watch = False,
) -> int | None:
    """Launch a fine-tuning run on a dataset version."""
    chosen = options(given) | ({"device": device} if device else {})
    body = {"strategy": strategy, "options": chosen, "priority": priority, "note": note, "key": keyed(key)}
    run = create(session, "/runs/", on(session, version, base) | body)
    return launched(session, run, f"Run {run['number']} launched", watch=watch)


def launched(session: Session, run: Row, message: str, *, watch: bool) -> int | None:
    """Print the run's address; follow it with --watch."""
    message = f"{message}: {session.page('/runs/' + run['uuid'] + '/')}"
    if watch:
        session.screen.info(message)
        return watched(session, run)
    session.screen.show(run, message, f"Follow it: lifecycle runs watch {find.called(session, run)}")
    return None


def watched(session: Session, run: Row) -> int | None:
    """Follow a run to its end; 1 unless it succeeded with all its steps."""
    try:
        run = watching.follow_run(session, run["uuid"])
    except KeyboardInterrupt:
        session.screen.info(
            f"Run {run['number']} continues. Watch it: lifecycle runs watch {find.called(session, run)}"
        )
        return INTERRUPTED
    session.screen.show(run, *watching.run_result(run))
    return None if run["state"] == "succeeded" and not run["error"] else 1


@noun.verb
def reproduce(
    session: Session, run: Run, priority: Priority = "normal", key: Key = "", watch: Watch = False
) -> int | None:
    """Run a run's spec again and compare the weights; with --watch 1 unless they are equal."""
    first = find.run(session, run)
    made = session.api.post(
        f"/runs/{first['uuid']}/reproduce/", {"key": keyed(key), "priority": priority}, twice=True
    )
    code = launched(session, made, f"Run {made['number']} repeats run {first['number']}", watch=watch)
    if code or not watch:
        return code
    repeat = session.api.get(f"/runs/{made['uuid']}/")["repeat"]
    session.screen.info(
        "The same weights, bit for bit."
        if repeat["is_same"]
        else f"Different weights in {', '.join(repeat['differing'])}."
    )
    return None if repeat["is_same"] else 1


@noun.verb
def watch(session: Session, run: Run) -> int | None:
    """Follow a run to its end; Ctrl-C leaves it running."""
    return watched(session, find.run(session, run))


@noun.verb
def prioritize(session: Session, run: Run, priority: Place) -> None:
    """Change the priority of a queued run."""
    move(session, find.run(session, run)["job"], priority)


@noun.verb
def list_(session: Session) -> None:
    """List the newest 30 runs."""
    rows, projects = session.api.get("/runs/", project=find.project(session))["results"], find.slugs(session)
    lines = table(
        ["RUN", "PROJECT", "STATE", "STRATEGY", "STEP", "OF", "SCORE", "METRIC", "LAUNCHED", "NOTE"],
        [
            (
                str(row["number"]),
                projects[row["project"]],
                row["state"],
                row["strategy"],
                row["step"],
                row["total_steps"],
                figure(row["metrics"].get(row["leading"])),
                watching.SCORES[row["leading"]],
                moment(row["created_at"]),
                row["note"],
            )
            for row in rows
        ],
    )
    session.screen.show(
        rows, lines if rows else "No runs yet. Launch one: lifecycle runs launch DATASET@NUMBER"
    )


@noun.verb
def manifest(session: Session, run: Run) -> None:
    """Print a run as a Kubernetes Job, for kubectl apply -f -."""
    made = session.api.get(f"/runs/{find.run(session, run)['uuid']}/manifest/")
    session.screen.show(made, made["yaml"].rstrip())
