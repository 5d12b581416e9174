"""launch, reproduce, train-on, watch, prioritise, runs, manifest."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from lifecycle.cli import find, watching
from lifecycle.cli.errors import ApiRefusal, Usage
from lifecycle.cli.screen import moment, table
from lifecycle.cli.session import Session
from lifecycle.refusals import Refused

STRATEGY = "fine-tuning strategy, such as lora or full; an unknown name lists all (default: lora)"
RUN = "a run's number, PROJECT/NUMBER or uuid"
PRIORITIES = ("urgent", "normal", "later")
DEVICES = ("auto", "cpu", "cuda")
INTERRUPTED = 130


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    start = commands.add_parser("launch", parents=[common], help="start a fine-tuning run on a snapshot")
    start.add_argument("snapshot", metavar="SNAPSHOT", help="DATASET@NUMBER, such as inbox@3, or its uuid")
    start.add_argument("--strategy", default="lora", metavar="NAME", help=STRATEGY)
    start.add_argument("--base", default="", metavar="NAME", help="base model, by name or uuid; the project's newest by default")
    start.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting in place of the suggested one, such as epochs=3"
    )
    start.add_argument("--device", choices=DEVICES, default="", help="what it trains on: cuda is a GPU, auto whichever is free first")
    start.add_argument("--priority", choices=PRIORITIES, default="normal", help="where in line it waits for a worker (default: normal)")
    start.add_argument("--note", default="", help="what is tried, in a line")
    start.add_argument("--key", default="", metavar="UUID", help="the same key again gives the same run; random by default")
    start.add_argument("--watch", action="store_true", help="follow it to its end")
    start.set_defaults(run=launch)
    again = commands.add_parser("reproduce", parents=[common], help="run a run's spec again and compare the weights")
    again.add_argument("what", metavar="RUN", help=RUN)
    again.add_argument("--priority", choices=PRIORITIES, default="normal", help="where in line it waits for a worker (default: normal)")
    again.add_argument("--key", default="", metavar="UUID", help="the same key again gives the same run; random by default")
    again.add_argument("--watch", action="store_true", help="follow it to its end; 1 unless the weights are equal")
    again.set_defaults(run=reproduce)
    onward = commands.add_parser("train-on", parents=[common], help="make a run's model a base that other runs start from")
    onward.add_argument("what", metavar="RUN", help=RUN)
    onward.set_defaults(run=train_on)
    look = commands.add_parser("watch", parents=[common], help="follow a run or a job to its end; Ctrl-C leaves it running")
    look.add_argument("what", metavar="RUN|JOB", help=f"{RUN}; or a job's uuid")
    look.set_defaults(run=watch)
    move = commands.add_parser("prioritise", parents=[common], help="have a run or a job that waits go sooner or later")
    move.add_argument("what", metavar="RUN|JOB", help=f"{RUN}; or a job's uuid")
    move.add_argument("priority", choices=PRIORITIES, help="among equals the one that has waited longest goes first")
    move.set_defaults(run=prioritise)
    listing = commands.add_parser("runs", parents=[common], help="the newest 30 runs")
    listing.set_defaults(run=runs)
    cluster = commands.add_parser("manifest", parents=[common], help="a run as a Kubernetes Job, for kubectl apply -f -")
    cluster.add_argument("what", metavar="RUN", help=RUN)
    cluster.set_defaults(run=manifest)


def launch(session: Session) -> int | None:
    """Start it; with --watch stay until it has ended."""
    args = session.args
    snapshot = find.snapshot(session, args.snapshot)
    project = find.read(session, f"/datasets/{snapshot['dataset']}/", "dataset of this snapshot")["project"]
    if args.key and not find.is_uuid(args.key):
        raise Usage(f"{args.key!r} is no uuid, which --key must be.")
    body = {
        "snapshot": snapshot["uuid"], "base": find.base(session, args.base, project)["uuid"], "strategy": args.strategy,
        "options": options(args.set) | ({"device": args.device} if args.device else {}), "priority": args.priority, "note": args.note,
        "key": args.key or str(uuid4()),
    }  # fmt: skip
    try:
        run = session.api.post("/runs/", body, twice=True)
    except ApiRefusal as error:
        if error.status != 404:  # the snapshot and the base were there a moment ago: it is the role that lacks
            raise
        raise Refused("You may see this snapshot, but not train on it.", next_step="Your roles: lifecycle whoami") from error
    told = f"Run {run['number']} is launched: {session.page('/runs/' + run['uuid'] + '/')}"
    if args.watch:
        session.screen.tell(told)
        return watched_run(session, run)
    session.screen.show(run, told, f"Follow it: lifecycle watch {find.called(session, run)}")
    return None


def reproduce(session: Session) -> int | None:
    """Start it; with --watch stay until the weights are compared."""
    args = session.args
    if args.key and not find.is_uuid(args.key):
        raise Usage(f"{args.key!r} is no uuid, which --key must be.")
    first = find.run(session, args.what)
    run = session.api.post(f"/runs/{first['uuid']}/reproduce/", {"key": args.key or str(uuid4()), "priority": args.priority}, twice=True)
    told = f"Run {run['number']} repeats run {first['number']}: {session.page('/runs/' + run['uuid'] + '/')}"
    if not args.watch:
        session.screen.show(run, told, f"Follow it: lifecycle watch {find.called(session, run)}")
        return None
    session.screen.tell(told)
    if code := watched_run(session, run):
        return code
    repeat = session.api.get(f"/runs/{run['uuid']}/")["repeat"]
    same = "The same weights, bit for bit."
    session.screen.tell(same if repeat["is_same"] else f"Other weights in {', '.join(repeat['differing'])}.")
    return None if repeat["is_same"] else 1


def train_on(session: Session) -> None:
    """Make it a base; asking twice gives the same one."""
    run = find.run(session, session.args.what)
    base = session.api.post("/base-models/", {"project": run["project"], "kind": "run", "run": run["uuid"]}, twice=True)
    ready = "" if base["root_digest"] else " once its weights are put together"
    session.screen.show(
        base,
        f"{base['name']} is a base model{ready}.",
        f"Start from it: lifecycle launch DATASET@NUMBER --base {json.dumps(base['name'])}",
    )


def options(given: list[str]) -> dict[str, Any]:
    """Settings as the API takes them: numbers, true and false as such, all else as text, and so the name of a class."""
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


def watch(session: Session) -> int | None:
    """A run or a job, whichever the name means."""
    name = session.args.what
    if find.is_uuid(name):
        try:
            run = session.api.get(f"/runs/{name}/")
        except ApiRefusal as error:
            if error.status != 404:
                raise
            return watched_job(session, name)
        return watched_run(session, run)
    return watched_run(session, find.run(session, name))


def prioritise(session: Session) -> None:
    """Move it; asking twice is asking once."""
    name, wanted = session.args.what, session.args.priority
    job = name if find.is_uuid(name) and not is_run(session, name) else find.run(session, name)["job"]
    moved = session.api.post(f"/jobs/{job}/priority/", {"priority": wanted}, twice=True)
    place = f", place {moved['place']} in line" if moved["place"] else ""
    session.screen.show(moved, f"{moved['priority'].capitalize()}{place}.")


def is_run(session: Session, uuid: str) -> bool:
    """Whether a run has this uuid, rather than a job."""
    try:
        session.api.get(f"/runs/{uuid}/")
    except ApiRefusal as error:
        if error.status != 404:
            raise
        return False
    return True


def watched_run(session: Session, run: dict[str, Any]) -> int | None:
    """Stay until the run has ended; 1 unless it succeeded with all its steps."""
    try:
        run = watching.follow_run(session, run["uuid"])
    except KeyboardInterrupt:
        session.screen.tell(f"Run {run['number']} goes on. Look again: lifecycle watch {find.called(session, run)}")
        return INTERRUPTED
    session.screen.show(run, *watching.run_result(run))
    return None if run["state"] == "succeeded" and not run["error"] else 1


def watched_job(session: Session, uuid: str) -> int | None:
    """Stay until the job has ended."""
    find.read(session, f"/jobs/{uuid}/", f"run or job {uuid}")
    try:
        job = watching.follow_job(session, uuid)
    except KeyboardInterrupt:
        session.screen.tell(f"The job goes on. Look again: lifecycle watch {uuid}")
        return INTERRUPTED
    session.screen.show(job, f"The job succeeded. {job['message']}".rstrip())
    return None


def runs(session: Session) -> None:
    """Newest first."""
    rows, projects = session.api.get("/runs/", project=find.project(session))["results"], find.slugs(session)
    lines = table(
        ["RUN", "PROJECT", "STATE", "STRATEGY", "STEP", "OF", "SCORE", "BY", "LAUNCHED", "NOTE"],
        [
            (
                str(row["number"]), projects[row["project"]], row["state"], row["strategy"], row["step"], row["total_steps"],
                score(row["metrics"].get(row["leading"])),
                watching.SCORES[row["leading"]], moment(row["created_at"]), row["note"],
            )
            for row in rows
        ],
    )  # fmt: skip
    session.screen.show(rows, *(lines if rows else ["No runs yet. Start one: lifecycle launch DATASET@NUMBER"]))


def manifest(session: Session) -> None:
    """The Job's YAML, and nothing else."""
    made = session.api.get(f"/runs/{find.run(session, session.args.what)['uuid']}/manifest/")
    session.screen.show(made, made["yaml"].rstrip())


def score(value: float | None) -> str:
    """Three digits, or a dash while there is none."""
    return "–" if value is None else f"{value:.3f}"
