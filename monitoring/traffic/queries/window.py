"""The texts and the words of a window: for whoever looks at what is behind a figure. Callers ask the policy who may read texts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery

from monitoring.traffic.models import Feedback, Prediction
from registry.catalog.models import Endpoint, ModelVersion

LIMIT = 1000


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
class Unsure(Kept):
    """The same, and why it is worth a look: called wrong (then `right` is the label that somebody gave, or ""), or little confidence."""

    wrong: bool
    right: str


@dataclass(frozen=True)
class Judged:
    """A prediction and the newest word on it. truth: the right label; "" where the answer was wrong and nobody said what is right."""

    prediction: UUID
    version: int | None
    deployment: int | None
    arm: str
    key: str
    at: datetime
    label: str
    confidence: float | None
    right: bool
    truth: str
    kind: str
    said_at: datetime


def texts(endpoint: Endpoint, since: datetime, until: datetime, limit: int, version: ModelVersion | None = None) -> list[Kept]:
    """The newest kept texts of [since, until), newest first. By index; at most `limit`."""
    rows = kept(endpoint, since, until)
    if version:
        rows = rows.filter(version=version)
    values = rows.order_by("-at", "-id").values_list("uuid", "text", "label", "confidence", "at", "key")[:limit]
    return [Kept(*row) for row in values]


def wrong_or_unsure(endpoint: Endpoint, since: datetime, until: datetime, limit: int) -> list[Unsure]:
    """What a retraining should look at first: answers called wrong, newest first, then the least confident ones of the window.

    Only answers whose texts are kept; no prediction twice; answers called right are not among the unsure. At most `limit`.
    """
    called = newest_words(endpoint, since, until).filter(right=False, prediction__text__isnull=False)
    columns = [f"prediction__{name}" for name in ("uuid", "text", "label", "confidence", "at")]
    wrong = called.values_list(*columns, "label")[:limit]
    found = [Unsure(uuid, text, label, confidence, at, True, right) for uuid, text, label, confidence, at, right in wrong]
    if len(found) < limit:
        judged = Feedback.objects.filter(prediction=OuterRef("pk")).order_by("-id")
        rows = kept(endpoint, since, until).filter(confidence__isnull=False).annotate(word=Subquery(judged.values("right")[:1]))
        unsure = rows.filter(word=None).order_by("confidence", "-id")
        values = unsure.values_list("uuid", "text", "label", "confidence", "at")[: limit - len(found)]
        found += [Unsure(uuid, text or "", label, share, at, False, "") for uuid, text, label, share, at in values]
    return found


def feedback_between(
    endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion | None = None, limit: int | None = None
) -> list[Judged]:
    """The newest word on each prediction made in [since, until), newest prediction first. By index, in one statement."""
    rows = newest_words(endpoint, since, until)
    if version:
        rows = rows.filter(prediction__version=version)
    values = rows.values_list(
        "prediction__uuid", "prediction__version_id", "prediction__deployment_id", "prediction__arm", "prediction__key", "predicted_at",
        "prediction__label", "prediction__confidence", "right", "label", "kind", "at",
    )  # fmt: skip
    return [Judged(*row[:8], right=row[8], truth=row[6] if row[8] else row[9], kind=row[10], said_at=row[11]) for row in values[:limit]]


def kept(endpoint: Endpoint, since: datetime, until: datetime) -> QuerySet[Prediction]:
    """Answered predictions of a window whose texts are kept."""
    return Prediction.objects.filter(endpoint=endpoint, at__gte=since, at__lt=until, text__isnull=False).exclude(label="")


def newest_words(endpoint: Endpoint, since: datetime, until: datetime) -> QuerySet[Feedback]:
    """The newest word on each prediction made in a window, newest prediction first."""
    newest = Feedback.objects.filter(prediction=OuterRef("prediction")).order_by("-id").values("id")[:1]
    rows = Feedback.objects.filter(endpoint=endpoint, predicted_at__gte=since, predicted_at__lt=until)
    return rows.annotate(newest=Subquery(newest)).filter(id=F("newest")).order_by("-predicted_at", "-id")
