"""advise, try."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.commands.training import INTERRUPTED, STRATEGY, options
from lifecycle.runtime.cli.screen import facts, seconds, table
from lifecycle.runtime.cli.session import Session

LIMITS = ("latency_ms", "size_mb", "minutes")


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    parser = commands.add_parser("advise", parents=[common], help="whether to fine-tune on a snapshot and how, with reasons")
    parser.add_argument("snapshot", metavar="SNAPSHOT", help="DATASET@NUMBER, such as inbox@3, or its uuid")
    parser.add_argument("--base", default="", metavar="NAME", help="base model, by name or uuid; the project's newest by default")
    parser.add_argument("--sensitive", action="store_true", help="the texts are sensitive")
    parser.add_argument("--baseline-does", action="store_true", help="something simpler would do")
    parser.add_argument("--latency-ms", type=float, default=None, metavar="MS", help="the longest time for a text, on one core")
    parser.add_argument("--size-mb", type=float, default=None, metavar="MB", help="the largest model")
    parser.add_argument("--minutes", type=float, default=None, metavar="MIN", help="the longest training")
    parser.set_defaults(run=advise)
    steps = commands.add_parser("try", parents=[common], help="try ten steps of a run: its time, memory, disk and price")
    steps.add_argument("snapshot", metavar="SNAPSHOT", help="DATASET@NUMBER, such as inbox@3, or its uuid")
    steps.add_argument("--strategy", default="lora", metavar="NAME", help=STRATEGY)
    steps.add_argument("--base", default="", metavar="NAME", help="base model, by name or uuid; the project's newest by default")
    steps.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as of launch")
    steps.set_defaults(run=try_steps)


def advise(session: Session) -> None:
    """The verdict, what to look at first, and the settings with their reasons. Nothing is started."""
    args = session.args
    snapshot = find.snapshot(session, args.snapshot)
    project = find.read(session, f"/datasets/{snapshot['dataset']}/", "dataset of this snapshot")["project"]
    said = {name: "true" for name in ("sensitive", "baseline_does") if getattr(args, name)}
    limits = {name: value for name in LIMITS if (value := getattr(args, name)) is not None}
    base = find.base(session, args.base, project)["uuid"]
    found = session.api.get(f"/snapshots/{snapshot['uuid']}/advice/", base=base, **said, **limits)
    rows = [(each["name"], str(each["value"]), each["reason"]) for each in found["settings"]]
    session.screen.show(
        found,
        f"{found['verdict']['title']} {found['verdict']['reason']}",
        *(f"{each['severity']}: {each['title']} {each['detail']} {each['next_step']}".rstrip() for each in found["warnings"]),
        "",
        *table(("setting", "proposed", "why"), rows),
    )


def try_steps(session: Session) -> int | None:
    """Try them, stay until they are measured, and tell what the whole run takes. No run is started."""
    args = session.args
    snapshot = find.snapshot(session, args.snapshot)
    project = find.read(session, f"/datasets/{snapshot['dataset']}/", "dataset of this snapshot")["project"]
    base = find.base(session, args.base, project)["uuid"]
    body = {"snapshot": snapshot["uuid"], "base": base, "strategy": args.strategy, "options": options(args.set)}
    found = session.api.post("/estimates/", body, twice=True)
    page = session.page(f"/runs/estimates/{found['uuid']}/")
    session.screen.tell(f"Ten steps are tried: {page}")
    try:
        watching.follow_job(session, found["job"])
    except KeyboardInterrupt:
        session.screen.tell(f"They go on. Look again: {page}")
        return INTERRUPTED
    found = session.api.get(f"/estimates/{found['uuid']}/")
    session.screen.show(found, *facts(figures(found)))
    return None


def figures(found: dict[str, Any]) -> list[tuple[str, object]]:
    """What the whole run takes, as lines."""
    known = found["figures"]
    price = "no price of a core-hour is set" if found["price"] is None else f"{found['price']:.4g} {found['currency']}"
    return [
        ("whole run", f"{seconds(known['seconds'])} ({seconds(known['shortest'])} to {seconds(known['longest'])})"),
        ("a step", f"{known['step_seconds']:.3f} s, {known['steps']:,} steps, {known['evaluations']:,} evaluations"),
        ("peak memory", f"{known['peak_memory_mb']:,.0f} MiB"),
        ("disk", f"{known['disk_bytes'] / 1e6:,.1f} MB at its fullest"),
        ("model", f"{known['artifact_bytes'] / 1e6:,.1f} MB"),
        ("price", price),
    ]
