"""retraining: proposals with their reasons, for a lead to decide. Approving one trains and measures; it never promotes."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.screen import facts, moment, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused

LIMITS = {
    "window_days": "how many days of wrong and unsure answers are collected", "queue_items": "how many of them at most",
    "overlap": "people who label each", "min_labels": "new labels that training waits for",
}  # fmt: skip
STATES = ("open", "approved", "running", "requested", "done", "declined", "failed")


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser(
        "retraining", help="proposals to train again, and their reasons",
        description="A proposal says why to train again and why not. When a lead approves it, labels are gathered, a run is launched and "
        "measured beside the live version, and a promotion is asked for. It never promotes itself.",
    ).add_subparsers(dest="what", metavar="WHAT", required=True)  # fmt: skip
    listing = group.add_parser("list", parents=[common], help="the newest 30 proposals")
    listing.add_argument("--endpoint", default="", metavar="ENDPOINT", help="of this endpoint alone")
    listing.add_argument("--state", default="", choices=STATES, help="in this state alone")
    listing.set_defaults(run=list_)
    of_endpoint(group, common, "consider", "what speaks for and against it now; 1 where nobody could propose").set_defaults(run=consider)
    of_endpoint(group, common, "triggers", "what proposes it by itself").set_defaults(run=triggers)
    new = of_endpoint(group, common, "propose", "propose it by hand")
    new.add_argument("--note", default="", help="why, for the one who decides")
    for name, text in LIMITS.items():
        new.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=text)
    new.set_defaults(run=propose)
    of_proposal(group, common, "show", "one proposal with its reasons").set_defaults(run=show)
    for name in ("approve", "decline"):
        of_proposal(group, common, name, "says where: an ML lead decides, signed in, never a token").set_defaults(run=decide)
    off = of_proposal(group, common, "call-off", "end it at any step: its training stops, its promotion is withdrawn")
    off.add_argument("--reason", required=True, help="why; it is kept in the trail")
    off.set_defaults(run=call_off)


def of_endpoint(group: Any, common: Any, name: str, text: str) -> Any:
    """A command on an endpoint."""
    made = group.add_parser(name, parents=[common], help=text)
    made.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    return made


def of_proposal(group: Any, common: Any, name: str, text: str) -> Any:
    """A command on a proposal."""
    made = group.add_parser(name, parents=[common], help=text)
    made.add_argument("proposal", metavar="PROPOSAL", help="number, PROJECT/NUMBER or uuid")
    return made


def list_(session: Session) -> None:
    """Newest first."""
    args = session.args
    endpoint = find.endpoint(session, args.endpoint)["uuid"] if args.endpoint else ""
    rows = session.api.get("/retraining/", endpoint=endpoint, state=args.state)["results"]
    names = {row["uuid"]: row["full_name"] for row in session.api.get("/endpoints/")}
    lines = table(
        ["NO.", "ENDPOINT", "STATE", "BY", "NEXT", "PROPOSED"],
        [
            (str(row["number"]), names.get(row["endpoint"], row["endpoint"]), state(row), row["trigger"] or "a person", row["step"],
             moment(row["created_at"]))
            for row in rows
        ],
    )  # fmt: skip
    session.screen.show(rows, *(lines if rows else ["No proposals. What speaks for one: lifecycle retraining consider ENDPOINT"]))


def consider(session: Session) -> int | None:
    """Changes nothing."""
    endpoint = find.endpoint(session, session.args.endpoint)
    found = session.api.get(f"/endpoints/{endpoint['uuid']}/retraining/consider/")
    said = f"Propose it: lifecycle retraining propose {endpoint['full_name']}" if found["possible"] else "Nobody can propose it now."
    session.screen.show(found, *reasons(found), said)
    return None if found["possible"] else 1


def triggers(session: Session) -> None:
    """As they are set."""
    endpoint = find.endpoint(session, session.args.endpoint)
    rows = session.api.get(f"/endpoints/{endpoint['uuid']}/retraining/triggers/")["results"]
    lines = table(
        ["TRIGGER", "", "THRESHOLD", "COOLDOWN DAYS", "MIN. LABELS", "SET"],
        [
            (row["kind"], "on" if row["enabled"] else "off", f"{row['threshold']:g}", row["cooldown_days"], row["min_labels"],
             moment(row["set_at"]))
            for row in rows
        ],
    )  # fmt: skip
    session.screen.show(
        rows, *(lines if rows else [f"Nothing proposes a retraining of {endpoint['full_name']} by itself. Set it on its page."])
    )


def propose(session: Session) -> None:
    """By hand; a lead decides."""
    args = session.args
    endpoint = find.endpoint(session, args.endpoint)
    limits = {name: getattr(args, name) for name in LIMITS if getattr(args, name) is not None}
    made = session.api.post("/retraining/", {"endpoint": endpoint["uuid"], "note": args.note} | limits)
    session.screen.show(
        made, f"Proposal {made['number']} for {endpoint['full_name']} waits for an ML lead.", *reasons(made), f"Page  {page(session, made)}"
    )


def show(session: Session) -> None:
    """What an ML lead reads before deciding."""
    found = one(session)
    session.screen.show(found, *described(session, found))


def decide(session: Session) -> None:
    """Never by a token; says where it is done."""
    found = one(session)
    raise Refused(
        "A proposal is decided by an ML lead who is signed in and has read it; no token decides.",
        next_step=f"Decide on {page(session, found)}",
    )


def call_off(session: Session) -> None:
    """At any step."""
    found = one(session)
    made = session.api.post(f"/retraining/{found['uuid']}/call-off/", {"reason": session.args.reason})
    session.screen.show(made, f"Proposal {made['number']} is called off.")


def one(session: Session) -> dict[str, Any]:
    """By number, PROJECT/NUMBER or uuid, with all that its page says."""
    name = session.args.proposal
    if not find.is_uuid(name):
        slug, _, digits = name.rpartition("/")
        number, project = int(find.number_of(digits, "proposal")), find.project(session, slug)
        mine = {row["uuid"] for row in session.api.get("/endpoints/")} if not project else endpoints_of(session, project)
        rows = [row for row in session.api.every("/retraining/") if row["number"] == number and row["endpoint"] in mine]
        name = find.only(rows, f"proposal {number}")["uuid"]
    return find.read(session, f"/retraining/{name}/", f"proposal {name}")


def endpoints_of(session: Session, project: str) -> set[str]:
    """The endpoints of a project."""
    models = {row["uuid"] for row in session.api.get("/models/") if row["project"] == project}
    return {row["uuid"] for row in session.api.get("/endpoints/") if row["model"] in models}


def described(session: Session, found: dict[str, Any]) -> list[str]:
    """For people."""
    compared = found["comparison"]
    lines = facts([
        ("Proposal", f"{found['number']}, {state(found)}"),
        ("Proposed", f"{moment(found['created_at'])} by {found['trigger'] or 'a person'}"),
        ("Note", found["note"]),
        ("Next", ", ".join(filter(None, (found["step"], found["blocked_by"])))),
        ("Failed", found["failure"]),
        ("New labels", f"{found['labels_new']:,} of {found['min_labels']:,}"),
        ("Compared", compared["why"] if compared else ""),
        ("Page", page(session, found)),
    ])  # fmt: skip
    return [*lines, "", *reasons(found)]


def reasons(found: dict[str, Any]) -> list[str]:
    """Each with what it is known by."""
    yes = [f"Why yes  {reason(each)}" for each in found["reasons_for"]]
    no = [f"Why not  {reason(each)}" + (" (stops it)" if each["stops"] else "") for each in found["reasons_against"]]
    return [*yes, *no]


def reason(each: dict[str, Any]) -> str:
    """The fact and its value."""
    return ": ".join(filter(None, (each["fact"], each["value"])))


def state(found: dict[str, Any]) -> str:
    """With how it ended."""
    ended = found["outcome"].replace("_", " ")
    return found["state"] + (f", {ended}" if ended and ended != found["state"] else "")


def page(session: Session, found: dict[str, Any]) -> str:
    """Where a person reads it."""
    return session.page(f"/retraining/{found['uuid']}/")
