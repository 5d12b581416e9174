"""sweeps start, list, show, cancel."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from lifecycle.cli import find
from lifecycle.cli.commands.training import PRIORITIES, STRATEGY, options, score
from lifecycle.cli.errors import ApiRefusal, Usage
from lifecycle.cli.screen import facts, moment, table
from lifecycle.cli.session import Session
from lifecycle.cli.watching import SCORES
from lifecycle.refusals import Refused


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("sweeps", help="search for settings by many runs").add_subparsers(metavar="WHAT", required=True)
    start = group.add_parser("start", parents=[common], help="start a search on a snapshot")
    start.add_argument("snapshot", metavar="SNAPSHOT", help="DATASET@NUMBER, such as inbox@3, or its uuid")
    start.add_argument("--strategy", default="lora", metavar="NAME", help=STRATEGY)
    start.add_argument("--base", default="", metavar="NAME", help="base model, by name or uuid; the project's newest by default")
    start.add_argument(
        "--search", action="append", default=[], metavar="NAME=LOW..HIGH|A,B", required=True,
        help="a setting that is searched, such as learning_rate=0.0004..0.01 or batch_size=16,32",
    )  # fmt: skip
    start.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that is the same in all trials")
    start.add_argument("--trials", type=int, default=20, help="how many runs (default: 20)")
    start.add_argument("--sampler", choices=("tpe", "random"), default="tpe", help="how settings are drawn (default: tpe)")
    start.add_argument("--seed", type=int, default=1, help="of the draw (default: 1)")
    start.add_argument("--no-pruning", action="store_true", help="let every trial go to its end")
    start.add_argument("--warmup-trials", type=int, default=5, help="scored before one is given up (default: 5)")
    start.add_argument("--minutes", type=int, default=None, help="after which no other trial starts")
    start.add_argument("--priority", choices=PRIORITIES, default="later", help="of each trial (default: later, behind single runs)")
    start.add_argument("--note", default="", help="what is tried, in a line")
    start.add_argument("--key", default="", metavar="UUID", help="the same key again gives the same sweep; random by default")
    start.set_defaults(run=begin)
    group.add_parser("list", parents=[common], help="the newest 30 sweeps").set_defaults(run=listing)
    for word, run, told in (
        ("show", show, "its trials by score"),
        ("cancel", cancel, "start no other trial, and stop the one that trains"),
    ):
        one = group.add_parser(word, parents=[common], help=told)
        one.add_argument("sweep", metavar="SWEEP", help="a sweep's number, PROJECT/NUMBER or uuid")
        one.set_defaults(run=run)


def begin(session: Session) -> None:
    """Start it."""
    args = session.args
    snapshot = find.snapshot(session, args.snapshot)
    project = find.read(session, f"/datasets/{snapshot['dataset']}/", "dataset of this snapshot")["project"]
    if args.key and not find.is_uuid(args.key):
        raise Usage(f"{args.key!r} is no uuid, which --key must be.")
    body = {
        "snapshot": snapshot["uuid"], "base": find.base(session, args.base, project)["uuid"], "strategy": args.strategy,
        "space": space(args.search), "options": options(args.set), "trials": args.trials, "sampler": args.sampler, "seed": args.seed,
        "prunes": not args.no_pruning, "warmup_trials": args.warmup_trials, "minutes": args.minutes, "priority": args.priority,
        "note": args.note, "key": args.key or str(uuid4()),
    }  # fmt: skip
    try:
        made = session.api.post("/sweeps/", body, twice=True)
    except ApiRefusal as error:
        if error.status != 404:  # the snapshot and the base were there a moment ago: it is the role that lacks
            raise
        raise Refused("You may see this snapshot, but not train on it.", next_step="Your roles: lifecycle whoami") from error
    session.screen.show(
        made, f"Sweep {made['number']} is started: {session.page('/runs/sweeps/' + made['uuid'] + '/')}",
        f"Its trials: lifecycle sweeps show {find.called(session, made)}",
    )  # fmt: skip


def space(given: list[str]) -> dict[str, Any]:
    """What is searched, as the API takes it."""
    found: dict[str, Any] = {}
    for each in given:
        name, _, text = each.partition("=")
        ends, several = text.split(".."), text.split(",")
        if not name or (len(ends) != 2 and len(several) < 2):
            raise Usage(f"--search {each} is neither a range nor several values. Write NAME=LOW..HIGH or NAME=A,B.")
        values = [options([f"{name}={value.strip()}"])[name] for value in (ends if len(ends) == 2 else several)]
        found[name] = {"low": values[0], "high": values[1]} if len(ends) == 2 else {"choices": values}
    return found


def listing(session: Session) -> None:
    """Newest first."""
    rows, projects = session.api.get("/sweeps/", project=find.project(session))["results"], find.slugs(session)
    lines = table(
        ["SWEEP", "PROJECT", "STATE", "STRATEGY", "ENDED", "OF", "SCORE", "BY", "STARTED", "NOTE"],
        [
            (
                str(row["number"]), projects[row["project"]], row["state"], row["strategy"], row["ended"], row["trials"],
                score(row["best"]), SCORES[row["leading"]], moment(row["created_at"]), row["note"],
            )
            for row in rows
        ],
    )  # fmt: skip
    session.screen.show(
        rows, *(lines if rows else ["No sweeps yet. Start one: lifecycle sweeps start DATASET@NUMBER --search NAME=LOW..HIGH"])
    )


def show(session: Session) -> None:
    """Where it stands, and its trials by score."""
    sweep = session.api.get(f"/sweeps/{find.sweep(session, session.args.sweep)['uuid']}/")
    names = list(sweep["space"])
    rows = sorted(sweep["results"], key=lambda row: (row["score"] is None, -(row["score"] or 0), row["trial"]))
    ending = sweep["ending"] or {"message": "", "next_step": ""}
    head = facts([
        ("State", f"{sweep['state']}, {sweep['ended']} of {sweep['trials']} trials ended"), ("Why", ending["message"]),
        ("Next", ending["next_step"]), ("Page", session.page("/runs/sweeps/" + sweep["uuid"] + "/")),
    ])  # fmt: skip
    lines = table(
        ["TRIAL", "RUN", "STATE", SCORES[sweep["leading"]].upper(), *(name.upper() for name in names)],
        [
            (str(row["trial"]), str(row["number"]), row["state"], score(row["score"]), *(told(row["settings"][name]) for name in names))
            for row in rows
        ],
    )  # fmt: skip
    session.screen.show(sweep, *head, *(lines if rows else []))


def told(value: Any) -> str:
    """A setting, a number with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def cancel(session: Session) -> None:
    """Cancel it."""
    sweep = session.api.post(f"/sweeps/{find.sweep(session, session.args.sweep)['uuid']}/cancel/", {})
    session.screen.show(sweep, f"Sweep {sweep['number']} is {sweep['state']}. {sweep['ending']['message']}")
