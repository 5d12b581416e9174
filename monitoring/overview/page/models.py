"""The models of the dashboard: one line an endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lifecycle.ground.compute.price import price_per_million
from monitoring.alerts import queries as alerts
from monitoring.alerts.rules.state import Severity
from monitoring.drift.models import DriftReport
from monitoring.drift.queries import standing
from monitoring.overview import queries, rules
from monitoring.overview.queries import Burning, Volume
from monitoring.overview.rules import Health
from monitoring.traffic import histogram
from monitoring.traffic.senders import SenderShare, asked_by
from registry.catalog.models import Endpoint
from registry.endpoints.models import Deployment
from registry.endpoints.queries import rollback


@dataclass(frozen=True)
class DashboardEndpoint:
    """One endpoint among the models. right: share of correct predictions by feedback in 30 days."""

    endpoint: Endpoint
    live: Deployment | None
    canary: str
    right: SenderShare | None
    asked_by: str
    with_feedback: int
    estimate: float | None
    weekly: list[float | None]
    psi: float | None
    drift: str | None
    p95_ms: float | None
    requests: int
    cost: float | None
    health: Health


def models(
    found: Sequence[Endpoint],
    weekly: Mapping[int, Mapping[date, Volume]],
    mondays: Sequence[date],
    burning: Burning,
    now: datetime,
) -> list[DashboardEndpoint]:
    """One line an endpoint, those that need attention first."""
    live, rollouts, drift = queries.live(found), queries.open_rollouts(found), standing(found)
    month, emptied = queries.last_month(found, now), set(rollback.emptied().values_list("pk", flat=True))
    budgets: dict[int, list[float]] = {}
    for each in queries.objectives(found):
        if (budget := alerts.budget(each)) and budget.left is not None:
            budgets.setdefault(each.endpoint_id, []).append(budget.left)
    rows = []
    for endpoint in found:
        now_live, rollout, drifts = live.get(endpoint.pk), rollouts.get(endpoint.pk), drift[endpoint.pk]
        of_month = month.get(endpoint.pk, queries.Month(Volume(), {}, {}))
        volume, right = of_month.volume, of_month.right
        facts = rules.Standing(
            live=now_live is not None,
            quarantined=endpoint.pk in emptied,
            pages=burning.of(Severity.PAGE, endpoint.pk),
            drift=drifts.state,
            budgets=budgets.get(endpoint.pk, ()),
            requests=volume.requests,
            holding=rollout is not None and rollout.state == "holding",
        )
        rows.append(
            DashboardEndpoint(
                endpoint=endpoint,
                live=now_live,
                canary=rollout.version.semver if rollout else "",
                with_feedback=volume.with_feedback,
                right=right,
                asked_by=asked_by(right.senders) if right else "",
                estimate=estimate(drifts.report),
                weekly=[weekly.get(endpoint.pk, {}).get(monday, Volume()).right_share for monday in mondays],
                psi=worst_psi(drifts.report),
                drift=drifts.state,
                p95_ms=histogram.quantile(of_month.latency, 0.95),
                requests=volume.requests,
                cost=price_per_million(volume.cpu_us, volume.timed),
                health=rules.health(facts),
            )
        )
    order = {"bad": 0, "warn": 1, "half": 2, "ok": 3, "off": 4}
    return sorted(rows, key=lambda row: (order[row.health.kind], row.endpoint.full_name))


def worst_psi(report: DriftReport | None) -> float | None:
    """The largest shift of any monitor."""
    return report.largest[1] if report and report.largest else None


def estimate(report: DriftReport | None) -> float | None:
    """The estimated accuracy, where it could be estimated."""
    return float(report.estimate["accuracy"]["value"]) if report and report.estimate else None
