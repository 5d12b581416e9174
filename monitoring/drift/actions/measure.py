"""Measuring a window of an endpoint, and what follows from it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from lifecycle.ground.notices.outbox import append
from lifecycle.runtime.refusals import Refusal
from monitoring.drift import answers, judging, queries
from monitoring.drift.actions.baseline import UNREADABLE, baseline
from monitoring.drift.cbpe import Estimate
from monitoring.drift.judging import JudgedMonitor
from monitoring.drift.measuring import accuracy, bins, figures, shifts
from monitoring.drift.measuring.figures import Figures
from monitoring.drift.measuring.measured import Measured, Reference
from monitoring.drift.models import Baseline, DriftReport, Episode, Measurement
from monitoring.drift.rules import FAR, OUTSIDE_MOST, Monitor, Span, State
from monitoring.traffic import queries as traffic
from monitoring.traffic.counts import Counts
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.queries.deployments import live_deployment
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a window contains, before it is judged."""

    found: Sequence[Measured]
    estimate: dict[str, Any] | None
    realised: dict[str, Any] | None


def measure(
    endpoint: Endpoint,
    version: ModelVersion,
    span: Span,
    *,
    counts: Counts | None = None,
    requested: bool = False,
) -> DriftReport:
    """Compare a window of a version's answers with its baseline; the same window again is the same report.

    counts: of the window, where the caller has read them. requested: someone wants to know now; such a report
    opens and closes nothing. A baseline that can't be made gives a failed report.
    """
    known = queries.report_of(endpoint, version, span, requested=requested)
    if known:
        return known
    counts = counts if counts is not None else traffic.total(endpoint, span.start, span.end, version)
    try:
        base = baseline(version)
    except UNREADABLE as error:
        log.warning("drift_baseline_failed version=%s error=%s", version.uuid, type(error).__name__)
        return write_failed(endpoint, version, span, counts.answers, error, requested)
    reading = read(
        endpoint, version, base, span, counts, answers.figures_of(endpoint, version, span, counts.answers)
    )
    return write(endpoint, version, base, span, counts, reading, requested)


def look(endpoint: Endpoint, version: ModelVersion, span: Span, counts: Counts) -> DriftReport | None:
    """Compare an hour between the windows, so that an abrupt shift need not wait for the end of one; kept
    only where it opens something.

    A report that is kept is marked: the next window is due as it would have been, and later windows are
    judged without it. Senders only lower a ratio, so single predictions are read only where it was far off
    without them, or where the task has figures of them.
    """
    try:
        base = baseline(version)
    except UNREADABLE:  # the next window says so
        return None
    if not answers.watched_figures(version):
        reading = read(endpoint, version, base, span, counts)
        if not any(each.value is not None and each.ratio >= FAR for each in reading.found):
            return None
    single = answers.figures_of(endpoint, version, span, counts.answers)
    reading = read(endpoint, version, base, span, counts, single)
    with transaction.atomic():
        lock(endpoint)
        results = judged(DriftReport, endpoint, version, span, reading.found, acts=True)
        if not any(each.opens and each.judgement and each.judgement.abrupt for each in results):
            return None
        return keep(endpoint, version, base, span, counts, reading, results, between=True)


# ── Reading: nothing of it under a lock ─────────────────────────────────────
def read(
    endpoint: Endpoint,
    version: ModelVersion,
    base: Baseline,
    span: Span,
    counts: Counts,
    single: Figures = figures.UNREAD,
) -> Reading:
    """Every monitor of the counts and of single predictions, the expected accuracy, and the feedback so
    far.
    """
    reference, senders = Reference(base.rows, base.histograms, base.calibration), single.senders
    found = [
        shifts.measure(monitor, reference, counts, senders)
        for monitor, field in bins.FIELD.items()
        if field in base.histograms
    ]
    found += [
        figures.measure(name, reference, counts.answers, single)
        for name in single.values
        if name in base.histograms
    ]
    realised = accuracy.realised(counts)
    outside = queries.outside_share(endpoint, version, span.end) or 0.0
    expected = None if outside > OUTSIDE_MOST else accuracy.expected_accuracy(reference, counts, senders)
    found.append(accuracy.measure_fall(reference, counts, senders, outside))
    return Reading(found, estimate(reference, endpoint, version, span, expected, counts), realised)


def estimate(
    reference: Reference,
    endpoint: Endpoint,
    version: ModelVersion,
    span: Span,
    expected: Estimate | None,
    counts: Counts,
) -> dict[str, Any] | None:
    """Expected accuracy and macro-F1, each {value, low, high} or None; None where nothing can be
    estimated.
    """
    if expected is None or not reference.calibration["spread"]:
        return None
    f1 = accuracy.expected_f1(reference, queries.scores_of(endpoint, version, span, counts.answers))
    return {
        "accuracy": asdict(expected),
        "macro_f1": asdict(f1) if f1 else None,
        "rows": sum(counts.confidence.values()),
    }


# ── Writing ─────────────────────────────────────────────────────────────────
@transaction.atomic
def write(
    endpoint: Endpoint,
    version: ModelVersion,
    base: Baseline,
    span: Span,
    counts: Counts,
    reading: Reading,
    requested: bool,
) -> DriftReport:
    """Judge a window beside those before it, and keep what follows."""
    lock(endpoint)
    known = queries.report_of(endpoint, version, span, requested=requested)
    if known:
        return known
    results = judged(DriftReport, endpoint, version, span, reading.found, acts=not requested)
    return keep(endpoint, version, base, span, counts, reading, results, requested=requested)


def keep(
    endpoint: Endpoint,
    version: ModelVersion,
    base: Baseline,
    span: Span,
    counts: Counts,
    reading: Reading,
    results: Sequence[JudgedMonitor],
    *,
    requested: bool = False,
    between: bool = False,
) -> DriftReport:
    """The report of a window that was judged, and what follows from it."""
    report = DriftReport.objects.create(
        **common(endpoint, version, base, span, results, counts.answers, requested),
        between=between,
        estimate=reading.estimate,
        realised=reading.realised,
        bins={each.monitor: each.rows for each in reading.found if each.bins},
    )
    if not requested:
        follow(report, results)
    return report


@transaction.atomic
def write_failed(
    endpoint: Endpoint, version: ModelVersion, span: Span, rows: int, error: Exception, requested: bool
) -> DriftReport:
    """A report that gives the reason why nothing was measured."""
    lock(endpoint)
    reason = error.message if isinstance(error, Refusal) else "Its file can't be read."
    made, _ = DriftReport.objects.get_or_create(
        endpoint=endpoint,
        version=version,
        window_start=span.start,
        window_end=span.end,
        requested=requested,
        defaults={
            "rows": rows,
            "state": State.FAILED,
            "why": f"The evaluation of {version.semver} can't be used. {reason}"[:500],
        },
    )
    return made


def lock(endpoint: Endpoint) -> None:
    """One at a time judges an endpoint: what opens depends on the windows before."""
    Endpoint.objects.select_for_update(of=("self",), no_key=True).get(pk=endpoint.pk)


def judged(
    model: type[Measurement],
    endpoint: Endpoint,
    version: ModelVersion,
    span: Span,
    found: Sequence[Measured],
    *,
    acts: bool,
) -> list[JudgedMonitor]:
    """What a window means, beside the windows of the same version before it. What is not live opens nothing:
    nothing could close it.
    """
    acts = acts and (live := live_deployment(endpoint)) is not None and live.version_id == version.pk
    was_open = {row.monitor for row in queries.open_episodes(endpoint) if row.version_id == version.pk}
    return judging.assess(found, queries.results_before(model, endpoint, version, span), was_open, acts=acts)


def common(
    endpoint: Endpoint,
    version: ModelVersion,
    base: Baseline,
    span: Span,
    results: Sequence[JudgedMonitor],
    rows: int,
    requested: bool,
) -> dict[str, Any]:
    """The columns that every measurement has."""
    worst = judging.worst_of(results)
    return {
        "endpoint": endpoint,
        "version": version,
        "baseline": base,
        "window_start": span.start,
        "window_end": span.end,
        "requested": requested,
        "rows": rows,
        "state": judging.state_of(results),
        "results": {each.measured.monitor: each.plain() for each in results},
        "worst": worst.measured.monitor if worst else "",
        "ratio": worst.measured.ratio if worst else None,
        "why": judging.sentence(results, rows),
    }


def follow(report: Measurement, results: Sequence[JudgedMonitor]) -> None:
    """Open and close episodes after a window, and publish what those that stay open measure now."""
    close_left(report.endpoint, report.window_end)
    still = {row.monitor: row for row in queries.open_episodes(report.endpoint)}
    for each in results:
        other = still.get(each.measured.monitor)
        if each.opens and other is None:
            open_episode(report, each)
        elif each.closes and other is not None and other.version_id == report.version_id:
            close(other, report.window_end, "Three windows in a row were well below the limit.", report)
        elif other is not None and other.version_id == report.version_id and each.judgement is not None:
            append("drift.measured", project=other.endpoint.model.project, **facts_of(other, report))


def close_left(endpoint: Endpoint, now: datetime) -> None:
    """End the episodes of versions that are not live any more: no window can clear them. The caller holds the
    endpoint's lock.
    """
    live = live_deployment(endpoint)
    for row in queries.open_episodes(endpoint):
        if live is None or row.version_id != live.version_id:
            close(row, now, f"{live.version.semver} replaced it." if live else "No version is live.")


def open_episode(report: Measurement, result: JudgedMonitor) -> Episode:
    """Open an episode of a monitor, with its event and its outbox row."""
    found = result.measured
    if found.value is None or found.limit is None:
        raise ValueError(f"{found.monitor} was not measured, so it cannot open.")
    row = Episode.objects.create(
        endpoint=report.endpoint,
        version=report.version,
        monitor=found.monitor,
        value=found.value,
        limit=found.limit,
        opened_at=report.window_end,
    )
    log_episode("drift.opened", Verb.DRIFT_OPENED, row, report)
    return row


def close(row: Episode, at: datetime, reason: str, report: Measurement | None = None) -> None:
    """End an episode. report: the window that ended it, if one did."""
    row.closed_at, row.end_reason = max(at, row.opened_at), reason
    row.save(update_fields=["closed_at", "end_reason"])
    log_episode("drift.closed", Verb.DRIFT_CLOSED, row, report)


def log_episode(topic: str, verb: Verb, row: Episode, report: Measurement | None) -> None:
    """Write the event and the outbox row of an episode's start or end."""
    project, facts = row.endpoint.model.project, facts_of(row, report)
    append(topic, project=project, **facts, **({"reason": row.end_reason} if row.end_reason else {}))
    record(
        None,
        verb,
        row,
        project=project.uuid,
        **facts,
        report=report.uuid if report else None,
        why=row.end_reason,
    )


def facts_of(row: Episode, report: Measurement | None) -> dict[str, Any]:
    """What an episode's monitor measured in a window, else in the one that opened it; of accuracy with the
    share itself, which objectives are about.
    """
    now = report.result(row.monitor) if report else {}
    facts = {
        "endpoint": str(row.endpoint.uuid),
        "version": str(row.version.uuid),
        "monitor": row.monitor,
        "value": now.get("value", row.value),
        "limit": now.get("limit", row.limit),
        "episode": str(row.uuid),
    }
    if report and report.baseline and row.monitor == Monitor.ACCURACY:
        facts["accuracy"] = report.baseline.calibration["accuracy"] - facts["value"]
    return facts
