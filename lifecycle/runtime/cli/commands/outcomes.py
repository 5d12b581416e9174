"""outcomes show, send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from lifecycle.runtime.cli import batches, find
from lifecycle.runtime.cli.arguments import Endpoint, Start
from lifecycle.runtime.cli.commands.feedback import named
from lifecycle.runtime.cli.screen import table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.words import things

ARMS = ("model", "holdout")
Row = dict[str, Any]
HEADS = ("FIGURE", "MODEL", "CASES", "HOLD-OUT", "CASES", "DIFFERENCE", "95 % INTERVAL", "READING")
noun = Noun("Business figures (KPIs), with the model and without it.")


@noun.verb
def show(
    session: Session,
    endpoint: Endpoint,
    figure: Annotated[str, Option(metavar="NAME", help="only this business figure, by name or uuid")] = "",
    days: Annotated[int, Option(min=1, help="how far back")] = 90,
) -> None:
    """Show the business figures of an endpoint with the model and without it, the difference, and its
    interval.
    """
    row = find.endpoint(session, endpoint)
    known = (
        session.api.get(f"/endpoints/{row['uuid']}/kpis/")["results"]
        if not figure
        else [find.kpi(session, figure, {"endpoint": row})]
    )
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    found = [session.api.get(f"/kpis/{kpi['uuid']}/", since=since) for kpi in known]
    none = f"{row['full_name']} has no business figures yet. An ML lead defines one."
    session.screen.show(found, table(HEADS, map(compared, found)) if found else none)


def compared(each: Row) -> tuple[object, ...]:
    """One figure."""
    between = each["difference"] or {}
    interval = (
        f"{worth(between['low'], each, '+')} to {worth(between['high'], each, '+')}" if between else None
    )
    return (
        each["kpi"]["name"],
        worth(each["model_mean"], each),
        each["model_cases"],
        worth(each["holdout_mean"], each),
        each["holdout_cases"],
        worth(between.get("value"), each, "+"),
        interval,
        each["reading"],
    )


def worth(value: float | None, each: Row, sign: str = "") -> str | None:
    """A value with its unit. sign: "+" for a difference, which is in points for a share and has the page's
    digits for a number.
    """
    if value is None:
        return None
    if each["kpi"]["kind"] == "share":
        return f"{value * 100:{sign}.1f} {'points' if sign else '%'}"
    digits = next((more for more in range(3, 9) if not sign or not value or round(value, more)), 3)
    return f"{value:{sign},.{digits}f} {each['kpi']['unit']}".rstrip()


@noun.verb
def send(
    session: Session,
    endpoint: Endpoint,
    file: Annotated[Path, Argument(metavar="JSONL", help="the cases, sent in batches of 1,000")],
    figure: Annotated[str, Option(metavar="NAME", help="the business figure, by name or uuid")],
    start: Start = 1,
) -> None:
    """Send the outcomes of cases; needs a token with the scope feedback.

    A line is {"uuid": "…", "arm": "model", "value": 1, "at": "2026-11-25T10:00:00Z"}, with "prediction" and
    "subject" where they are known: cases of one subject count as a cluster. A uuid that is sent twice counts
    once.
    """
    parent = find.endpoint(session, endpoint)
    kpi = find.kpi(session, figure, {"endpoint": parent})
    sent = batches.send(
        session,
        file,
        start,
        shaped,
        lambda lines: session.api.post(f"/kpis/{kpi['uuid']}/outcomes/", {"outcomes": lines}, twice=True),
    )
    session.screen.show(
        {"sent": sent}, f"{things(sent, 'outcome')} of {kpi['name']} {'is' if sent == 1 else 'are'} saved."
    )


def shaped(line: Row) -> Row:
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
