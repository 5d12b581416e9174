"""Reading traffic: figures from rollups, lists by keyset, texts only for those who may read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from lifecycle.engine.calibration import wilson
from monitoring.traffic import histogram
from monitoring.traffic.models import Feedback, MinuteRollup, Prediction
from registry.access import policy
from registry.access.models import User
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment

PAGE, FEW = 30, 8


@dataclass(frozen=True)
class Summary:
    """The figures of a window. Rates are per minute of the window; None where nothing was measured."""

    requests: int
    errors: int
    right: int
    wrong: int
    p50_ms: float | None
    p95_ms: float | None
    minutes: float
    labels: dict[str, int]

    @property
    def error_share(self) -> float | None:
        """0 to 1."""
        return self.errors / self.requests if self.requests else None

    @property
    def right_share(self) -> float | None:
        """Of the answers that somebody called right or wrong, 0 to 1."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def right_interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval of right_share."""
        return wilson(self.right, self.right + self.wrong) if self.right + self.wrong else None

    @property
    def per_minute(self) -> float:
        """Requests a minute, over the whole window."""
        return self.requests / self.minutes


@dataclass(frozen=True)
class Window:
    """A stretch of time up to now, in steps. Days as pages name them."""

    key: str
    label: str
    length: timedelta
    step: timedelta


WINDOWS = {
    window.key: window
    for window in (
        Window("1h", "1 hour", timedelta(hours=1), timedelta(minutes=1)),
        Window("24h", "24 hours", timedelta(hours=24), timedelta(minutes=15)),
        Window("7d", "7 days", timedelta(days=7), timedelta(hours=2)),
    )
}


@dataclass(frozen=True)
class Point:
    """One step of a window. requests_by_version: semver → count, "" for requests that no version answered."""

    start: datetime
    requests: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    requests_by_version: dict[str, int]


def points(rows: Iterable[MinuteRollup], window: Window, now: datetime) -> list[Point]:
    """The minutes added up by step, from the window's begin to now; steps in which nothing happened are points of zero requests."""
    begin = floor(now - window.length, window.step) + window.step
    grouped: dict[datetime, list[MinuteRollup]] = {}
    for row in rows:
        grouped.setdefault(floor(row.minute, window.step), []).append(row)
    steps = int((now - begin) / window.step) + 1
    return [point(begin + at * window.step, grouped.get(begin + at * window.step, [])) for at in range(steps)]


def point(start: datetime, rows: list[MinuteRollup]) -> Point:
    """The minutes of one step as one."""
    latency = histogram.merge(row.latency for row in rows)
    by_version: dict[str, int] = {}
    for row in rows:
        name = row.version.semver if row.version else ""
        by_version[name] = by_version.get(name, 0) + row.requests
    return Point(
        start, sum(row.requests for row in rows), sum(row.errors for row in rows), histogram.quantile(latency, 0.5),
        histogram.quantile(latency, 0.95), by_version,
    )  # fmt: skip


def floor(moment: datetime, step: timedelta) -> datetime:
    """The begin of the step that holds a moment; steps are counted from midnight UTC."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((moment - midnight) // step) * step


def rollups(endpoint: Endpoint, since: datetime) -> QuerySet[MinuteRollup]:
    """The minutes of an endpoint since a moment, oldest first."""
    return MinuteRollup.objects.filter(endpoint=endpoint, minute__gte=since).select_related("version").order_by("minute", "id")


def summary(rows: Iterable[MinuteRollup], window: timedelta) -> Summary:
    """Minutes added up."""
    rows = list(rows)
    latency = histogram.merge(row.latency for row in rows)
    return Summary(
        requests=sum(row.requests for row in rows),
        errors=sum(row.errors for row in rows),
        right=sum(row.right for row in rows),
        wrong=sum(row.wrong for row in rows),
        p50_ms=histogram.quantile(latency, 0.5),
        p95_ms=histogram.quantile(latency, 0.95),
        minutes=window.total_seconds() / 60,
        labels=histogram.merge(row.labels for row in rows),
    )


def visible(user: User) -> QuerySet[Prediction]:
    """Predictions that the user may see, with their newest feedback."""
    newest = Feedback.objects.filter(prediction=OuterRef("pk")).order_by("-id")
    rows = policy.visible_to(user, Prediction, "traffic.view").select_related("endpoint__model__project", "version__model")
    return rows.annotate(feedback_right=Subquery(newest.values("right")[:1]), feedback_label=Subquery(newest.values("label")[:1]))


def find(user: User, prediction_id: UUID) -> Prediction | None:
    """The prediction, if it is there and the user may see it."""
    return visible(user).filter(uuid=prediction_id).first()


def recent(
    user: User, endpoint: Endpoint, before: tuple[datetime, int] | None = None, size: int = PAGE
) -> tuple[list[Prediction], tuple[datetime, int] | None]:
    """One page of an endpoint's predictions, newest first, and the key of the next. Texts are blanked for those who may not read them."""
    rows = visible(user).filter(endpoint=endpoint).order_by("-at", "-id")
    if before:
        rows = rows.filter(at__lte=before[0]).exclude(at=before[0], id__gte=before[1])
    found = list(rows[: size + 1])
    page = found[:size]
    if not reads_texts(user, endpoint):
        for row in page:
            row.text = None
    return page, (page[-1].at, page[-1].pk) if len(found) > size else None


def reads_texts(user: User, endpoint: Endpoint) -> bool:
    """Whether the user's role reads the texts of this endpoint's requests."""
    return policy.can(user, "traffic.read_texts", endpoint)


def history(prediction: Prediction) -> list[Feedback]:
    """What was said of a prediction, newest first."""
    return list(prediction.feedback.select_related("user").order_by("-id")[:PAGE])


def newest_feedback(prediction: Prediction) -> Feedback | None:
    """The word that counts."""
    return prediction.feedback.order_by("-id").first()


def labels_of(version: ModelVersion) -> list[str]:
    """The labels that a version answers with, in its order."""
    return list(version.facts.get("snapshot", {}).get("labels", []))


def deployment_of(prediction: Prediction) -> Deployment | None:
    """The interval in which the version answered: the newest of that version that had begun by then."""
    rows = Deployment.objects.filter(endpoint=prediction.endpoint_id, version=prediction.version_id, started_at__lte=prediction.at)
    return rows.order_by("-id").first()
