"""canary start, watch; what canary status prints."""

from __future__ import annotations

from typing import Annotated, Any

from typer import Option

from lifecycle.runtime.cli import find, plans, watching
from lifecycle.runtime.cli.arguments import Endpoint, Request
from lifecycle.runtime.cli.plans import part
from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import FAILED, INTERRUPTED, Noun
from lifecycle.runtime.cli.wording import Words
from lifecycle.runtime.words import things

ABOUT = (
    "canary={semver} beside {baseline_semver} on {newest_rollout.full_name}; state={state:plainly},"
    " {share:share} of the requests; because=reason; the rule says={decision:decision}: {why}; next"
    " step={next_share:share}; page"
)
SIDES = "at this step=name; requests; errors; slow; wrong"
RULE = "rule=title; now; =word"
noun = Noun(
    "A canary is an approved version that answers a share of the requests beside the live one. A rule widens"
    " it step by step, or rolls it back."
)


@noun.verb
def start(
    session: Session,
    request: Request,
    forecast: Annotated[
        bool, Option("--forecast", help="start nothing; forecast how long it takes at the current traffic")
    ] = False,
) -> int | None:
    """Give an approved version its first share, by its approved plan."""
    promotion = find.request(session, request)
    return plans.begin(
        session, promotion, find.endpoint(session, promotion["endpoint"]), forecast_only=forecast
    )


@noun.verb
def watch(session: Session, endpoint: Endpoint) -> int | None:
    """Follow a canary to its end; exit code 0 when it gets all traffic, 1 when it is rolled back."""
    rollout = find.rollout(session, endpoint, ended=True)
    try:
        while True:
            found = session.api.get(f"/rollouts/{rollout['uuid']}/")
            if found["state"] not in find.ROLLOUT_OPEN:
                break
            session.screen.live(line(found), f"{found['state']} {found['share']} {found['decision']}")
            session.sleep(watching.POLL_SECONDS)
    except KeyboardInterrupt:
        session.screen.info(f"The canary continues. Watch it: lifecycle canary watch {rollout['full_name']}")
        return INTERRUPTED
    known = {"newest_rollout": rollout, "page": session.page(f"/rollouts/{found['uuid']}/")}
    session.screen.show(found, *described(Words(session, known), found))
    return None if found["state"] == "promoted" else FAILED


@noun.draws("status")
def described(words: Words, found: dict[str, Any]) -> list[str | Table]:
    """The state, both arms at this step, and the rule line by line."""
    ended = {} if found["state"] in find.ROLLOUT_OPEN else dict.fromkeys(("decision", "why", "next_share"))
    sides = [{"name": name} | found[name] for name in ("canary", "stable")]
    return [words.facts(ABOUT, found | ended), *words.tables((SIDES, sides), (RULE, found["conditions"]))]


def line(found: dict[str, Any]) -> str:
    """Its state in one line."""
    seen, errors = found["canary"]["requests"], found["canary"]["errors"]
    head = f"{found['semver']} {found['state']} at {part(found['share'])}"
    return f"{head}: {things(seen, 'request')}, {things(errors, 'error')}. {found['why']}"
