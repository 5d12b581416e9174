"""outcomes: business figures, with the model against without it. traffic: how much came, how fast, how well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lifecycle.runtime.cli import batches, find
from lifecycle.runtime.cli.commands import canary
from lifecycle.runtime.cli.commands.feedback import named
from lifecycle.runtime.cli.screen import count, facts, percent, table
from lifecycle.runtime.cli.session import Session

QUANTILES = {"p50_ms": "median", "p95_ms": "p95", "p99_ms": "p99"}
ARMS = ("model", "holdout")


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("outcomes", help="business figures, with the model against without it").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    look = group.add_parser("show", parents=[common], help="each figure of an endpoint, its difference and its interval")
    look.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    look.add_argument("--days", type=int, default=90, metavar="N", help="how far back (default: 90)")
    look.set_defaults(run=show)
    new = group.add_parser("define", parents=[common], help="name a business figure that an endpoint is meant to move")
    new.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    new.add_argument("name", metavar="NAME", help="such as 'Solved at once'")
    new.add_argument("--kind", choices=["share", "number"], required=True, help="share: each case is 0 or 1")
    new.add_argument("--better", choices=["up", "down"], required=True, help="which way is good")
    new.add_argument("--hold-out", type=canary.points, required=True, metavar="PERCENT", help="of the cases, without the model; up to 50")
    new.add_argument("--unit", default="", help="of a number, such as min")
    new.set_defaults(run=define)
    give = group.add_parser(
        "send", parents=[common], help="send what came of cases; needs a token with the scope feedback",
        description='Send a file of JSON lines: {"uuid": "…", "arm": "model", "value": 1, "at": "2026-11-25T10:00:00Z"}, with "prediction" '
        'and "subject" where they are known: cases of one subject count as a cluster. A uuid that is sent twice counts once.',
    )  # fmt: skip
    give.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    give.add_argument("--figure", required=True, metavar="NAME", help="which business figure, by name or uuid")
    give.add_argument("--file", type=Path, required=True, metavar="JSONL", help="the cases, sent in batches of 1,000")
    give.add_argument("--from", dest="start", type=int, default=1, metavar="LINE", help="the line to begin with, to go on after a stop")
    give.set_defaults(run=send)
    flow = commands.add_parser("traffic", parents=[common], help="how much came to an endpoint, how fast, how well")
    flow.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    flow.add_argument("--hours", type=int, default=24, metavar="N", help="how far back (default: 24)")
    flow.add_argument("--arm", default="", choices=["stable", "canary", "shadow"], help="of this arm alone")
    flow.set_defaults(run=traffic)


def show(session: Session) -> None:
    """Every figure."""
    endpoint = find.endpoint(session, session.args.endpoint)
    since = ago(timedelta(days=max(session.args.days, 1)))
    found = [session.api.get(f"/kpis/{kpi['uuid']}/", since=since) for kpi in figures(session, endpoint)]
    lines = table(
        ["FIGURE", "MODEL", "CASES", "HOLD-OUT", "CASES", "DIFFERENCE", "INTERVAL", "READING"],
        [
            (
                each["kpi"]["name"],
                worth(each["model_mean"], each),
                each["model_cases"],
                worth(each["holdout_mean"], each),
                each["holdout_cases"],
                worth((each["difference"] or {}).get("value"), each, sign="+"),
                interval(each),
                each["reading"],
            )
            for each in found
        ],
    )
    session.screen.show(
        found, *(lines if found else [f"No business figure is defined for {endpoint['full_name']}. An ML lead defines one."])
    )


def define(session: Session) -> None:
    """For good: a figure is not changed afterwards."""
    args, endpoint = session.args, find.endpoint(session, session.args.endpoint)
    body = {"name": args.name, "unit": args.unit, "direction": args.better, "kind": args.kind, "holdout_share": args.hold_out}
    made = session.api.post(f"/endpoints/{endpoint['uuid']}/kpis/", body)
    session.screen.show(
        made,
        f"{made['name']} of {endpoint['full_name']} is compared with a hold-out of {percent(made['holdout_share'])} of the cases.",
        f"Send what came of them: lifecycle outcomes send {endpoint['full_name']} --figure {made['uuid']} --file cases.jsonl",
    )


def figures(session: Session, endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    """The business figures of an endpoint."""
    return list(session.api.get(f"/endpoints/{endpoint['uuid']}/kpis/")["results"])


def worth(value: float | None, each: dict[str, Any], sign: str = "") -> str:
    """In the unit of the figure; sign: of a difference, which for shares is in points, and of a number has the digits of its page."""
    if value is None:
        return "–"
    if each["kpi"]["kind"] == "share":
        return f"{value * 100:{sign}.1f} {'points' if sign else '%'}"
    digits = next((more for more in range(3, 9) if not sign or not value or round(value, more)), 3)
    return f"{value:{sign},.{digits}f} {each['kpi']['unit']}".rstrip()


def interval(each: dict[str, Any]) -> str:
    """Both bounds, or a dash with too few cases."""
    found = each["difference"]
    return f"{worth(found['low'], each, '+')} to {worth(found['high'], each, '+')}" if found else "–"


def send(session: Session) -> None:
    """All of a file."""
    args = session.args
    endpoint = find.endpoint(session, args.endpoint)
    rows = [kpi for kpi in figures(session, endpoint) if args.figure in (kpi["name"], kpi["uuid"])]
    kpi = find.only(rows, f"business figure {args.figure} of {endpoint['full_name']}")
    sent = batches.send(
        session, args.file, args.start, shaped,
        lambda lines: session.api.post(f"/kpis/{kpi['uuid']}/outcomes/", {"outcomes": lines}, twice=True),
    )  # fmt: skip
    session.screen.show({"sent": sent}, f"{count(sent, 'outcome')} of {kpi['name']} {'is' if sent == 1 else 'are'} noted.")


def shaped(line: dict[str, Any]) -> dict[str, Any]:
    """A line as the API takes it. Raises ValueError."""
    if not find.is_uuid(str(line.get("uuid", ""))):
        raise ValueError('"uuid" must be a uuid of your own, the same whenever this case is sent.')
    if line.get("arm") not in ARMS:
        raise ValueError('"arm" must be model or holdout.')
    if isinstance(line.get("value"), bool) or not isinstance(line.get("value"), int | float):
        raise ValueError('"value" must be a number.')
    if not line.get("prediction"):
        return line
    prediction, index = named(str(line["prediction"]))
    return {**line, "prediction": prediction, "index": line.get("index", index)}


def traffic(session: Session) -> None:
    """The sums of a stretch of time."""
    args = session.args
    endpoint = find.endpoint(session, args.endpoint)
    hours = max(args.hours, 1)
    step = max(3600, -(-hours // 1000) * 3600)
    found = session.api.get(f"/endpoints/{endpoint['uuid']}/series/", since=ago(timedelta(hours=hours)), step=step, arm=args.arm)
    total = found["total"]
    parts = ", ".join(f"{total[name]:,} {name}" for name in ("answers", "errors", "refused", "shed"))
    lines = facts([
        ("Endpoint", f"{endpoint['full_name']}, the last {count(hours, 'hour')}" + (f", {args.arm} alone" if args.arm else "")),
        ("Requests", f"{total['requests']:,}: {parts}"),
        ("Availability", percent(total["availability"], 2)),
        ("Latency", ", ".join(f"{ms(total[name])} {words}" for name, words in QUANTILES.items())),
        ("Confidence", percent(total["mean_confidence"])),
        ("Feedback", judged(total)),
        ("Cost", cost(total["cost_per_million"], found["currency"])),
    ])  # fmt: skip
    session.screen.show(found, *lines)


def judged(total: dict[str, Any]) -> str:
    """What people said of the answers."""
    said = total["right"] + total["wrong"]
    return f"{total['right']:,} right, {total['wrong']:,} wrong ({percent(total['right'] / said)} right)" if said else "none"


def cost(per_million: float | None, currency: str) -> str:
    """Of a million answers."""
    return "not measured" if per_million is None else f"{per_million:,.2f} {currency} per 1 M predictions"


def ms(value: float | None) -> str:
    """Milliseconds, or a dash where nothing was measured."""
    return "–" if value is None else f"{value:,.1f} ms"


def ago(span: timedelta) -> str:
    """A moment in the past, UTC."""
    return (datetime.now(UTC) - span).strftime("%Y-%m-%dT%H:%M:%SZ")
