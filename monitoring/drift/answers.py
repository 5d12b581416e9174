"""Single predictions of windows: samples, those behind a bin, and orders by feedback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db.models import Q, QuerySet

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.watched import watched_of
from lifecycle.runtime.task_types.watched import Figure
from monitoring.drift.agreement import Order
from monitoring.drift.measuring import figures
from monitoring.drift.measuring.figures import Figures
from monitoring.drift.models import DriftReport
from monitoring.drift.rules import Span
from monitoring.drift.senders import SAMPLE, of_answers
from monitoring.traffic import queries as traffic
from monitoring.traffic.models import Prediction
from registry.catalog.models import Endpoint, ModelVersion

LOOKED_AT = 2000  # predictions of a window in which those with a label or a figure are searched
ORDERS = 5000


def watched_figures(version: ModelVersion) -> tuple[Figure, ...]:
    """The figures of single predictions that the version's task has."""
    watched = watched_of(traffic.task_of(version).key)
    return watched.figures if watched else ()


def figures_of(endpoint: Endpoint, version: ModelVersion, span: Span, answers: int) -> Figures:
    """The figures and the senders of about 10,000 predictions sampled from the window; senders are None
    where unknown, or where no prediction is stored.
    """
    rows = traffic.sampled(endpoint, span.start, span.end, version, SAMPLE, answers)
    return figures.of_sample(watched_figures(version), rows, of_answers(rows))


def behind(endpoint: Endpoint, version: ModelVersion, span: Span, only: Q, limit: int) -> list[Prediction]:
    """The newest answers of a window that are in a bin. only: which answers, as a condition on Prediction."""
    return list(answered(endpoint, version, span).filter(only)[:limit])


def answered(endpoint: Endpoint, version: ModelVersion, span: Span) -> QuerySet[Prediction]:
    """The predictions of a version in a window, newest first."""
    rows = Prediction.objects.filter(
        endpoint=endpoint, version=version, at__gte=span.start, at__lt=span.end, code__lt=400
    )
    return rows.order_by("-at", "-id")


def with_label(
    endpoint: Endpoint, version: ModelVersion, span: Span, label: str, limit: int
) -> list[Prediction]:
    """The newest answers of a window that have a label among others; of the newest LOOKED_AT alone."""
    task = traffic.task_of(version)
    return among_newest(
        endpoint,
        version,
        span,
        lambda name, value, _: label in traffic.labels_in(task, name, value),
        limit,
    )


def with_figure(report: DriftReport, monitor: str, name: str, limit: int) -> list[Prediction]:
    """The newest answers of a report's window whose figure is in a bin; of the newest LOOKED_AT alone."""
    (figure,) = (each for each in watched_figures(report.version) if each.name == monitor)
    known = report.baseline.histograms[monitor] if report.baseline else {}

    def fits(_: str, value: Value | None, chars: int) -> bool:
        return figures.name_of(monitor, known, figures.fine_of(figure, value, chars)) == name

    span = Span(report.window_start, report.window_end)
    return among_newest(report.endpoint, report.version, span, fits, limit)


def among_newest(
    endpoint: Endpoint,
    version: ModelVersion,
    span: Span,
    fits: Callable[[str, Value | None, int], bool],
    limit: int,
) -> list[Prediction]:
    """The newest answers of a window that fit by label, value, and characters; of the newest LOOKED_AT
    alone, since that takes reading each.
    """
    newest = answered(endpoint, version, span).values_list("pk", "label", "value", "chars")[:LOOKED_AT]
    found = [pk for pk, label, value, chars in newest if fits(label, value, chars)]
    return list(answered(endpoint, version, span).filter(pk__in=found[:limit]))


def orders(endpoint: Endpoint, version: ModelVersion, since: datetime, until: datetime) -> list[Order]:
    """The newest feedback on each prediction of [since, until), of the newest 5,000, oldest first; in one
    statement. Empty for a task without orders.
    """
    watched = watched_of(traffic.task_of(version).key)
    if watched is None or not watched.orders:
        return []
    rows = traffic.latest_feedback(endpoint, since, until, version).order_by("-predicted_at", "-id")
    columns = ("predicted_at", "prediction__key", "right", "prediction__value", "value")
    newest = list(rows.values_list(*columns)[:ORDERS])[::-1]
    known = [
        at for at, (*_, right, predicted, value) in enumerate(newest) if not right and predicted and value
    ]
    taus = watched.taus([newest[at][3] for at in known], [newest[at][4] for at in known])
    tau = dict(zip(known, taus.tolist(), strict=True))
    return [
        Order(moment, key, 1.0 if right else tau.get(at))
        for at, (moment, key, right, *_) in enumerate(newest)
    ]
