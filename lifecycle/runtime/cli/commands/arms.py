"""shadow: a version that answers copies of requests. drill: a fault that is planted in what runs, to see whether it is noticed."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.commands.canary import WHOLE, named, part, share
from lifecycle.runtime.cli.screen import moment
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused

ARMS = ("stable", "canary", "shadow")
KINDS = {"error": "fail", "slow": "are slow"}


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("shadow", help="let a version answer copies of requests, for the comparison alone").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    begin = named(group, common, "start", "copy requests to a version; nobody gets its answers")
    begin.add_argument("version", metavar="VERSION", help="such as 1.3.0, or its uuid")
    begin.add_argument("--share", type=share, default=WHOLE, metavar="PERCENT", help="of the requests that are copied (default: all)")
    begin.set_defaults(run=start)
    end = named(group, common, "stop", "end the copies")
    end.add_argument("--reason", default="", help="why; it is kept in the trail")
    end.set_defaults(run=stop)
    group = commands.add_parser("drill", help="plant a fault and see whether it is noticed, on servers that run drills").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    fault = of_arm(group, common, "plant", "let a share of the requests fail, or be slow, for a while")
    fault.add_argument("--kind", choices=list(KINDS), required=True, help="what it does")
    fault.add_argument("--share", type=share, required=True, metavar="PERCENT", help="of the requests of this arm, such as 5 or 0.5%%")
    fault.add_argument("--delay-ms", type=int, default=1_000, metavar="N", help="of slow answers (default: 1000)")
    fault.add_argument("--minutes", type=int, default=60, metavar="N", help="then it ends by itself (default: 60)")
    fault.add_argument("--reason", default="", help="why; it is kept in the trail")
    fault.set_defaults(run=plant)
    of_arm(group, common, "stop", "lift the fault").set_defaults(run=lift)


def of_arm(group: Any, common: Any, name: str, text: str) -> Any:
    """A command on an arm of an endpoint."""
    made = named(group, common, name, text)
    made.add_argument("--arm", choices=ARMS, default="canary", help="where (default: canary)")
    return made


def running(session: Session, arm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The endpoint, and what runs on it in an arm. Raises Refused where nothing does."""
    endpoint = find.endpoint(session, session.args.endpoint)
    for row in endpoint["arms"]:
        if row["arm"] == arm:
            return endpoint, row
    raise Refused(
        f"No {arm} version runs on {endpoint['full_name']}.", next_step=f"See what does: lifecycle status {endpoint['full_name']}"
    )


def start(session: Session) -> None:
    """A shadow begins."""
    args, endpoint = session.args, find.endpoint(session, session.args.endpoint)
    version = find.version(session, args.version, endpoint["model"])
    made = session.api.post(f"/endpoints/{endpoint['uuid']}/shadow/", {"version": version["uuid"], "share": args.share})
    session.screen.show(
        made,
        f"{made['semver']} answers copies of {part(made['share'])} of the requests on {endpoint['full_name']}. Nobody gets its answers.",
        f"Stop it: lifecycle shadow stop {endpoint['full_name']}",
    )


def stop(session: Session) -> None:
    """It ends."""
    endpoint, row = running(session, "shadow")
    made = session.api.post(f"/deployments/{row['deployment']}/stop_shadow/", {"reason": session.args.reason})
    session.screen.show(made, f"{made['semver']} gets no copies of {endpoint['full_name']} any more.")


def plant(session: Session) -> None:
    """A fault begins."""
    args = session.args
    endpoint, row = running(session, args.arm)
    body = {"kind": args.kind, "share": args.share, "delay_ms": args.delay_ms, "minutes": args.minutes, "reason": args.reason}
    made = session.api.post(f"/deployments/{row['deployment']}/plant_fault/", body)
    session.screen.show(
        made,
        f"{part(made['share'])} of the requests to {row['semver']} on {endpoint['full_name']} {KINDS[made['kind']]} "
        f"until {moment(made['until'])} UTC.",
        f"Stop it: lifecycle drill stop {endpoint['full_name']} --arm {args.arm}",
    )


def lift(session: Session) -> None:
    """It ends before its time."""
    endpoint, row = running(session, session.args.arm)
    made = session.api.post(f"/deployments/{row['deployment']}/lift_fault/")
    session.screen.show(made, f"{row['semver']} on {endpoint['full_name']} has no planted fault any more.")
