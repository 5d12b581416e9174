"""The texts and the words of a window: for whoever looks at what is behind a figure. Callers ask the policy who may read texts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from monitoring.traffic.models import Feedback, Prediction
from registry.catalog.models import Endpoint, ModelVersion


@dataclass(frozen=True)
class Kept:
    """A text with what was answered. confidence: 0 to 1; key: digest of who asked, empty where nobody says so."""

    uuid: UUID
    text: str
    label: str
    confidence: float | None
    at: datetime
    key: str


@dataclass(frozen=True)
class Wrong(Kept):
    """The same, called wrong. right: the label that somebody gave, or ""."""

    right: str


def texts(endpoint: Endpoint, since: datetime, until: datetime, limit: int, version: ModelVersion | None = None) -> list[Kept]:
    """The newest kept texts of [since, until), newest first. By index; at most `limit`."""
    rows = kept(endpoint, since, until)
    if version:
        rows = rows.filter(version=version)
    values = rows.order_by("-at", "-id").values_list("uuid", "text", "label", "confidence", "at", "key")[:limit]
    return [Kept(uuid, text or "", label, share, at, key) for uuid, text, label, share, at, key in values]


def called_wrong(endpoint: Endpoint, since: datetime, until: datetime, limit: int, version: ModelVersion) -> list[Wrong]:
    """A version's answers of [since, until) that the newest word calls wrong and whose texts are kept, newest first; at most `limit`."""
    rows = wrong_words(endpoint, since, until, version).filter(prediction__text__isnull=False)
    columns = [f"prediction__{name}" for name in ("uuid", "text", "label", "confidence", "at", "key")]
    return [Wrong(*row) for row in rows.order_by("-predicted_at", "-id").values_list(*columns, "label")[:limit]]


def judged(endpoint: Endpoint, since: datetime, until: datetime, limit: int, version: ModelVersion) -> list[tuple[str, bool]]:
    """(sticky key, whether it is correct) of a version's predictions of [since, until) with feedback, newest first; at most `limit`."""
    rows = newest_words(endpoint, since, until, version).order_by("-predicted_at", "-id")
    return list(rows.values_list("prediction__key", "right")[:limit])


def wrong_without_text(endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion) -> int:
    """How many of them have no text any more, or never had one."""
    return wrong_words(endpoint, since, until, version).filter(prediction__text__isnull=True).count()


def kept(endpoint: Endpoint, since: datetime, until: datetime) -> QuerySet[Prediction]:
    """Answered predictions of a window whose texts are kept."""
    return Prediction.objects.filter(endpoint=endpoint, at__gte=since, at__lt=until, text__isnull=False).exclude(label="")


def wrong_words(endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion) -> QuerySet[Feedback]:
    """The newest word on each prediction of a window, where it says wrong."""
    return newest_words(endpoint, since, until, version).filter(right=False)


def newest_words(endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion) -> QuerySet[Feedback]:
    """The newest word on each prediction of a window."""
    newest = Feedback.objects.filter(prediction=OuterRef("prediction")).order_by("-id").values("id")[:1]
    rows = Feedback.objects.filter(endpoint=endpoint, predicted_at__gte=since, predicted_at__lt=until, prediction__version=version)
    return rows.filter(id=Subquery(newest))
