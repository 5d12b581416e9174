"""Rollout plans: the options that make one, shares as people write them, and how one begins."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer import Option

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.screen import Table, percent, seconds, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import FAILED
from lifecycle.runtime.refusals import Refused

WHOLE = 10_000
Row = dict[str, Any]


def share(text: str) -> int:
    """A share of 10,000 from 5, 5% or 0.5%."""
    try:
        found = round(float(text.strip().removesuffix("%").strip()) * 100, 6)
    except ValueError:
        found = -1.0
    if not (0 < found <= WHOLE and found == int(found)):
        raise typer.BadParameter(
            f"{text!r} isn't a share. Write a percentage from 0.01 to 100, such as 5 or 0.5%."
        )
    return int(found)


def shares(text: str) -> list[int]:
    """Shares of 10,000 from percents."""
    return [share(each) for each in text.split(",")]


def points(text: str) -> float:
    """A share of 1 from a percentage."""
    return share(text) / WHOLE


def opt(parser: Any, metavar: str, text: str) -> Any:
    """An option that is written as percents."""
    return Option(parser=parser, metavar=metavar, help=text)


Share = Annotated[
    int | None, opt(share, "PERCENT", "go live as a canary at this share, which people steer by hand")
]
Steps = Annotated[list | None, opt(shares, "PERCENTS", "such as 5,25,50,100")]  # type: ignore[type-arg]
MinRequests = Annotated[int | None, Option(metavar="N", help="canary requests that each step needs")]
MinMinutes = Annotated[int | None, Option(metavar="N", help="minutes that each step lasts at least")]
MaxHours = Annotated[
    int | None, Option(metavar="N", help="longest time of a step; then it holds until someone decides")
]
Points = Annotated[float | None, opt(points, "PERCENT", "the error rate may be higher by less than this")]
WrongMargin = Annotated[
    float | None,
    opt(points, "PERCENT", "require feedback; its share of wrong predictions may be higher by less"),
]
ShadowDisagreement = Annotated[
    float | None, opt(points, "PERCENT", "require a shadow; at most this share of its predictions may differ")
]
ByHand = Annotated[
    bool, Option("--by-hand", help="ask a person at each step; the rule still rolls a failing canary back")
]


def planned(*, by_hand: bool, **given: Any) -> Row:
    """The fields of a plan that are given; the rest is as the server proposes."""
    return {name: value for name, value in given.items() if value is not None} | (
        {"automatic": False} if by_hand else {}
    )


def begin(session: Session, request: Row, endpoint: Row, *, forecast_only: bool = False) -> int | None:
    """Forecast how long it takes, then start it. 1 where only a forecast was asked for and the plan can't
    start. Raises Refused where the request names another kind of plan.
    """
    if request["plan"]["kind"] != "canary":
        raise Refused(
            f"Request {request['number']} isn't for an automatic canary.",
            next_step=f"Deploy it by its plan: lifecycle endpoints deploy {find.called(session, request)}",
        )
    plan = {name: value for name, value in request["plan"].items() if name != "kind"}
    body = plan | {"version": request["version"]}
    expected = session.api.post(f"/endpoints/{endpoint['uuid']}/rollouts/forecast/", body, twice=True)
    if forecast_only:
        session.screen.show(expected, *forecast(expected))
        return FAILED if expected["problem"] else None
    session.screen.info(*forecast(expected))
    made = session.api.post("/rollouts/", {"request": request["uuid"]})
    name = endpoint["full_name"]
    session.screen.show(
        made,
        f"{made['semver']} answers {part(made['share'])} of the requests on {name}, beside"
        f" {made['baseline_semver']}.",
        f"Follow it: lifecycle canary watch {name}",
        f"Stop it: lifecycle canary abort {name} --to {made['baseline_semver']} --reason …",
    )
    return None


def forecast(expected: Row) -> list[str | Table]:
    """For people: the time to a decision at each step."""
    rows = [
        (part(each["share"]), f"{each['per_hour']:,.1f}", each["needed"], hours(each["hours"]))
        for each in expected["steps"]
    ]
    summary = (
        expected["problem"]
        or f"All traffic within {hours(expected['hours'])}, 4 times of 5, if it is as good."
    )
    caution = [expected["caution"]] if expected["caution"] else []
    return [table(["SHARE", "REQUESTS/H", "NEEDED", "TIME"], rows), summary, *caution]


def hours(value: float | None) -> str:
    """A duration in hours, or never."""
    return "never" if value is None else seconds(value * 3600)


def part(of_ten_thousand: int) -> str:
    """A share as people read it: 5 %, 0.5 %."""
    return percent(of_ten_thousand / WHOLE, 0 if of_ten_thousand % 100 == 0 else 2)
