"""What the dashboard shows, put together from the figures of all rooms. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from lifecycle.engine.calibration import wilson
from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, decimals, percent, signed, significant
from monitoring.alerts import queries as alerts
from monitoring.alerts.models import Alert, Objective
from monitoring.alerts.rules.state import Severity
from monitoring.drift.models import DriftReport
from monitoring.overview import charts, queries, rules
from monitoring.overview.queries import Arms, Volume
from monitoring.overview.rules import Health
from monitoring.traffic import histogram
from monitoring.traffic.models import Kpi
from monitoring.traffic.outcomes import Difference, compare, ratio_check
from registry.access.models import Project, User
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment

FEW_CALLED = 20  # words on answers: below it a share says nothing
DEFAULT_WEEKS = 13


@dataclass(frozen=True)
class Note:
    """Something that needs a person. kind: bad or warn."""

    kind: str
    fact: str
    text: str
    url: str
    link: str


@dataclass(frozen=True)
class Lift:
    """What one business figure says: the difference to the hold-out and how to read it."""

    kpi: Kpi
    difference: Difference | None
    n: int
    mismatch: bool
    kind: str
    reading: str

    def told(self, value: float) -> str:
        """A difference in the figure's unit: percentage points of a share."""
        return signed(100 * value, 1) + "\u00a0pp" if self.kpi.kind == Kpi.Kind.SHARE else f"{signed(value, 2)} {self.kpi.unit}".strip()

    @property
    def value_text(self) -> str:
        """The difference."""
        return self.told(self.difference.value) if self.difference else ""

    @property
    def interval_text(self) -> str:
        """The ends of its 95 % interval, in the same unit."""
        factor, digits = (100, 1) if self.kpi.kind == Kpi.Kind.SHARE else (1, 2)
        ends = (self.difference.low, self.difference.high) if self.difference else ()
        return ", ".join(signed(factor * end, digits) for end in ends)


@dataclass(frozen=True)
class Budget:
    """One objective. left: share of the error budget, None before anything was measured; kind: of the bar."""

    objective: Objective
    url: str
    left: float | None
    days: float | None
    kind: str


@dataclass(frozen=True)
class Row:
    """One endpoint among the models. right: share of answers called right in 30 days, with its interval."""

    endpoint: Endpoint
    live: Deployment | None
    canary: str
    right: float | None
    interval: tuple[float, float] | None
    called: int
    estimate: float | None
    weekly: list[float | None]
    psi: float | None
    drift: str | None
    p95_ms: float | None
    requests: int
    cost: float | None
    health: Health


def dashboard(user: User, given: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Everything on the page. given: weeks (4, 13 or 26), project (uuid), kpi (uuid), as the address has them."""
    weeks = next((each for each in rules.WEEKS if given.get("weeks") == str(each)), DEFAULT_WEEKS)
    projects = queries.visible_projects(user)
    project = chosen(projects, given.get("project", ""))
    found = queries.endpoints(user, project)
    mondays = rules.week_starts(now.date(), weeks)
    weekly = queries.weekly(found, mondays[0], now)
    burning, kpis = queries.open_alerts(user, project), queries.kpis(found)
    outcomes = queries.outcomes(kpis, mondays[0])
    rows = models(found, weekly, mondays, burning, now)
    budgets = error_budgets(queries.objectives(found))
    throughput = queries.throughput(found, mondays[0], now)
    total = sum((volume for by_week in weekly.values() for volume in by_week.values()), Volume())
    notes = attention(burning, rows, found)
    lifts = [lift(kpi, outcomes.get(kpi.pk, {})) for kpi in kpis]
    return {
        "weeks": weeks, "choices": rules.WEEKS, "projects": projects if len(projects) > 1 else [], "project": project,
        "since": mondays[0], "now": now, "lede": lede(lifts, rows, throughput), "figures": figures(total, burning, throughput),
        "kpi": kpi_chart(kpis, outcomes, mondays, queries.releases(found, mondays[0]), given.get("kpi", "")), "kpis": kpis,
        "notes": notes, "lifts": lifts, "budgets": budgets, "rows": rows, "throughput": throughput,
        "rollbacks": queries.rollbacks(found, mondays[0]), "retrains": retrain_chart([project] if project else projects, now.date(), weeks),
        "cost": cost_chart(weekly, mondays), "priced": bool(settings.PRICE_PER_CORE_HOUR), "currency": settings.CURRENCY,
        "is_demo": any(each.is_demo for each in ([project] if project else projects)),
    }  # fmt: skip


def chosen(projects: Sequence[Project], text: str) -> Project | None:
    """The project of the address, where the user sees it; None for all."""
    return next((each for each in projects if str(each.uuid) == text), None)


# ── The sentence and the strip ──────────────────────────────────────────────
def lede(lifts: Sequence[Lift], rows: Sequence[Row], throughput: queries.Throughput) -> list[tuple[str, str, str]]:
    """The period in up to three sentences: (before, the fact in bold, after)."""
    said = []
    best = next((each for each in lifts if each.difference), None)
    if best and best.difference:
        better = {"better": "better than", "worse": "worse than"}.get(best.reading, "not clearly different from")
        said.append((f"{best.kpi.name} is ", better, " the hold-out."))
    ill = [row.endpoint.slug for row in rows if row.health.kind == "bad"]
    if ill:
        said.append(("", rules.listed(ill), f" need{'s' if len(ill) == 1 else ''} a person."))
    elif any(row.health.kind == "ok" for row in rows):
        well = sum(row.health.kind == "ok" for row in rows)
        said.append(
            (
                "",
                f"{well} of {len(rows)}",
                f" endpoint{'s' if len(rows) > 1 else ''} {'are' if len(rows) > 1 else 'is'} measured and healthy.",
            )
        )
    if throughput.waiting:
        one = throughput.waiting == 1
        said.append(("", f"{count(throughput.waiting)} promotion{'' if one else 's'}", f" wait{'s' if one else ''} for approval."))
    return said


def figures(total: Volume, burning: Sequence[Alert], throughput: queries.Throughput) -> list[Figure]:
    """The strip: volume, availability, what people overruled, spend, what burns."""
    served = total.requests - total.refused - total.shed
    called = total.right + total.wrong
    spend = cost(total)
    pages = sum(alert.severity == Severity.PAGE for alert in burning)
    hours, priced = throughput.hours, spend is not None
    failed = f"{count(total.errors)} failed, {count(total.shed)} turned away"
    overruled = percent(total.overrides / called, 1) if called else None
    return [
        Figure("Requests", count(total.requests), sub=f"{count(total.answers)} texts answered"),
        Figure("Available", percent(1 - total.errors / served, 2) if served else None, sub=failed),
        Figure("Overruled by people", overruled, sub=f"of {count(called)} answers somebody spoke of"),
        Figure(
            "Engine spend", None if spend is None else significant(spend), settings.CURRENCY,
            sub="CPU time of answers" if priced else "set PRICE_PER_CORE_HOUR",
        ),
        Figure("Open pages", count(pages), sub=f"{count(len(burning) - pages)} tickets", good=pages == 0 or None),
        Figure("Time to a decision", None if hours is None else decimals(hours, 1), "h", sub=f"median; {count(throughput.votes)} votes"),
    ]  # fmt: skip


def cost(volume: Volume) -> float | None:
    """Engine CPU time at the price of a core-hour; None without a price."""
    return volume.cpu_us / 3.6e9 * float(settings.PRICE_PER_CORE_HOUR) if settings.PRICE_PER_CORE_HOUR else None


def per_thousand(volume: Volume) -> float | None:
    """The price of 1,000 answers; None without a price or a measured answer."""
    spend = cost(volume)
    return None if spend is None or not volume.timed else 1000 * spend / volume.timed


# ── Panels ──────────────────────────────────────────────────────────────────
def kpi_chart(
    kpis: Sequence[Kpi],
    outcomes: Mapping[int, Mapping[date, Arms]],
    mondays: Sequence[date],
    releases: Mapping[int, list[Deployment]],
    key: str,
) -> tuple[Kpi, Chart] | None:
    """The chosen business figure, else the first with outcomes; None where there is none."""
    with_outcomes = [each for each in kpis if outcomes.get(each.pk)]
    shown = next((each for each in with_outcomes if str(each.uuid) == key), with_outcomes[0] if with_outcomes else None)
    if shown is None:
        return None
    by_week = outcomes[shown.pk]
    sides = [by_week.get(monday, Arms()) for monday in mondays]
    names: dict[str, list[str]] = {}
    for row in releases.get(shown.endpoint_id, []):
        names.setdefault(rules.monday_of(row.started_at.date()).isoformat(), []).append(row.version.semver)
    lines = {week: ", ".join(semvers) for week, semvers in names.items()}
    chart = charts.kpi(
        shown.name,
        shown.unit,
        shown.kind == Kpi.Kind.SHARE,
        mondays,
        [mean(side.model) for side in sides],
        [mean(side.holdout) for side in sides],
        lines,
    )
    return shown, chart


def mean(sums: tuple[int, float, float]) -> float | None:
    """The mean of outcomes that were added up."""
    return sums[1] / sums[0] if sums[0] else None


def lift(kpi: Kpi, by_week: Mapping[date, Arms]) -> Lift:
    """The difference over the whole period, and whether the arms have the sizes they should."""
    model, holdout = (added([getattr(arms, side) for arms in by_week.values()]) for side in ("model", "holdout"))
    difference = compare(kpi.kind, model, holdout)
    mismatch = ratio_check(model[0], holdout[0], kpi.holdout_share)
    if difference is None:
        return Lift(kpi, None, model[0] + holdout[0], mismatch, "half", "insufficient data")
    good = difference.low > 0 if kpi.direction == Kpi.Direction.UP else difference.high < 0
    ill = difference.high < 0 if kpi.direction == Kpi.Direction.UP else difference.low > 0
    kind, word = ("ok", "better") if good else ("bad", "worse") if ill else ("half", "unclear")
    return Lift(kpi, difference, model[0] + holdout[0], mismatch, *(("warn", "sample ratio off") if mismatch else (kind, word)))


def added(sums: Sequence[tuple[int, float, float]]) -> tuple[int, float, float]:
    """Outcomes of several weeks as one."""
    return sum(each[0] for each in sums), sum(each[1] for each in sums), sum(each[2] for each in sums)


def error_budgets(objectives: Sequence[Objective]) -> list[Budget]:
    """What is left of each budget, the emptiest first, what was never measured last."""
    rows = []
    for objective in objectives:
        budget = alerts.budget(objective)
        left = budget.left if budget else None
        kind = "off" if left is None else "bad" if left <= 0 else "warn" if left < rules.BUDGET_LOW else "ok"
        url = reverse("alerts:endpoint", args=[objective.endpoint.uuid])
        rows.append(Budget(objective, url, left, budget.days_left if budget else None, kind))
    return sorted(rows, key=lambda row: (row.left is None, row.left or 0.0))


def models(
    found: Sequence[Endpoint], weekly: Mapping[int, Mapping[date, Volume]], mondays: Sequence[date], burning: Sequence[Alert], now: datetime
) -> list[Row]:
    """One line an endpoint, those that need somebody first."""
    live, rollouts, reports = queries.live(found), queries.open_rollouts(found), queries.drift_reports(found)
    month = queries.last_month(found, now)
    budgets: dict[int, list[float]] = {}
    for each in queries.objectives(found):
        if (budget := alerts.budget(each)) and budget.left is not None:
            budgets.setdefault(each.endpoint_id, []).append(budget.left)
    rows = []
    for endpoint in found:
        now_live, rollout, report = live.get(endpoint.pk), rollouts.get(endpoint.pk), reports.get(endpoint.pk)
        volume, latency = month.get(endpoint.pk, (Volume(), {}))
        called = volume.right + volume.wrong
        standing = rules.Standing(
            live=now_live is not None,
            quarantined=now_live is not None and now_live.version.state == ModelVersion.State.QUARANTINED,
            pages=sum(alert.endpoint_id == endpoint.pk and alert.severity == Severity.PAGE for alert in burning),
            drift=report.state if report else None, budgets=budgets.get(endpoint.pk, ()), requests=volume.requests,
            holding=rollout is not None and rollout.state == "holding",
        )  # fmt: skip
        rows.append(
            Row(
                endpoint=endpoint, live=now_live, canary=rollout.version.semver if rollout else "", called=called,
                right=volume.right / called if called >= FEW_CALLED else None,
                interval=wilson(volume.right, called) if called >= FEW_CALLED else None, estimate=estimate(report),
                weekly=[right_share(weekly.get(endpoint.pk, {}).get(monday)) for monday in mondays], psi=worst_psi(report),
                drift=report.state if report else None, p95_ms=histogram.quantile(latency, 0.95), requests=volume.requests,
                cost=per_thousand(volume), health=rules.health(standing),
            )
        )  # fmt: skip
    order = {"bad": 0, "warn": 1, "half": 2, "ok": 3, "off": 4}
    return sorted(rows, key=lambda row: (order[row.health.kind], row.endpoint.slug))


def right_share(volume: Volume | None) -> float | None:
    """Of the answers of a week that somebody spoke of; None below five."""
    called = volume.right + volume.wrong if volume else 0
    return volume.right / called if volume and called >= 5 else None


def worst_psi(report: DriftReport | None) -> float | None:
    """The largest shift of any monitor."""
    return report.largest[1] if report and report.largest else None


def estimate(report: DriftReport | None) -> float | None:
    """The estimated accuracy, where it could be estimated."""
    return float(report.estimate["accuracy"]["value"]) if report and report.estimate else None


def attention(burning: Sequence[Alert], rows: Sequence[Row], found: Sequence[Endpoint]) -> list[Note]:
    """What needs a person: what burns, what waits for a decision; the most urgent first, at most eight."""
    notes = burns(burning)
    notes += [
        Note(
            "bad",
            f"{row.endpoint.slug}: {row.health.word}",
            row.health.why,
            page("endpoints:detail", row.endpoint.uuid),
            "Open the endpoint",
        )
        for row in rows
        if row.health.word == "in quarantine"
    ]
    for request in queries.waiting(found):
        fact = f"{request} waits for an approval"
        notes.append(
            Note(
                "warn",
                fact,
                f"{request.version} to {request.endpoint.slug}.",
                page("promotions:detail", request.uuid),
                f"Open {str(request).lower()}",
            )
        )
    for proposal in queries.open_proposals(found):
        why = proposal.reasons_for[0]["fact"] if proposal.reasons_for else ""
        notes.append(
            Note("warn", f"{proposal} to retrain {proposal.endpoint.slug} waits", why, page("retraining:detail", proposal.uuid), "Decide")
        )
    notes += [
        Note(
            "warn",
            f"{row.endpoint.slug}: {row.health.word}",
            row.health.why,
            page("endpoints:detail", row.endpoint.uuid),
            "Open the endpoint",
        )
        for row in rows
        if row.health.kind == "warn"
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
            notes.append(Note(kind, alert.title, alert.text.split("\n")[0], alert.url, "Look"))
        elif alert is together[0] and alert.endpoint is not None:
            monitors = rules.listed([str(each.key.get("monitor")) for each in reversed(together)], most=len(together))
            text = f"{monitors.capitalize()} are over their limits and stay there. Look at the histograms and the texts behind."
            notes.append(Note(kind, f"{alert.endpoint.slug} drifts", text, alert.url, "Look"))
    return notes


def page(name: str, uuid: UUID) -> str:
    """The page of a thing."""
    return reverse(name, args=[uuid])


def retrain_chart(projects: Sequence[Project], today: date, weeks: int) -> Chart | None:
    """Trainings that ended well by month; None for none."""
    months = rules.month_starts(today, weeks)
    found = queries.retrains(projects, months[0])
    rows = [found.get(month, queries.Retrains()) for month in months]
    if not found:
        return None
    return charts.retrains(months, [row.by_hand for row in rows], [row.planned for row in rows], [row.after_drift for row in rows])


def cost_chart(weekly: Mapping[int, Mapping[date, Volume]], mondays: Sequence[date]) -> Chart | None:
    """The price of 1,000 answers by week; None without a price or an answer."""
    sums = [sum((by_week.get(monday, Volume()) for by_week in weekly.values()), Volume()) for monday in mondays]
    prices = [per_thousand(volume) for volume in sums]
    return charts.cost(mondays, prices, settings.CURRENCY) if any(price is not None for price in prices) else None
