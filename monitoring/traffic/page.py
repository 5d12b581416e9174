"""What the pages of traffic show. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, decimals, percent
from monitoring.traffic import charts, queries
from monitoring.traffic.forms import FeedbackForm
from monitoring.traffic.models import Prediction
from monitoring.traffic.queries import Total
from monitoring.traffic.rules import DAY, HOUR, MINUTE, floor
from registry.access import policy
from registry.access.models import User
from registry.catalog.models import Endpoint


@dataclass(frozen=True)
class Window:
    """A stretch of time up to now, in steps."""

    key: str
    label: str
    length: timedelta
    step: timedelta


WINDOWS = {
    window.key: window
    for window in (
        Window("1h", "1 hour", HOUR, MINUTE),
        Window("24h", "24 hours", DAY, 15 * MINUTE),
        Window("7d", "7 days", 7 * DAY, 2 * HOUR),
        Window("30d", "30 days", 30 * DAY, 12 * HOUR),
    )
}


def panels(endpoint: Endpoint, key: str) -> dict[str, Any]:
    """The figures and charts of a window; key: 1h, 24h or 7d, the first where it is something else."""
    window = WINDOWS.get(key, WINDOWS["1h"])
    until = floor(timezone.now(), window.step) + window.step
    points = queries.series(endpoint, until - window.length, until, window.step)
    total = queries.whole(points)
    measured = any(point.arms for point in points)
    shown = {"endpoint": endpoint, "window": window, "windows": list(WINDOWS.values()), "total": total, "measured": measured}
    if measured:
        shown |= {"figures": figures(total), "charts": [draw(points, total) for draw in (charts.volume, charts.latency, charts.errors)]}
    return shown


def figures(total: Total) -> list[Figure]:
    """The strip above the charts."""
    interval = total.right_interval
    called = total.right + total.wrong
    return [
        Figure("Requests", count(total.requests), sub=f"{decimals(total.per_minute or 0.0, 1)} a minute"),
        Figure("p50 latency", number(total.p50_ms), "ms", "in the server"),
        Figure("p95 latency", number(total.p95_ms), "ms", "in the server"),
        Figure("Errors", percent(total.error_share, 2), sub=f"{count(total.errors)} requests"),
        Figure(
            "Called right", percent(total.right_share, 1) if called else None,
            sub=f"{percent(interval[0], 1)} to {percent(interval[1], 1)} of {count(called)}" if interval else "no feedback yet",
        ),
    ]  # fmt: skip


def number(value: float | None) -> str | None:
    """A figure, or None where nothing was measured."""
    return None if value is None else decimals(value, 1)


def recent(user: User, endpoint: Endpoint, given: Mapping[str, str]) -> dict[str, Any]:
    """One page of predictions by keyset; with `few`, the newest of them beside other things."""
    key, few = read_key(given.get("before", "")), "few" in given
    rows, older = queries.recent(user, endpoint, key, queries.FEW if few else queries.PAGE)
    after = f"?before={older[0].strftime('%Y-%m-%dT%H:%M:%S.%fZ')}_{older[1]}" if older else ""
    return {
        "endpoint": endpoint, "rows": rows, "reads": queries.reads_texts(user, endpoint), "few": few,
        "pager": {"previous": "?" if key else "", "next": after, "about": None},
    }  # fmt: skip


def read_key(text: str) -> tuple[datetime, int] | None:
    """The place to go on before, as the page before wrote it; None for anything else."""
    at, _, pk = text.partition("_")
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    try:
        moment = parse_datetime(at)
    except ValueError:
        return None
    return (moment, int(pk)) if moment and moment.tzinfo else None


def prediction(user: User, found: Prediction, form: FeedbackForm | None = None) -> dict[str, Any]:
    """One prediction with what was said of it."""
    labels = queries.labels_of(found.version) if found.version else []
    return {
        "prediction": found, "reads": queries.reads_texts(user, found.endpoint), "history": queries.history(found),
        "form": form or FeedbackForm(labels=labels), "may_say": policy.can(user, "traffic.record_feedback", found),
        "endpoint_url": find_url("endpoints:detail", uuid=found.endpoint.uuid),
        "version_url": find_url("catalog:version", uuid=found.version.uuid) if found.version else "",
        "trace_url": find_url("trace:prediction", uuid=found.uuid) if found.version else "",
        "deployment": queries.deployment_of(found),
    }  # fmt: skip
