"""What an alert says: what happens, how fast, what to do. Pure: counts and burn rates in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from lifecycle.ui.numbers import count, decimals, duration, percent
from monitoring.alerts.rules.burn import DAY, Budget, Count, Reading, Row, burn_rate, span
from monitoring.alerts.rules.objectives import BAD, Kind, share

VERBS = {Kind.AVAILABILITY: "failed", Kind.LATENCY: "were slow", Kind.QUALITY: "were wrong"}
NOUNS = {Kind.AVAILABILITY: "requests", Kind.LATENCY: "answers", Kind.QUALITY: "judged answers"}
TO_DO = {
    Kind.AVAILABILITY: "See what changed just before. If a version did it, roll back; if the server is down, start it.",
    Kind.LATENCY: "See whether traffic grew or a version changed. Roll back a slow version; add a server for more traffic.",
    Kind.QUALITY: "Read the answers that were called wrong and look at drift. Roll back, or propose a retraining.",
}


@dataclass(frozen=True, slots=True)
class Said:
    """title: one line, without the text of any user. text: sentences."""

    title: str
    text: str


def times(value: float) -> str:
    """14.4 times, 3 times."""
    return f"{decimals(value, 0 if value >= 100 else 1)} times"


def happened(kind: str, found: Count, window: timedelta) -> str:
    """7.3 % of requests failed in 1 h (146 of 2,000)."""
    word = Kind(kind)
    return f"{percent(found.ratio, 2)} of {NOUNS[word]} {VERBS[word]} in {span(window)} ({count(found.bad)} of {count(found.total)})"


def lasts(burn: float | None, window: timedelta) -> str:
    """How long a whole budget lasts at this rate."""
    return duration(window / burn) if burn else "for good"


def burning(
    name: str, kind: str, target: float, window: timedelta, row: Row, counts: Mapping[timedelta, Count]
) -> Said:  # fmt: skip
    """Of an objective whose budget burns too fast. row: the line of the table that fires; counts by length of window."""
    long, short = counts[row.long], counts[row.short]
    burn = burn_rate(long, 1 - target) or 0.0
    title = f"{name}: {BAD[Kind(kind)]} burn the error budget {times(burn)} too fast"
    text = (
        f"{happened(kind, long, row.long)}, and {percent(short.ratio, 2)} in {span(row.short)}. The objective of {share(target)} allows "
        f"{percent(1 - target, 2)} over {window // DAY} days; at this rate a whole budget would last {lasts(burn, window)}. "
        f"{TO_DO[Kind(kind)]}"
    )
    return Said(title, text)


def too_few(kind: str, readings: Sequence[Reading], counts: Mapping[timedelta, Count]) -> str:
    """Why a row that is over its limit doesn't fire."""
    row = next(reading.row for reading in readings if reading.few)
    found = counts[row.long]
    seen = f"{count(found.bad)} of {count(found.total)} {NOUNS[Kind(kind)]} {VERBS[Kind(kind)]} in {span(row.long)}"
    return f"{seen}: over the limit of the {row.severity.label.lower()} row {row.name}, but it could be chance."


def calm(kind: str) -> str:
    """The end of an alert of an objective."""
    return f"{BAD[Kind(kind)].capitalize()} came below 0.8 of the limit and stayed there for three evaluations."


# What to do, by the source of an alert; the links are found by the page.
STEPS: dict[str, tuple[str, ...]] = {
    "objective": (
        "Acknowledge, so that others know that you look.",
        "Look at what changed just before it began: deployments, shares, weights, data.",
        "If a version did it, roll back. That takes a second, a reason and the typed version.",
        "It ends by itself once the burn rate stays below 0.8 of its limit.",
    ),
    "drift": (
        "Look at the histograms and the texts behind them: is it new vocabulary, a new product, or a broken client?",
        "Send wrong and unsure answers to labeling; propose a retraining if people call answers wrong.",
        "It ends by itself when the measure stays below its limit.",
    ),
    "canary": (
        "All traffic is on the version before. Nothing burns now.",
        "Read the looks of the rollout: errors, slow answers, or wrong feedback?",
        "Resolve it with what you found; a new version needs a new approval.",
    ),
    "canary_stopped": (
        "All traffic is on the stable version. Nothing burns now.",
        "Find out why it was stopped; the endpoint's page has the reason.",
        "Resolve it with what you found.",
    ),
    "load": (
        "The server stays on the version that it has; nobody gets a wrong answer.",
        "A damaged version is in quarantine by now: restore its files, or deploy another.",
        "It ends by itself when all servers have loaded it, or the deployment ends.",
    ),
    "server": (
        "The server goes on with the last good routes. Changes of traffic do not reach it meanwhile.",
        "Read its log and the sentence above; publish the routes again by any change, or restart it.",
        "It ends by itself when the server says that all is well.",
    ),
    "heartbeat": (
        "Nobody evaluates alerts at this moment: other alerts do not come.",
        "See whether the beat and the default worker run, and whether the database answers; start what is missing.",
        "It ends by itself at the next evaluation, which also looks at what was missed.",
    ),
}
OTHER = ("Acknowledge, so that others know that you look.", "Open the page behind it.", "Resolve it with what you found.")


def steps(source: str) -> tuple[str, ...]:
    """What to do about an alert of a source."""
    return STEPS.get(source, OTHER)


def left_text(found: Budget | None) -> str:
    """What is left of an error budget: 64 % left, 3.2 days at this rate; spent, 185 % over; not measured."""
    if found is None or found.left is None:
        return "not measured"
    left = found.left
    if left <= 0:
        return f"spent, {percent(-left)} over" if left < -0.005 else "spent"
    soon = f", {decimals(found.days_left, 1, (0,))} days at this rate" if found.days_left is not None and found.days_left < 30 else ""
    return f"{percent(left, unlike=(0, 1))} left{soon}"
