"""promotions request, approve, reject; what promotions show prints."""

from __future__ import annotations

from typing import Annotated, Any

from typer import Argument, Option

from lifecycle.runtime.cli import find, plans, watching
from lifecycle.runtime.cli.arguments import Request
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.plans import (
    ByHand,
    MaxHours,
    MinMinutes,
    MinRequests,
    Points,
    ShadowDisagreement,
    Share,
    Steps,
    WrongMargin,
)
from lifecycle.runtime.cli.screen import Table, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import FAILED, Noun
from lifecycle.runtime.cli.wording import Words
from lifecycle.runtime.refusals import Refused

PEOPLE = "Approvals are given by people with their password, never by a token. They review it on"
ABOUT = (
    "request={number:d}, {status:plainly}; version={version:version}; endpoint={endpoint:endpoint}; note;"
    " reason; requested=created_at; due=due_at; page"
)
noun = Noun("Promotion requests and their gates.")


@noun.verb
def request(
    session: Session,
    version: Annotated[
        str, Argument(metavar="VERSION", help="1.2.0 of the endpoint's model, MODEL@VERSION, or uuid")
    ],
    endpoint: Annotated[str, Option(metavar="ENDPOINT", help=find.HELP["endpoint"])],
    note: Annotated[str, Option(help="why, for the reviewers")] = "",
    canary: Annotated[
        bool,
        Option(
            "--canary", help="go live as a canary under a rule, not at once; the options below set its plan"
        ),
    ] = False,
    share: Share = None,
    steps: Steps = None,
    min_requests: MinRequests = None,
    min_minutes: MinMinutes = None,
    max_hours: MaxHours = None,
    margin: Points = None,
    wrong_margin: WrongMargin = None,
    shadow_disagreement: ShadowDisagreement = None,
    by_hand: ByHand = False,
) -> int | None:
    """Request promotion of a version to an endpoint, and wait for its gates; exit code 1 when they fail.

    People approve it, on its page.
    """
    rule = plans.planned(
        by_hand=by_hand,
        steps=steps,
        min_requests=min_requests,
        min_minutes=min_minutes,
        max_hours=max_hours,
        margin=margin,
        wrong_margin=wrong_margin,
        shadow_disagreement=shadow_disagreement,
    )
    if share is not None and (canary or rule):
        raise Usage(
            "--share is a canary without a rule. Leave out --canary and the options of its plan, or --share."
        )
    plan: dict[str, Any] = {"kind": "canary"} | rule if canary or rule else {}
    plan = plan if share is None else {"kind": "share", "share": share}
    target = find.endpoint(session, endpoint)
    found = find.version(session, version, target)
    body = {"version": found["uuid"], "endpoint": target["uuid"], "note": note} | (
        {"plan": plan} if plan else {}
    )
    promotion = session.api.post("/promotions/", body)
    while promotion["status"] == "checking" or (
        promotion["status"] == "draft" and not promotion["checked_at"] and not promotion["reason"]
    ):
        session.screen.live("Checking the gates", "checking")
        session.sleep(watching.POLL_SECONDS)
        promotion = session.api.get(f"/promotions/{promotion['uuid']}/")
    where = session.page(f"/promotions/{promotion['uuid']}/")
    head: list[str | Table] = [
        f"Request {promotion['number']}: {found['semver']} to {target['full_name']}",
        gates(promotion),
    ]
    if promotion["status"] == "draft":
        why = promotion["reason"] or "Its gates fail, so no review is requested yet."
        session.screen.show(promotion, *head, why, f"Fix the failures, then re-run the gates on {where}")
        return FAILED
    session.screen.show(
        promotion,
        *head,
        f"{PEOPLE} {where}",
        f"Then: lifecycle endpoints deploy {find.called(session, promotion)}",
    )
    return None


def gates(promotion: dict[str, Any]) -> Table:
    """The result of each gate, failed ones first."""
    order = {"failed": 0, "watch": 1, "passed": 2}
    rows = sorted(promotion["gates"], key=lambda gate: order.get(gate["status"], 3))
    return table(
        ["GATE", "STATUS", "VALUE", "LIMIT"],
        [(gate["title"], gate["status"], gate["value"], gate["threshold"]) for gate in rows],
    )


@noun.draws("show")
def described(words: Words, found: dict[str, Any]) -> list[str | Table]:
    """The request and its gates."""
    return [words.facts(ABOUT, found), "", gates(found)]


@noun.verb
def approve(session: Session, request: Request) -> None:
    """Print where a person approves: signed in, never with a token."""
    raise decided(session, request)


@noun.verb
def reject(session: Session, request: Request) -> None:
    """Print where a person rejects: signed in, never with a token."""
    raise decided(session, request)


def decided(session: Session, name: str) -> Refused:
    """Refuse, naming the page where people decide."""
    request = find.request(session, name)
    return Refused(
        "Approvals and rejections are given by people, signed in and with their password, never by a token.",
        next_step=f"Decide on {session.page('/promotions/' + request['uuid'] + '/')}",
    )
