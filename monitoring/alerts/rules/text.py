"""The text of alerts: what happens, how fast, what to do. Pure: counts and burn rates in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from lifecycle.ui.numbers import count, decimals, duration, percent
from monitoring.alerts.rules.burn import DAY, Budget, BurnRule, Count, Reading, burn_rate, span
from monitoring.alerts.rules.objectives import BAD, Kind, share

VERBS = {Kind.AVAILABILITY: "failed", Kind.LATENCY: "were slow", Kind.QUALITY: "were wrong"}
NOUNS = {Kind.AVAILABILITY: "requests", Kind.LATENCY: "responses", Kind.QUALITY: "predictions with feedback"}
TO_DO = {
    Kind.AVAILABILITY: (
        "Check what changed just before. If a version caused it, roll back; if the server is down, start it."
    ),
    Kind.LATENCY: (
        "Check whether traffic grew or a version changed. Roll back a slow version; add a server for more"
        " traffic."
    ),
    Kind.QUALITY: "Review predictions reported as wrong and check drift. Roll back, or propose retraining.",
}


@dataclass(frozen=True, slots=True)
class AlertText:
    """title: one line, without the text of any user. text: sentences."""

    title: str
    text: str


def times(value: float) -> str:
    """14.4 times, 3 times."""
    return f"{decimals(value, 0 if value >= 100 else 1)} times"


def happened(kind: str, found: Count, window: timedelta) -> str:
    """7.3 % of requests failed in 1 h (146 of 2,000)."""
    word = Kind(kind)
    return (
        f"{percent(found.ratio, 2)} of {NOUNS[word]} {VERBS[word]} in {span(window)} ({count(found.bad)} of"
        f" {count(found.total)})"
    )


def lasts(burn: float | None, window: timedelta) -> str:
    """How long a whole budget lasts at this rate."""
    return duration(window / burn) if burn else "indefinitely"


def burning(
    name: str, kind: str, target: float, window: timedelta, row: BurnRule, counts: Mapping[timedelta, Count]
) -> AlertText:
    """Of an objective whose budget burns too fast. row: the line of the table that fires; counts by length of
    window.
    """
    long, short = counts[row.long], counts[row.short]
    burn = burn_rate(long, 1 - target) or 0.0
    title = f"{name}: {BAD[Kind(kind)]} burn the error budget {times(burn)} too fast"
    text = (
        f"{happened(kind, long, row.long)}, and {percent(short.ratio, 2)} in {span(row.short)}. The objective"
        f" of {share(target)} allows {percent(1 - target, 2)} over {window // DAY} days; at this rate the"
        f" whole budget would last {lasts(burn, window)}. {TO_DO[Kind(kind)]}"
    )
    return AlertText(title, text)


def too_few(kind: str, readings: Sequence[Reading], counts: Mapping[timedelta, Count]) -> str:
    """Why a row that is over its limit doesn't fire."""
    row = next(reading.row for reading in readings if reading.few)
    found = counts[row.long]
    seen = (
        f"{count(found.bad)} of {count(found.total)} {NOUNS[Kind(kind)]} {VERBS[Kind(kind)]} in"
        f" {span(row.long)}"
    )
    return (
        f"{seen}: above the limit of the {row.severity.label.lower()} rule {row.name}, but could be chance."
    )


def calm(kind: str) -> str:
    """The end of an alert of an objective."""
    return f"{BAD[Kind(kind)].capitalize()} stayed below 0.8 of the limit for three evaluations."


# What to do, by the source of an alert; the links are found by the page.
STEPS: dict[str, tuple[str, ...]] = {
    "objective": (
        "Acknowledge the alert so others know you're on it.",
        "Check what changed just before it started: deployments, traffic shares, weights, data.",
        "If a version caused it, roll back. That takes a second, a reason, and typing the version.",
        "It resolves automatically once the burn rate stays below 0.8 of its limit.",
    ),
    "drift": (
        (
            "Check the histograms and the most characteristic texts: new vocabulary, a new product, or a"
            " broken client?"
        ),
        (
            "Send wrong and uncertain predictions to labeling; propose retraining if people report wrong"
            " predictions."
        ),
        "It resolves automatically when the measure stays below its limit.",
    ),
    "canary": (
        "All traffic is back on the previous version. No budget is burning now.",
        "Review the rollout's checks: errors, slow responses, or negative feedback?",
        "Resolve it with what you found. A new version needs a new approval.",
    ),
    "canary_stopped": (
        "All traffic is on the stable version. No budget is burning now.",
        "Find out why it was stopped; the endpoint's page has the reason.",
        "Resolve it with what you found.",
    ),
    "load": (
        "The server keeps serving its previous version; no response is wrong because of this.",
        "A damaged version is already in quarantine: restore its files, or deploy another version.",
        "It resolves automatically when all servers have loaded the version, or the deployment ends.",
    ),
    "server": (
        "The server continues with its last good config. Traffic changes don't reach it.",
        "Read its log and the message above. Publish a new config with any change, or restart the server.",
        "It resolves automatically when the server reports no problems.",
    ),
    "heartbeat": (
        "Alerts aren't being evaluated, so no other alert can fire.",
        "Check that beat, the default worker, and the database are running. Start what's missing.",
        "It resolves automatically at the next evaluation, which also covers the missed time.",
    ),
}
OTHER = (
    "Acknowledge the alert so others know you're on it.",
    "Open the linked page.",
    "Resolve it with what you found.",
)

# What the page behind an alert is called on its link.
LINKS = {
    "objective": "Open SLO",
    "drift": "Open drift",
    "canary": "Open rollout",
    "canary_stopped": "Open deployment",
    "load": "Open endpoint",
    "server": "Open endpoints",
}


def link(source: str) -> str:
    """The words of the link to the page behind an alert of a source."""
    return LINKS.get(source, "Open details")


def steps(source: str) -> tuple[str, ...]:
    """What to do about an alert of a source."""
    return STEPS.get(source, OTHER)


def left_text(found: Budget | None) -> str:
    """What is left of an error budget: 64 % left, 3.2 days at the current rate; overspent by 185 %; not
    measured.
    """
    if found is None or found.left is None:
        return "not measured"
    left = found.left
    if left <= 0:
        return f"overspent by {percent(-left)}" if left < -0.005 else "spent"
    soon = (
        f", {decimals(found.days_left, 1, (0,))} days at the current rate"
        if found.days_left is not None and found.days_left < 30
        else ""
    )
    return f"{percent(left, unlike=(0, 1))} left{soon}"
