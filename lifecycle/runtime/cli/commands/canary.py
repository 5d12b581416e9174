"""canary: an approved version that answers a share of the requests beside the live one, under a rule that widens it or rolls it back."""

from __future__ import annotations

import argparse
from typing import Any

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.screen import count, facts, percent, seconds, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused

WHOLE = 10_000
OPEN = ("running", "holding", "paused")
INTERRUPTED = 130
STATES = {"rolled_back": "rolled back"}
RULE = {"continue": "go on", "promote": "widen", "hold": "hold", "rollback": "roll it back"}


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser(
        "canary", help="start, watch and steer a canary",
        description="A canary is an approved version that answers a share of the requests beside the live one. A rule widens it step by "
        "step, or rolls it back.",
    ).add_subparsers(dest="what", metavar="WHAT", required=True)  # fmt: skip
    start_ = group.add_parser("start", parents=[common], help="give an approved version its first share")
    start_.add_argument("request", metavar="REQUEST", help="number or uuid of the approved promotion request")
    plan(start_)
    start_.add_argument("--forecast", action="store_true", help="start nothing; say how long it would take at the present traffic")
    start_.set_defaults(run=start)
    for name, act, text in (
        ("status", status, "how it stands, and what the rule says"),
        ("watch", watch, "follow it to its end; 0 when it got all traffic, 1 when it was rolled back"),
        ("pause", pause, "stop widening; a failing canary is still rolled back"),
        ("resume", resume, "let the rule widen it again"),
    ):
        made = named(group, common, name, text)
        made.set_defaults(run=act)
    wider = named(group, common, "widen", "go to the next step now")
    wider.add_argument("--reason", default="", help="why; needed where the rule does not say so itself")
    wider.set_defaults(run=widen)
    stop = named(group, common, "abort", "stop it: all traffic to the version beside it")
    stop.add_argument("--to", required=True, metavar="VERSION", help="the version that has all traffic afterwards, typed to be sure")
    stop.add_argument("--reason", required=True, help="why; it is kept in the trail")
    stop.set_defaults(run=abort)


def named(group: Any, common: Any, name: str, text: str) -> Any:
    """A command on the canary of an endpoint."""
    made = group.add_parser(name, parents=[common], help=text)
    made.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    return made


def plan(made: Any) -> None:
    """The options of a plan; what is left out is as approved, or for a new request as the server proposes."""
    made.add_argument("--steps", type=shares, metavar="PERCENTS", help="such as 5,25,50,100")
    made.add_argument("--min-requests", type=int, metavar="N", help="canary requests that each step must see")
    made.add_argument("--min-minutes", type=int, metavar="N", help="minutes that each step must last")
    made.add_argument("--max-hours", type=int, metavar="N", help="longest time of a step; then it holds until somebody decides")
    made.add_argument("--margin", type=points, metavar="PERCENT", help="the error share may be higher by less than this")
    made.add_argument(
        "--wrong-margin", type=points, metavar="PERCENT", help="require feedback: of it, the share of wrong answers may be higher by less"
    )
    made.add_argument(
        "--shadow-disagreement", type=points, metavar="PERCENT", help="require a shadow: at most so many of its predictions may differ"
    )
    made.add_argument("--by-hand", action="store_true", help="ask a person at each step; the rule still takes a failing canary back")


def shares(text: str) -> list[int]:
    """Shares of 10,000 from percents."""
    return [share(each) for each in text.split(",")]


def share(text: str) -> int:
    """A share of 10,000 from 5, 5% or 0.5%."""
    try:
        found = round(float(text.strip().removesuffix("%").strip()) * 100, 6)
    except ValueError:
        found = -1.0
    if not (0 < found <= WHOLE and found == int(found)):
        raise argparse.ArgumentTypeError(f"{text!r} is no share. Write a percentage from 0.01 to 100, such as 5 or 0.5%.")
    return int(found)


def points(text: str) -> float:
    """A share of 1 from a percentage."""
    return share(text) / WHOLE


def planned(args: Any) -> dict[str, Any]:
    """The parts of the plan that were given."""
    names = ("steps", "min_requests", "min_minutes", "max_hours", "margin", "wrong_margin", "shadow_disagreement")
    given = {name: getattr(args, name) for name in names}
    return {name: value for name, value in given.items() if value is not None} | ({"automatic": False} if args.by_hand else {})


def start(session: Session) -> int | None:
    """The first share; or with --forecast only how long it would take."""
    request = find.request(session, session.args.request)
    endpoint = find.endpoint(session, request["endpoint"])
    return begin(session, request, endpoint, planned(session.args), forecast_only=session.args.forecast)


def is_ruled(request: Any) -> bool:
    """Whether a request's plan is a canary under a rule."""
    return bool(request["plan"].get("kind") == "canary")


def begin(session: Session, request: Any, endpoint: Any, wanted: dict[str, Any], *, forecast_only: bool = False) -> int | None:
    """Say how long it will take, then start it. 1 where only a forecast was asked for and the plan could not start."""
    approved = {name: value for name, value in request["plan"].items() if name != "kind"} if is_ruled(request) else {}
    asked = (wanted or approved) | {"version": request["version"]}
    expected = session.api.post(f"/endpoints/{endpoint['uuid']}/rollouts/forecast/", asked, twice=True)
    if forecast_only:
        session.screen.show(expected, *forecast(expected))
        return 1 if expected["problem"] else None
    session.screen.tell("\n".join(forecast(expected)))
    made = session.api.post("/rollouts/", wanted | {"request": request["uuid"]})
    session.screen.show(
        made,
        f"{made['semver']} answers {part(made['share'])} of the requests on {endpoint['full_name']}, beside {made['baseline_semver']}.",
        f"Follow it: lifecycle canary watch {endpoint['full_name']}",
        f"Stop it: lifecycle canary abort {endpoint['full_name']} --to {made['baseline_semver']} --reason …",
    )
    return None


def forecast(expected: dict[str, Any]) -> list[str]:
    """For people: the time to a decision at each step."""
    rows = [(part(each["share"]), f"{each['per_hour']:,.1f}", each["needed"], hours(each["hours"])) for each in expected["steps"]]
    told = (
        [expected["problem"]]
        if expected["problem"]
        else [f"All traffic within {hours(expected['hours'])}, 4 times of 5, if it is as good."]
    )
    told += [expected["caution"]] if expected["caution"] else []
    return [*table(["SHARE", "REQUESTS/H", "NEEDED", "TIME"], rows), *told]


def hours(value: float | None) -> str:
    """A span in hours, or never."""
    return "never" if value is None else seconds(value * 3600)


def part(of_ten_thousand: int) -> str:
    """A share as people read it: 5 %, 0.5 %."""
    return percent(of_ten_thousand / WHOLE, 0 if of_ten_thousand % 100 == 0 else 2)


def current(session: Session, *, ended: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The endpoint and its rollout. ended: the newest one where none runs. Raises Refused where there is none."""
    endpoint = find.endpoint(session, session.args.endpoint)
    rows = session.api.get("/rollouts/", endpoint=endpoint["uuid"])["results"]
    found = [row for row in rows if row["state"] in OPEN] or (rows if ended else [])
    if not found:
        raise Refused(f"No canary runs on {endpoint['full_name']}.", next_step="Start one: lifecycle canary start REQUEST")
    return endpoint, found[0]


def status(session: Session) -> None:
    """The newest canary of an endpoint."""
    endpoint, rollout = current(session, ended=True)
    found = session.api.get(f"/rollouts/{rollout['uuid']}/")
    session.screen.show(found, *described(session, endpoint, found))


def described(session: Session, endpoint: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """For people: the state, the rule line by line, what was counted of each arm."""
    is_open = found["state"] in OPEN
    lines = facts([
        ("Canary", f"{found['semver']} beside {found['baseline_semver']} on {endpoint['full_name']}"),
        ("State", f"{STATES.get(found['state'], found['state'])}, {part(found['share'])} of the requests"),
        ("Because", found["reason"]),
        ("The rule says", f"{RULE.get(found['decision'], found['decision'])}: {found['why']}" if is_open else ""),
        ("Next step", part(found["next_share"]) if is_open else ""),
        ("Page", session.page(f"/rollouts/{found['uuid']}/")),
    ])  # fmt: skip
    sides = [(name, *(found[name][key] for key in ("requests", "errors", "slow", "wrong"))) for name in ("canary", "stable")]
    rule = [(each["title"], each["now"], each["word"]) for each in found["conditions"]]
    return [*lines, "", *table(["AT THIS STEP", "REQUESTS", "ERRORS", "SLOW", "WRONG"], sides), "", *table(["RULE", "NOW", ""], rule)]


def watch(session: Session) -> int | None:
    """Stay until it has ended. Ctrl-C leaves it as it is."""
    endpoint, rollout = current(session, ended=True)
    try:
        while True:
            found = session.api.get(f"/rollouts/{rollout['uuid']}/")
            if found["state"] not in OPEN:
                break
            session.screen.live(line(found), f"{found['state']} {found['share']} {found['decision']}")
            session.sleep(watching.POLL_SECONDS)
    except KeyboardInterrupt:
        session.screen.tell(f"The canary goes on. Look again: lifecycle canary watch {endpoint['full_name']}")
        return INTERRUPTED
    session.screen.show(found, *described(session, endpoint, found))
    return None if found["state"] == "promoted" else 1


def line(found: dict[str, Any]) -> str:
    """One line that says how it stands."""
    seen, errors = found["canary"]["requests"], found["canary"]["errors"]
    return (
        f"{found['semver']} {found['state']} at {part(found['share'])}: {count(seen, 'request')}, {count(errors, 'error')}. {found['why']}"
    )


def pause(session: Session) -> None:
    """It keeps its share."""
    endpoint, made = steered(session, "pause", {})
    told(session, made, f"{made['semver']} stays at {part(made['share'])} on {endpoint['full_name']}. It is still rolled back if it fails.")


def resume(session: Session) -> None:
    """The rule goes on."""
    endpoint, made = steered(session, "resume", {})
    told(session, made, f"The rule widens {made['semver']} on {endpoint['full_name']} again; it is at {part(made['share'])}.")


def widen(session: Session) -> None:
    """The next step, now."""
    endpoint, made = steered(session, "widen", {"reason": session.args.reason})
    whole = made["state"] == "promoted"
    told(session, made, f"{made['semver']} answers {'all requests' if whole else part(made['share'])} on {endpoint['full_name']}.")


def abort(session: Session) -> None:
    """All traffic to the version beside it."""
    endpoint, made = steered(session, "abort", {"reason": session.args.reason, "typed": session.args.to})
    told(session, made, f"{made['baseline_semver']} answers all requests on {endpoint['full_name']} again; {made['semver']} is stopped.")


def steered(session: Session, verb: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The endpoint, and its rollout after the change; refused when somebody was quicker."""
    endpoint, rollout = current(session)
    return endpoint, session.api.post(f"/rollouts/{rollout['uuid']}/{verb}/", body | {"seen": rollout["moves"]})


def told(session: Session, made: dict[str, Any], text: str) -> None:
    """The result of steering."""
    session.screen.show(made, text)
