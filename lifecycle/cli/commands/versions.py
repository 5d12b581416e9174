"""register, promote, approve and verify."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from lifecycle.cli import find, watching
from lifecycle.cli.commands import canary
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import table
from lifecycle.cli.session import Session
from lifecycle.refusals import Refused

STATED = {"purpose": "what the version is for", "limits": "what it cannot do", "risks": "what may go wrong with it"}  # of its card
PEOPLE = "Approvals are for people, each with their password; no token gives one. They read it and decide on"


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    seal = commands.add_parser("register", parents=[common], help="seal a run as a version of a model")
    seal.add_argument("what", metavar="RUN", help="number or uuid")
    seal.add_argument("version", metavar="MODEL@VERSION", help="such as support-inbox@1.2.0")
    for name, text in STATED.items():
        seal.add_argument(f"--{name}", default="", metavar="TEXT", help=text)
    seal.set_defaults(run=register)

    ask = commands.add_parser(
        "promote", parents=[common], help="ask for a version's promotion to an endpoint",
        description="Request promotion and wait until its gates are checked. It is approved by people, on its page.",
    )  # fmt: skip
    ask.add_argument("version", metavar="VERSION", help="such as 1.2.0, a version of the endpoint's model; or MODEL@VERSION, or its uuid")
    ask.add_argument("--endpoint", required=True, metavar="ENDPOINT", help="where it shall answer, by slug, PROJECT/SLUG or uuid")
    ask.add_argument("--note", default="", help="why, for those who decide")
    ask.add_argument("--canary", action="store_true", help="go live as a canary under a rule, not at once; options below set its plan")
    ask.add_argument("--share", type=canary.share, metavar="PERCENT", help="go live as a canary at this share, which people steer by hand")
    canary.plan(ask)
    ask.set_defaults(run=promote)

    for name in ("approve", "reject"):
        no = commands.add_parser(name, parents=[common], help="says where: a person decides, signed in, never a token")
        no.add_argument("request", metavar="REQUEST", help="number or uuid of the promotion request")
        no.set_defaults(run=decide)

    check = commands.add_parser(
        "verify", parents=[common], help="verify the audit log, or a version's files, card and signatures, on this machine",
        description="Verify on this machine, without trusting the server. Without VERSION: the audit log, exported now or read from "
        "--file. With VERSION: its files, its model card, and the signatures. Take the key from whoever runs the installation, not from "
        "the server.",
    )  # fmt: skip
    check.add_argument("version", nargs="?", default="", metavar="VERSION", help="MODEL@VERSION or its uuid; without it the audit log")
    check.add_argument("--key", type=Path, metavar="PEM", help="the installation's public key (signing.pub.pem)")
    check.add_argument("--file", type=Path, metavar="FILE", help="an export that lies here: .jsonl of the audit log, .zip of a version")
    check.add_argument("--save", type=Path, metavar="FILE", help="keep what was downloaded")
    check.add_argument(
        "--checkpoints", type=Path, metavar="FILE", help="signed checkpoints that you keep: all are checked, new ones are added"
    )
    check.set_defaults(run=verify)


def register(session: Session) -> None:
    """Have it sealed, and stay until its files are hashed and signed."""
    args = session.args
    slug, _, semver = args.version.rpartition("@")
    if not slug or not semver:
        raise Usage(f"{args.version!r} is no version. Write MODEL@VERSION, such as support-inbox@1.2.0.")
    run = find.run(session, args.what)
    model = find.registered_model(session, slug)
    stated = {name: getattr(args, name) for name in STATED if getattr(args, name)}
    job = session.api.post(f"/models/{model['uuid']}/versions/", {"run": run["uuid"], "semver": semver, "stated": stated})
    watching.follow_job(session, job["uuid"])
    made = find.version(session, semver, model["uuid"])
    session.screen.show(
        made,
        f"Run {run['number']} is sealed as {slug}@{semver}.",
        f"Root digest  {made['root_digest']}",
        f"Next: lifecycle promote {slug}@{semver} --endpoint ENDPOINT",
    )


def decide(session: Session) -> None:
    """Never by a token; says where it is done."""
    request = find.request(session, session.args.request)
    raise Refused(
        "Approvals and rejections are for people, each signed in and with their password; no token gives one.",
        next_step=f"Decide on {session.page('/promotions/' + request['uuid'] + '/')}",
    )


def promote(session: Session) -> int | None:
    """Ask, wait for the gates, and say who is next; 1 when the gates are not met."""
    args = session.args
    endpoint = find.endpoint(session, args.endpoint)
    version = find.version(session, args.version, endpoint["model"])
    asked = session.api.post("/promotions/", {"version": version["uuid"], "endpoint": endpoint["uuid"], "note": args.note} | plan(args))
    while asked["status"] == "checking" or (asked["status"] == "draft" and not asked["checked_at"] and not asked["reason"]):
        session.screen.live("The gates are being checked", "checking")
        session.sleep(watching.POLL_SECONDS)
        asked = session.api.get(f"/promotions/{asked['uuid']}/")
    where = session.page(f"/promotions/{asked['uuid']}/")
    lines = [f"Request {asked['number']}: {version['semver']} to {endpoint['full_name']}", *gates(asked)]
    if asked["status"] == "draft":
        lines += [
            asked["reason"] or "Its gates are not met, so nobody is asked yet.",
            f"Mend what failed, then check the gates again on {where}",
        ]
        session.screen.show(asked, *lines)
        return 1
    session.screen.show(asked, *lines, f"{PEOPLE} {where}", f"Then: lifecycle deploy {find.called(session, asked)}")
    return None


def plan(args: Any) -> dict[str, Any]:
    """The rollout plan that reviewers approve; nothing for all traffic at once. Raises Usage for two plans."""
    rule = canary.planned(args)
    if args.share is not None and (args.canary or rule):
        raise Usage("--share is a canary without a rule. Leave out --canary and the options of its plan, or --share.")
    if args.share is not None:
        return {"plan": {"kind": "share", "share": args.share}}
    return {"plan": {"kind": "canary"} | rule} if args.canary or rule else {}


def gates(asked: dict[str, Any]) -> list[str]:
    """What each gate found; failed ones first."""
    order = {"failed": 0, "watch": 1, "passed": 2}
    rows = sorted(asked["gates"], key=lambda gate: order.get(gate["status"], 3))
    return table(["GATE", "FOUND", "VALUE", "LIMIT"], [(gate["title"], gate["status"], gate["value"], gate["threshold"]) for gate in rows])


def verify(session: Session) -> int | None:
    """Loaded only now: the library that checks signatures costs more than all other commands take to start."""
    module = "bundles" if session.args.version or (session.args.file and session.args.file.suffix == ".zip") else "trails"
    result: int | None = importlib.import_module(f"lifecycle.cli.{module}").verify(session)
    return result
