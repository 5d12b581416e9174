"""alerts: what burns, who looks after it, and silences."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from lifecycle.cli import find
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import count, facts, moment, percent, table
from lifecycle.cli.session import Session

OPEN = ("firing", "acknowledged")
SEVERITIES = ("page", "ticket", "digest")
SHORT = 8  # letters of a uuid that stand in tables
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("alerts", help="what burns, who looks after it, and silences").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    listing = group.add_parser("list", parents=[common], help="the open ones; with --all the newest 30")
    listing.add_argument("--endpoint", default="", metavar="ENDPOINT", help="of this endpoint alone")
    listing.add_argument("--severity", default="", choices=SEVERITIES, help="of this severity alone")
    listing.add_argument("--all", action="store_true", help="those that are over too")
    listing.add_argument("--check", action="store_true", help="exit with 1 while one is open, for scripts")
    listing.set_defaults(run=list_)
    of_alert(group, common, "show", "one alert with what its rule measured").set_defaults(run=show)
    of_alert(group, common, "ack", "say that you look after it: it is not said again").set_defaults(run=acknowledge)
    end = of_alert(group, common, "resolve", "end it, with what was found")
    end.add_argument("--reason", required=True, help="what was found; it is kept in the trail")
    end.set_defaults(run=resolve)
    quiet = group.add_parser("silence", parents=[common], help="no messages for a while; alerts are raised and shown all the same")
    quiet.add_argument(
        "endpoint", nargs="?", default="", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid; without it all of --project"
    )
    quiet.add_argument("--for", dest="span", required=True, type=span, metavar="TIME", help="such as 30m, 2h or 3d; at most 7d")
    quiet.add_argument("--source", default="", help="of this rule alone, such as drift")
    quiet.add_argument("--reason", required=True, help="why; it is kept in the trail")
    quiet.set_defaults(run=silence)
    group.add_parser("silences", parents=[common], help="those in force").set_defaults(run=silences)
    loud = group.add_parser("unsilence", parents=[common], help="have messages come again")
    loud.add_argument("silence", metavar="SILENCE", help="its uuid, or how it begins")
    loud.set_defaults(run=unsilence)
    held = group.add_parser("objectives", parents=[common], help="what an endpoint is held to, and what is left of its budgets")
    held.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    held.set_defaults(run=objectives)


def of_alert(group: Any, common: Any, name: str, text: str) -> Any:
    """A command on an alert."""
    made = group.add_parser(name, parents=[common], help=text)
    made.add_argument("alert", metavar="ALERT", help="its uuid, or how it begins")
    return made


def span(text: str) -> timedelta:
    """30m, 2h, 3d."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdecimal() and int(number) and len(number) < 6 and unit in UNITS):
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time. Write a number and m, h or d, such as 2h.")
    return timedelta(**{UNITS[unit]: int(number)})


def list_(session: Session) -> int | None:
    """Newest first; 1 with --check while one is open."""
    args = session.args
    wanted = {"endpoint": find.endpoint(session, args.endpoint)["uuid"] if args.endpoint else "", "severity": args.severity}
    rows = session.api.get("/alerts/", **wanted)["results"] if args.all else opened(session, **wanted)
    project = find.project(session)
    rows = [row for row in rows if project in ("", row["project"])]
    lines = table(
        ["ALERT", "SEVERITY", "STATE", "SINCE", "SEEN", "WHAT"],
        [(row["uuid"][:SHORT], row["severity"], row["state"], moment(row["first_at"]), row["count"], row["title"]) for row in rows],
    )
    session.screen.show(rows, *(lines if rows else ["Nothing burns." if not args.all else "No alerts yet."]))
    return 1 if args.check and any(row["state"] in OPEN for row in rows) else None


def opened(session: Session, **wanted: str) -> list[dict[str, Any]]:
    """All that are open, newest first."""
    rows = [row for state in OPEN for row in session.api.every("/alerts/", **wanted, state=state)]
    return sorted(rows, key=lambda row: str(row["first_at"]), reverse=True)


def one(session: Session) -> dict[str, Any]:
    """By uuid, or by the beginning of the uuid of an open one."""
    name = session.args.alert
    if not find.is_uuid(name):
        name = begins(opened(session), name, "open alert")["uuid"]
    return find.read(session, f"/alerts/{name}/", f"alert {name}")


def begins(rows: list[dict[str, Any]], name: str, what: str) -> dict[str, Any]:
    """The one row whose uuid begins so."""
    if len(name) < 4:
        raise Usage(f"{name!r} is too short. Give at least four letters of the uuid.")
    return find.only([row for row in rows if row["uuid"].startswith(name.lower())], f"{what} {name}")


def show(session: Session) -> None:
    """What it says, and what its rule came to."""
    found = one(session)
    lines = facts([
        ("Alert", found["title"]),
        ("State", f"{found['severity']}, {found['state']}, seen {count(found['count'], 'time')}"),
        ("Since", moment(found["first_at"])),
        ("Last seen", moment(found["last_at"])),
        ("Told", moment(found["told_at"]) if found["told_at"] else "nobody"),
        ("Ended", f"{moment(found['resolved_at'])}: {found['resolution']}" if found["resolved_at"] else ""),
        ("Act on", session.page(found["url"]) if found["url"] else ""),
        ("Page", session.page(f"/alerts/{found['uuid']}/")),
    ])  # fmt: skip
    checks = table(
        ["MEASURED", "TIMES", "FOUND", "VALUE", "LIMIT", ""],
        [
            (moment(row["at"]), row["times"], row["state"], figure(row["value"]), figure(row["threshold"]), row["said"])
            for row in found["checks"]
        ],
    )
    session.screen.show(found, *lines, "", found["text"], *(["", *checks] if found["checks"] else []))


def acknowledge(session: Session) -> None:
    """Taken."""
    found = one(session)
    made = session.api.post(f"/alerts/{found['uuid']}/acknowledge/", {"seen": found["state"]})
    session.screen.show(made, f"You look after it: {made['title']}")


def resolve(session: Session) -> None:
    """Ended by hand."""
    found = one(session)
    made = session.api.post(f"/alerts/{found['uuid']}/resolve/", {"seen": found["state"], "reason": session.args.reason})
    session.screen.show(made, f"Ended: {made['title']}")


def silence(session: Session) -> None:
    """An endpoint's or a project's."""
    args, project = session.args, find.project(session)
    if not args.endpoint and not project:
        raise Usage("Say what is silenced: an endpoint, or all of a project with --project.")
    endpoint = find.endpoint(session, args.endpoint) if args.endpoint else None
    body = {"endpoint": endpoint["uuid"]} if endpoint else {"project": project}
    until = (datetime.now(UTC) + args.span).isoformat()
    made = session.api.post("/silences/", body | {"until": until, "reason": args.reason, "source": args.source})
    session.screen.show(
        made,
        f"No messages about {endpoint['full_name'] if endpoint else args.project} until {moment(made['until'])} UTC.",
        f"End it: lifecycle alerts unsilence {made['uuid'][:SHORT]}",
    )


def silences(session: Session) -> None:
    """Those in force, the next to end first."""
    rows = session.api.get("/silences/")["results"]
    names = {row["uuid"]: row["full_name"] for row in session.api.get("/endpoints/")} | find.slugs(session)
    lines = table(
        ["SILENCE", "ABOUT", "RULE", "UNTIL", "WHY"],
        [
            (
                row["uuid"][:SHORT],
                names.get(row["endpoint"] or row["project"], "–"),
                row["source"] or "all",
                moment(row["until"]),
                row["reason"],
            )
            for row in rows
        ],
    )
    session.screen.show(rows, *(lines if rows else ["Nothing is silenced."]))


def unsilence(session: Session) -> None:
    """Before its time."""
    found = begins(session.api.get("/silences/")["results"], session.args.silence, "silence")
    made = session.api.post(f"/silences/{found['uuid']}/end/")
    session.screen.show(made, "Messages come again.")


def objectives(session: Session) -> None:
    """With budgets, as the last evaluation measured them."""
    endpoint = find.endpoint(session, session.args.endpoint)
    rows = session.api.get(f"/endpoints/{endpoint['uuid']}/objectives/")["results"]
    lines = table(
        ["OBJECTIVE", "TARGET", "DAYS", "STATE", "BUDGET", "BURN", "MEASURED"],
        [
            (
                row["kind"] + (f" below {row['threshold_ms']:g} ms" if row["threshold_ms"] else ""),
                percent(row["target"], 2),
                row["window_days"],
                state(row),
                row["budget_left"],
                figure((row["budget"] or {}).get("burn")),
                moment(row["measured_at"]),
            )
            for row in rows
        ],
    )
    session.screen.show(rows, *(lines if rows else [f"Nothing is asked of {endpoint['full_name']} yet. Set objectives on its page."]))


def state(row: dict[str, Any]) -> str:
    """Off, not measured yet, or as it was found."""
    return "off" if not row["is_on"] else row["state"] or "not measured"


def figure(value: float | None) -> str:
    """Two digits, or a dash where it was not measured."""
    return "–" if value is None else f"{value:,.2f}"
