"""What the pages of drift show. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone

from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.words import phrase, things
from lifecycle.ui.addresses import choice_in, find_url
from lifecycle.ui.charts import Chart
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, percent
from monitoring.drift import agreement, answers, cbpe, charts, judging, queries
from monitoring.drift.charts import Accuracy, Day
from monitoring.drift.judging import Results
from monitoring.drift.measuring import accuracy as measured_accuracy
from monitoring.drift.measuring import bins
from monitoring.drift.models import Baseline, DriftReport, Measurement, TextCheck
from monitoring.drift.queries import Standing
from monitoring.drift.rules import DAY, MIN_TEXTS, Held, Mark, Monitor, Span, State
from monitoring.traffic import queries as traffic
from monitoring.traffic.counts import merge
from monitoring.traffic.queries import Point
from monitoring.traffic.rules import FEEDBACK_LEAST, SHADOW
from monitoring.traffic.senders import asked_by
from registry.catalog.models import Endpoint
from registry.endpoints.queries.deployments import live_deployment
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.roles import sentence

MARKS = {
    State.OK: "ok",
    State.WATCH: "warn",
    State.DRIFT: "bad",
    State.INSUFFICIENT: "half",
    State.FAILED: "bad",
    Mark.OK: "ok",
    Mark.WATCH: "warn",
    Mark.DRIFT: "bad",
    Mark.INSUFFICIENT: "half",
    Mark.NOT_MEASURED: "off",
    Mark.FAILED: "bad",
}
PERIODS = {
    "4w": ("4 weeks", timedelta(weeks=4)),
    "12w": ("12 weeks", timedelta(weeks=12)),
    "1y": ("1 year", timedelta(days=365)),
}
EVERYWHERE = (Monitor.WORDS, Monitor.MEANING)  # of each task, where texts are stored
BEHIND = 20
HISTORY = 12


@dataclass(frozen=True, slots=True)
class MonitorLine:
    """A monitor as a table shows it. ratios: of its last windows, oldest first."""

    monitor: Monitor
    mark: str
    word: str
    value: str
    limit: str
    chance: str
    rows: str
    senders: str
    why: str
    ratios: list[float | None]
    hot: bool


# ── The list ────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class EndpointLine:
    """An endpoint as the list shows it. ratios: of its last windows, oldest first; None where one measured
    nothing.
    """

    endpoint: Endpoint
    standing: Standing
    ratios: list[float | None]
    mark: str
    word: str
    worst: str


def listing(user: User) -> dict[str, Any]:
    """All endpoints with their last 60 days: those with drift first, then by name."""
    found = list(queries.visible(user))
    standing = queries.standing(found)
    ratios = queries.trends(standing)
    lines = [endpoint_line(each, standing[each.pk], ratios[each.pk]) for each in found]
    lines.sort(key=lambda each: (not each.standing.open, each.endpoint.full_name))
    return {"lines": lines, "drifting": sum(bool(each.standing.open) for each in lines)}


def endpoint_line(found: Endpoint, standing: Standing, ratios: list[float | None]) -> EndpointLine:
    """One endpoint."""
    mark, word = marked(standing)
    measured = [each for each in (standing.report, standing.texts) if each and each.ratio is not None]
    nearest = max(measured, key=lambda each: each.ratio or 0, default=None)
    worst = (
        f"{Monitor(nearest.worst).label}, {judging.of_limit(nearest.ratio)}"
        if nearest and nearest.ratio is not None
        else ""
    )
    return EndpointLine(found, standing, ratios, mark, word, worst)


def marked(standing: Standing) -> tuple[str, str]:
    """The mark and the word for an endpoint's state."""
    if standing.open:
        return MARKS[State.DRIFT], f"Drift: {phrase(queries.names(standing.open)).lower()}"
    state = standing.state
    return (MARKS[state], state.label) if state else ("off", "Not measured")


# ── One endpoint ────────────────────────────────────────────────────────────
def endpoint(user: User, found: Endpoint, given: Mapping[str, str]) -> dict[str, Any]:
    """The page of an endpoint: one window of one version, and what led to it. given: report (uuid, else the
    newest of the live version), period (a key of PERIODS).
    """
    job = queries.job_of(found)
    requested = queries.latest_requested(found)
    standing = shown_standing(user, found, given.get("report", ""), requested)
    report, key = standing.report, choice_in(given, "period", PERIODS, "4w")
    check = queries.texts_for(user, standing.texts)
    since = timezone.now() - PERIODS[key][1]
    mark, word = marked(standing)
    shown: dict[str, Any] = {
        "endpoint": found,
        "report": report,
        "check": check,
        "open": standing.open,
        "mark": mark,
        "word": word,
        "job": working(job),
        "failed_job": job if job and job.state == "failed" else None,
        "requested": requested,
        "lines": monitor_lines(report, check),
        "period": key,
        "periods": [(name, PERIODS[name][0]) for name in PERIODS],
        "episodes": queries.episodes(found, HISTORY),
        "limits": cbpe.LIMITS,
        "live": live_deployment(found),
        "why_not": why_not(user, found),
        "reports": [(each, MARKS[State(each.state)]) for each in queries.reports(found, HISTORY)],
        "endpoint_url": find_url("endpoints:detail", uuid=found.uuid),
    }
    if report:
        shown |= {
            "figures": figures(report),
            "histograms": histograms(report),
            "accuracy": accuracy(report, since),
            "orders": orders(report, since),
        }
        days = queries.ratios_by_day(found, report.version, since)
        if any(days.values()):  # a window with too few rows is no measurement
            there = {name for ratios in days.values() for name in ratios} | set(report.results)
            monitors = [each for each in Monitor if each in there or each in EVERYWHERE]
            shown["weeks"] = charts.heat([Day(day, ratios) for day, ratios in days.items()], monitors)
    return shown | texts(user, found, check)


def shown_standing(user: User, found: Endpoint, wanted: str, requested: DriftReport | None) -> Standing:
    """The endpoint's state: the present one, the one after the report that the URL names, or after the
    requested report while there is no other. Raises Http404 for a missing report.
    """
    if wanted:
        return queries.standing_after(report_of(user, found, wanted))
    standing = queries.standing([found])[found.pk]
    return standing if standing.report or requested is None else queries.standing_after(requested)


def report_of(user: User, found: Endpoint, wanted: str) -> DriftReport:
    """The report that the address names. Raises Http404 for one that is not there."""
    try:
        uuid = UUID(wanted)
    except ValueError:
        raise Http404 from None
    rows = queries.measured(DriftReport, user).select_related("version", "baseline", "endpoint")
    report: DriftReport = policy.get_visible(user, rows.filter(endpoint=found), "drift.view", uuid=uuid)
    return report


def working(job: Job | None) -> Job | None:
    """The measurement that waits or runs."""
    return job if job and not job.is_finished else None


def why_not(user: User, found: Endpoint) -> str:
    """Why the person cannot have it measured now; empty where they can."""
    if not policy.can(user, "drift.measure", found):
        return "Only ML engineers, ML leads, and on-call can measure drift."
    return ""


def figures(report: DriftReport) -> list[Figure]:
    """The strip above the monitors."""
    base: Baseline | None = report.baseline
    known = base.calibration if base else None
    expected, f1 = (report.estimate or {}).get("accuracy"), (report.estimate or {}).get("macro_f1")
    found = [
        Figure("Predictions", count(report.rows), sub=f"{report.version.semver} in this window"),
        worst(report),
        estimated(
            "Expected accuracy",
            expected,
            known.get("sure", known)["accuracy"] if known else None,
            "; only predictions with a confidence" if known and "sure" in known else "",
        ),
    ]
    if known is None or not known.get("several"):
        found.append(estimated("Expected macro-F1", f1, known["macro_f1"] if known else None))
    return [*found, correct_figure(report.realised)]


def worst(report: DriftReport) -> Figure:
    """The monitor nearest to its limit, or beyond it."""
    if report.ratio is None:
        return Figure("Closest to its limit", None)
    return Figure("Closest to its limit", Monitor(report.worst).label, sub=judging.of_limit(report.ratio))


def correct_figure(measured: Mapping[str, Any] | None) -> Figure:
    """The feedback there was when the window was measured."""
    if not measured or measured["rows"] < FEEDBACK_LEAST:
        few = (
            f"{things(measured['rows'], 'prediction')} with feedback; {FEEDBACK_LEAST} needed"
            if measured
            else "no feedback yet"
        )
        return Figure("Correct (from feedback)", None, sub=few)
    interval = (
        f"{percent(measured['low'], 1)} to {percent(measured['high'], 1)} of {count(measured['rows'])},"
        f" {asked_by(measured['senders'])}"
    )
    return Figure("Correct (from feedback)", percent(measured["value"], 1), sub=f"{interval}, when measured")


def estimated(name: str, found: Mapping[str, Any] | None, known: float | None, of: str = "") -> Figure:
    """An estimate with its band and what the evaluation had. of: which predictions, if not all."""
    if not found:
        return Figure(name, None, sub="not estimated for this window")
    reference = f"; evaluation {percent(known, 1)}" if known is not None else ""
    return Figure(
        name,
        percent(found["value"], 1),
        sub=f"{percent(found['low'], 1)} to {percent(found['high'], 1)}{reference}{of}",
    )


# ── Monitors ────────────────────────────────────────────────────────────────
def monitor_lines(report: DriftReport | None, check: TextCheck | None) -> list[MonitorLine]:
    """The table of monitors: counts from the report, texts from the check beside it, marked where its window
    is another.
    """
    lines = []
    for shown in filter(None, (report, check)):
        past = queries.results_until(shown)
        lines += [
            monitor_line(each, shown.results[each] | other_window(shown, report), past)
            for each in Monitor
            if each in shown.results
        ]
    return lines


def other_window(shown: Measurement, report: DriftReport | None) -> dict[str, str]:
    """The window of a check of texts, where it is not that of the report."""
    if report is None or (shown.window_start, shown.window_end) == (report.window_start, report.window_end):
        return {}
    return {"window": f"Texts of {shown.window_start:%-d %b %H:%M} to {shown.window_end:%-d %b %H:%M} UTC."}


def monitor_line(monitor: Monitor, found: Mapping[str, Any], past: Sequence[Results]) -> MonitorLine:
    """One monitor."""
    mark = Mark(found["mark"])
    known = found["value"] is not None
    held = Held(found["held"]).label if found.get("held") else ""
    often = (
        f"{judging.how_often(found['overs'], found['of']).capitalize()}." if known and found["overs"] else ""
    )
    why = " ".join(filter(None, (found.get("window", ""), found["why"], f"{held}." if held else "", often)))
    ratios = [each.get(monitor, {}).get("ratio") for each in past]
    if not known:
        return MonitorLine(monitor, MARKS[mark], mark.label, "", "", "", "", "", why, ratios, hot=False)
    value, limit = judging.moved(monitor, found["value"]), judging.shown(monitor, found["limit"])
    rows, hot = f"{count(found['n'])} / {count(found['m'])}", mark in (Mark.DRIFT, Mark.WATCH)
    return MonitorLine(
        monitor,
        MARKS[mark],
        mark.label,
        value,
        limit,
        judging.chance(found["p"]),
        rows,
        judging.asked_by(found),
        why,
        ratios,
        hot,
    )


@dataclass(frozen=True, slots=True)
class HistogramPanel:
    """A chart of bins, and the bin that grew most: where to look for texts."""

    monitor: Monitor
    chart: Chart
    grown: str


def histograms(report: DriftReport) -> list[HistogramPanel]:
    """Evaluation and window, monitor by monitor."""
    drawn = [(each, report.bins[each]) for each in Monitor if each in report.bins]
    return [
        HistogramPanel(each, charts.bins(each, rows, report.results[each]), grown(rows, report.results[each]))
        for each, rows in drawn
    ]


def grown(rows: Sequence[Sequence[Any]], result: Mapping[str, Any]) -> str:
    """The bin whose share grew most."""
    before, now = charts.both_shares(rows, result)
    return str(rows[max(range(len(rows)), key=lambda at: now[at] - before[at])][0])


# ── Weeks ───────────────────────────────────────────────────────────────────
def accuracy(report: DriftReport, since: datetime) -> Chart | None:
    """Expected accuracy of the report's version by window, and the share correct by feedback by day; None
    where there is neither.
    """
    found, version = report.endpoint, report.version
    windows, cut = queries.estimates(found, version, since)
    points = [
        Accuracy(start, estimate["accuracy"] | {"rows": estimate["rows"]}, None)
        for start, estimate in windows
    ]
    days = traffic.series(found, since, timezone.now(), DAY)
    points += [
        Accuracy(point.start + DAY / 2, None, word)
        for point in days
        if (word := realised_accuracy(point, version.semver))
    ]
    if not points:
        return None
    known = report.baseline.calibration["accuracy"] if report.baseline else None
    return charts.accuracy(sorted(points, key=lambda each: each.at), known, windows[0][0] if cut else None)


def realised_accuracy(point: Point, semver: str) -> dict[str, Any] | None:
    """The share of a version's answers of a day that people called right, by now."""
    counts = merge(counts for (name, arm), counts in point.arms.items() if name == semver and arm != SHADOW)
    return measured_accuracy.realised(counts)


def orders(report: DriftReport, since: datetime) -> Chart | None:
    """Kendall's tau of the version's orders with those of feedback, by day; None without any."""
    found = answers.orders(report.endpoint, report.version, since, timezone.now())
    total = agreement.agreement(found)
    if total is None:
        return None
    return charts.agreement(
        agreement.by_day(found), total, report.version.evaluation.report.get("kendall_tau")
    )


# ── Texts ───────────────────────────────────────────────────────────────────
def texts(user: User, found: Endpoint, check: TextCheck | None) -> dict[str, Any]:
    """The words that distinguish the two sides, and the texts most typical of the window for those who may
    read them.
    """
    reads = traffic.reads_texts(user, found)
    shown: dict[str, Any] = {
        "reads": reads,
        "who_reads": sentence("traffic.read_texts"),
        "min_texts": MIN_TEXTS,
    }
    if check:
        shown |= {"check_mark": MARKS[State(check.state)], "typical": queries.typical_texts(check)}
    return shown


def behind(user: User, found: Endpoint, given: Mapping[str, str]) -> dict[str, Any]:
    """The newest texts of a bin of a report. given: report, monitor, bin; by default the newest, its first
    monitor, what grew most there.

    Raises Http404 for what is not there.
    """
    report = shown_standing(user, found, given.get("report", ""), queries.latest_requested(found)).report
    if report is None or not report.bins or report.baseline is None:
        return {"endpoint": found, "report": None}
    monitor = given.get("monitor") or next(each for each in Monitor if each in report.bins)
    if monitor not in report.bins:
        raise Http404
    names = [row[0] for row in report.bins[monitor]]
    result = report.results[monitor]
    name = given.get("bin") or grown(report.bins[monitor], result)
    span = Span(report.window_start, report.window_end)
    if name not in names:
        raise Http404
    if result.get("rates"):
        rows = answers.with_label(found, report.version, span, name, BEHIND)
    elif monitor not in bins.FIELD:
        rows = answers.with_figure(report, monitor, name, BEHIND)
    else:
        only = bins.answers_in(monitor, report.baseline.histograms, name)
        if only is None:
            raise Http404
        rows = answers.behind(found, report.version, span, only, BEHIND)
    return {
        "endpoint": found,
        "report": report,
        "monitor": Monitor(monitor),
        "bin": name,
        "bin_name": charts.named(name),
        "rows": rows,
        "bins": [(each, charts.named(each)) for each in names],
        "reads": traffic.reads_texts(user, found),
    }


# ── Beside other things ─────────────────────────────────────────────────────
def panel(found: Endpoint) -> dict[str, Any]:
    """The drift of an endpoint for its page."""
    standing = queries.standing([found])[found.pk]
    report, check = standing.report, standing.texts
    mark, word = marked(standing)
    return {
        "endpoint": found,
        "report": report,
        "check": check,
        "open": standing.open,
        "mark": mark,
        "word": word,
        "lines": monitor_lines(report, check),
        "expected": (report.estimate or {}).get("accuracy") if report else None,
    }
