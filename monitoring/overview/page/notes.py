"""What needs a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.urls import reverse

from lifecycle.runtime.words import phrase
from monitoring.alerts.models import Alert
from monitoring.alerts.rules.state import Severity
from monitoring.drift.rules import Monitor
from monitoring.overview import queries, rules
from monitoring.overview.page.models import DashboardEndpoint
from monitoring.traffic.queries import Comparison
from registry.catalog.models import Endpoint

SAMPLE_RATIO = (
    "Sample ratio mismatch: the group sizes don't match the configured hold-out share. "
    "Don't rely on the difference until you find the cause."
)


@dataclass(frozen=True)
class Note:
    """Something that needs a person. kind: bad or warn."""

    kind: str
    fact: str
    text: str
    url: str
    link: str


def attention(
    burning: Sequence[Alert],
    rows: Sequence[DashboardEndpoint],
    found: Sequence[Endpoint],
    compared: Sequence[Comparison],
) -> list[Note]:
    """What needs a person: what burns, what waits for a decision; the most urgent first, at most eight."""
    notes = burns(burning)
    notes += [
        Note(
            "bad",
            f"{row.endpoint.full_name}: {row.health.word}",
            row.health.why,
            page("endpoints:detail", row.endpoint.uuid),
            "Open endpoint",
        )
        for row in rows
        if row.health.word == "in quarantine"
    ]
    notes += [
        Note(
            "bad",
            f"{each.kpi.name}: sample ratio off",
            SAMPLE_RATIO,
            page("traffic:kpi", each.kpi.uuid),
            "Open KPI",
        )
        for each in compared
        if each.mismatch
    ]
    for request in queries.waiting(found):
        fact = f"{request} needs approval"
        notes.append(
            Note(
                "warn",
                fact,
                f"{request.version} to {request.endpoint.full_name}.",
                page("promotions:detail", request.uuid),
                f"Open {str(request).lower()}",
            )
        )
    for proposal in queries.open_proposals(found):
        why = proposal.reasons_for[0]["fact"] if proposal.reasons_for else ""
        notes.append(
            Note(
                "warn",
                f"{proposal} to retrain {proposal.endpoint.full_name} needs a decision",
                why,
                page("retraining:detail", proposal.uuid),
                "Review proposal",
            )
        )
    notes += [
        Note(
            "warn",
            f"{row.endpoint.full_name}: {row.health.word}",
            row.health.why,
            page("endpoints:detail", row.endpoint.uuid),
            "Open endpoint",
        )
        for row in rows
        if row.health.kind == "warn" and row.health.word != rules.WATCH  # which asks no one for anything
    ]
    notes = [replace(note, text=note.text[:300]) for note in notes]
    return sorted(notes, key=lambda note: note.kind != "bad")[:8]


def burns(burning: Sequence[Alert]) -> list[Note]:
    """One note an alert; those of drift as one for each endpoint, since they have one cause."""
    drifting: dict[int, list[Alert]] = {}
    for alert in burning:
        if alert.source == "drift" and alert.endpoint_id is not None:
            drifting.setdefault(alert.endpoint_id, []).append(alert)
    several = {key: alerts for key, alerts in drifting.items() if len(alerts) > 1}
    notes = []
    for alert in burning:
        together = several.get(alert.endpoint_id or 0, [])
        kind = "bad" if alert.severity == Severity.PAGE else "warn"
        if alert not in together:
            notes.append(Note(kind, alert.title, alert.text.split("\n")[0], alert.url, "Open alert"))
        elif alert is together[0] and alert.endpoint is not None:
            monitors = phrase([monitor_name(each) for each in reversed(together)])
            text = (
                f"{monitors.capitalize()} stay above their limits. Check the histograms and the most"
                " characteristic texts."
            )
            notes.append(Note(kind, f"{alert.endpoint.full_name} is drifting", text, alert.url, "Open alert"))
    return notes


def monitor_name(alert: Alert) -> str:
    """The monitor that a drift alert is about, within a sentence."""
    value = str(alert.key.get("monitor"))
    return Monitor(value).label.lower() if value in Monitor.values else value


def page(name: str, uuid: UUID) -> str:
    """The page of a thing."""
    return reverse(name, args=[uuid])
