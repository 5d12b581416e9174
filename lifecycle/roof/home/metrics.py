"""The site's Prometheus metrics beside request counts: jobs, workers, runs, ingest, alerts, from the database
and the spool.

Workers have no port of their own, so that one target serves them all. Every statement here is bounded by an
index or by a limit.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db.models import Count, Max, Min
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import FINAL, Queue, State
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.roof.home import counting
from monitoring.alerts.models import Alert, Heartbeat
from monitoring.alerts.queries import burn_rates
from monitoring.alerts.rules.state import Severity
from monitoring.alerts.rules.state import State as AlertState
from monitoring.traffic.models import Prediction

RECENT = 500
log = logging.getLogger("lifecycle.metrics")

Rows = Iterable[tuple[tuple[str, ...], float]]


def families() -> list[Metric]:
    """All metrics. A part that can't be read is left out and named in lifecycle_scrape_problem; the rest is
    still exported.
    """
    found, problems = [*counting.families()], []
    for name, part in PARTS.items():
        try:
            found += part(timezone.now())
            problems.append(((name,), 0.0))
        except (
            Exception
        ) as error:  # whatever is wrong with one part, the others are what is looked at just then
            log.error("event=metrics_failed part=%s kind=%s", name, type(error).__name__)
            problems.append(((name,), 1.0))
    return [*found, family("scrape_problem", "1 if a part couldn't be read.", ("part",), problems)]


def family(name: str, help_text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    """A gauge with its values by label."""
    made = GaugeMetricFamily(f"lifecycle_{name}", help_text, labels=labels)
    for key, value in rows:
        made.add_metric(key, value)
    return made


def jobs(now: datetime) -> list[Metric]:
    """Queued and running jobs, the wait of the oldest, heartbeats, and how the newest ended."""
    open_ = Job.objects.filter(state__in=[State.QUEUED, State.RUNNING]).order_by()
    counts = {
        (row["queue"], row["state"]): row["n"]
        for row in open_.values("queue", "state").annotate(n=Count("pk"))
    }
    waiting = Job.objects.filter(state=State.QUEUED, available_at__lte=now).order_by()
    since = {
        row["queue"]: row["since"] for row in waiting.values("queue").annotate(since=Min("available_at"))
    }
    running = Job.objects.filter(state=State.RUNNING, heartbeat_at__isnull=False).order_by()
    heartbeats = {
        row["queue"]: row["oldest"] for row in running.values("queue").annotate(oldest=Min("heartbeat_at"))
    }
    newest = Counter(Job.objects.order_by("-id").values_list("queue", "state")[:RECENT])
    states = (State.QUEUED, State.RUNNING)
    return [
        family(
            "jobs",
            "Queued and running jobs.",
            ("queue", "state"),
            [((queue, state), counts.get((queue, state), 0)) for queue in Queue.values for state in states],
        ),
        family(
            "jobs_oldest_seconds",
            "Wait of the oldest job that is ready to run.",
            ("queue",),
            ages(since, now),
        ),
        family(
            "worker_heartbeat_age_seconds",
            "Age of the oldest heartbeat of a running job.",
            ("queue",),
            ages(heartbeats, now),
        ),
        family(
            "jobs_recent",
            f"How the newest {RECENT} jobs ended.",
            ("queue", "state"),
            [((queue, state), newest[queue, state]) for queue in Queue.values for state in sorted(FINAL)],
        ),
    ]


def ages(since: dict[str, datetime], now: datetime) -> Rows:
    """Seconds by queue, 0 where there is none."""
    return [
        ((queue,), max(0.0, (now - since[queue]).total_seconds()) if queue in since else 0.0)
        for queue in Queue.values
    ]


def runs(_now: datetime) -> list[Metric]:
    """Fine-tuning runs by state."""
    counts = {
        row["state"]: row["n"] for row in Run.objects.order_by().values("state").annotate(n=Count("pk"))
    }
    return [
        family(
            "training_runs",
            "Fine-tuning runs by state.",
            ("state",),
            [((state,), counts.get(state, 0)) for state in RunState.values],
        )
    ]


def ingest(now: datetime) -> list[Metric]:
    """Spool files that aren't ingested yet, and the age of the newest prediction."""
    found = []
    for path in (Path(settings.DATA_DIR) / "spool").glob("*.jsonl"):
        with suppress(FileNotFoundError):  # ingested since it was listed
            found.append((path.stat().st_mtime, path.stat().st_size))
    lag = now.timestamp() - min(time for time, _ in found) if found else 0.0
    newest = Prediction.objects.order_by("-pk").values_list("at", flat=True).first()
    age = [((), max(0.0, (now - newest).total_seconds()))] if newest else []
    return [
        family(
            "ingest_lag_seconds",
            "Age of the oldest spool segment not yet ingested.",
            (),
            [((), max(0.0, lag))],
        ),
        family(
            "spool_bytes", "Size of the spool not yet ingested.", (), [((), sum(size for _, size in found))]
        ),
        family("predictions_newest_age_seconds", "Age of the newest ingested prediction.", (), age),
    ]


def alerts(now: datetime) -> list[Metric]:
    """Burn rates, open alerts, and the time of the last evaluation."""
    burns = [((row["endpoint"], row["slo"], row["window"]), row["value"]) for row in burn_rates()]
    open_ = (
        Alert.objects.exclude(state=AlertState.RESOLVED).order_by().values("severity").annotate(n=Count("pk"))
    )
    counts = {row["severity"]: row["n"] for row in open_}
    beats = Heartbeat.objects.order_by().values("name").annotate(last=Max("at"))
    return [
        family(
            "slo_burn_rate",
            "Burn rate of an error budget; at 1 it lasts exactly its window.",
            ("endpoint", "slo", "window"),
            burns,
        ),
        family(
            "alerts_open",
            "Unresolved alerts.",
            ("severity",),
            [((kind,), counts.get(kind, 0)) for kind in Severity.values],
        ),
        family(
            "heartbeat_age_seconds",
            "Age of the last completed run.",
            ("name",),
            [((row["name"],), max(0.0, (now - row["last"]).total_seconds())) for row in beats],
        ),
    ]


PARTS: dict[str, Callable[[datetime], list[Metric]]] = {
    "jobs": jobs,
    "training": runs,
    "ingest": ingest,
    "alerts": alerts,
}
