"""The predictions, texts, and feedback of a window, behind its figures. Callers check with the policy who may
read texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.task_type import TaskType
from monitoring.traffic.models import ANSWERED, Feedback, Prediction
from monitoring.traffic.queries.predictions import as_words, task_of
from monitoring.traffic.rules import FeedbackKind
from registry.catalog.models import Endpoint, ModelVersion


@dataclass(frozen=True)
class Kept:
    """A stored text with its prediction. confidence: 0 to 1; key: digest of the sticky key, empty where none
    was sent. content: as `Prediction.content`.
    """

    uuid: UUID
    text: str
    label: str
    confidence: float | None
    at: datetime
    key: str
    content: Mapping[str, Any] | None


COLUMNS = ("uuid", "text", "label", "confidence", "at", "key", "content")  # of a Kept


@dataclass(frozen=True, slots=True)
class Sampled:
    """A prediction as rollups count it. key: digest of the sticky key, empty without one; labels: those that
    it has, once each; confidence, oov: 0 to 1, None: unknown; value: as an annotation, None: its only label,
    or too large to keep.
    """

    key: str
    labels: tuple[str, ...]
    confidence: float | None
    chars: int
    oov: float | None
    value: Value | None = None


@dataclass(frozen=True)
class Wrong(Kept):
    """A stored text with feedback that it was wrong. right: the correct label or annotation from the
    feedback, in words that quote nothing of the text; "" if it isn't known.
    """

    right: str


def texts(
    endpoint: Endpoint, since: datetime, until: datetime, limit: int, version: ModelVersion | None = None
) -> list[Kept]:
    """The newest stored texts of [since, until), newest first. By index; at most `limit`."""
    rows = kept(endpoint, since, until)
    if version:
        rows = rows.filter(version=version)
    return [Kept(*row) for row in rows.order_by("-at", "-id").values_list(*COLUMNS)[:limit]]


# ── Drawn by chance ─────────────────────────────────────────────────────────
MOST = 30_000  # SQLite takes no more values in a statement
PRIME = 1_000_003  # below it products of two numbers fit into 64 bits


def sampled(
    endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion, limit: int, answers: int
) -> list[Sampled]:
    """About `limit` of a version's answers of [since, until), drawn from all of it: each with the same
    chance, the same ones each time.

    answers: how many there are, by the rollups. Fewer, or none, where they are deleted already.
    """
    rows = Prediction.objects.filter(endpoint=endpoint, at__gte=since, at__lt=until)
    found = drawn(rows, limit / max(1, answers), seed_of(endpoint, since)).filter(ANSWERED)
    values = found.values_list("version_id", "key", "label", "value", "confidence", "chars", "oov")
    task = task_of(version)
    return [
        Sampled(key, labels_in(task, label, value), confidence, chars, oov, value)
        for pk, key, label, value, confidence, chars, oov in values
        if pk == version.pk
    ]


def labels_in(task: TaskType, label: str, value: Value | None) -> tuple[str, ...]:
    """The labels of a prediction, once each; of a ranking the best candidate's number. value: as an
    annotation; None: its only label.
    """
    if value is None or not task.has_labels:
        return (label,) if label else ()
    answers = task.answers
    return tuple(sorted({name for part in answers.parts(value) if (name := answers.label_of(part))}))


def drawn_texts(
    endpoint: Endpoint, since: datetime, until: datetime, limit: int, version: ModelVersion
) -> list[Kept]:
    """At most `limit` of the version's kept texts of [since, until), drawn from all of it: each with the same
    chance, the same each time.

    Kept texts are counted by their index, so that it is a matter for jobs.
    """
    rows, seed = (
        Prediction.objects.filter(endpoint=endpoint, at__gte=since, at__lt=until, text__isnull=False),
        seed_of(endpoint, since),
    )
    found = drawn(rows, OVER * limit / max(1, rows.count()), seed).filter(ANSWERED)
    values = found.values_list("version_id", *COLUMNS)
    own = sorted((Kept(*row[1:]) for row in values if row[0] == version.pk), key=lambda each: each.uuid)
    return own if len(own) <= limit else Random(seed).sample(own, limit)  # noqa: S311  a sample, no secret


def drawn_scores(
    endpoint: Endpoint, since: datetime, until: datetime, limit: int, version: ModelVersion, answers: int
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """(label, best scores) of at most `limit` of a version's answers of [since, until), drawn as
    `drawn_texts` draws them.

    answers: how many there are, by the rollups.
    """
    rows, seed = (
        Prediction.objects.filter(endpoint=endpoint, at__gte=since, at__lt=until),
        seed_of(endpoint, since),
    )
    found = drawn(rows, OVER * limit / max(1, answers), seed).filter(ANSWERED)
    values = found.order_by("uuid").values_list("version_id", "label", "scores")
    own = [row[1:] for row in values if row[0] == version.pk]
    return own if len(own) <= limit else Random(seed).sample(own, limit)  # noqa: S311  a sample, no secret


OVER = 2  # of those that are drawn some are another version's


def drawn(rows: QuerySet[Prediction], share: float, seed: int) -> QuerySet[Prediction]:
    """Each row with this chance, independently of its neighbours: those whose primary key hashes to a low
    place modulo PRIME.

    The place is a polynomial of the key, which makes any three of them independent (Carter and Wegman 1979).
    It's computed on the index, which holds the key; only the rows that are drawn are read, by a statement of
    their own, and nothing is sorted.
    """
    one, two, three = Random(seed).sample(range(1, PRIME), 3)  # noqa: S311  a sample, no secret
    key = F("id") % PRIME
    place = ((key * key % PRIME) * one + key * two + three) % PRIME
    chosen = rows.order_by().alias(place=place).filter(place__lt=min(PRIME, round(share * PRIME)))
    return Prediction.objects.filter(pk__in=list(chosen.values_list("pk", flat=True)[:MOST]))


def seed_of(endpoint: Endpoint, since: datetime) -> int:
    """A seed that is the same for the same window."""
    return endpoint.pk * 1_000_000_007 + int(since.timestamp())


@dataclass(frozen=True, slots=True)
class Judged:
    """A prediction with its newest feedback. right: None without feedback."""

    key: str
    right: bool | None
    overridden: bool


def feedback_sample(
    endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion, limit: int, answers: int
) -> list[Judged]:
    """About `limit` of a version's predictions, drawn as `sampled` draws them. answers: their number, by the
    rollups.
    """
    rows = Prediction.objects.filter(endpoint=endpoint, at__gte=since, at__lt=until)
    feedback = Feedback.objects.filter(prediction=OuterRef("pk")).order_by("-id")
    found = drawn(rows, limit / max(1, answers), seed_of(endpoint, since)).filter(ANSWERED)
    rows = found.annotate(
        right=Subquery(feedback.values("right")[:1]), kind=Subquery(feedback.values("kind")[:1])
    )
    values = rows.values_list("version_id", "key", "right", "kind")
    return [
        Judged(key, right, kind == FeedbackKind.OVERRIDE)
        for pk, key, right, kind in values
        if pk == version.pk
    ]


# ── Called wrong ────────────────────────────────────────────────────────────
def reported_wrong(
    endpoint: Endpoint, since: datetime, until: datetime, limit: int, version: ModelVersion
) -> list[Wrong]:
    """A version's predictions of [since, until) with a stored text that the newest feedback calls wrong,
    newest first; at most `limit`.
    """
    rows = wrong_feedback(endpoint, since, until, version).filter(prediction__text__isnull=False)
    columns = [f"prediction__{name}" for name in COLUMNS]
    found = rows.order_by("-predicted_at", "-id").values_list("value", "label", *columns)[:limit]
    return [
        Wrong(**dict(zip(COLUMNS, row, strict=True)), right=right_of(version, value, label))
        for value, label, *row in found
    ]


def right_of(version: ModelVersion, value: Value | None, label: str) -> str:
    """What feedback says is right, in words; empty where that is a text, which stays with its prediction."""
    return "" if task_of(version).writes_text else as_words(version, value, label)


def wrong_without_text(endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion) -> int:
    """How many of those predictions have no text anymore, or never had one."""
    return wrong_feedback(endpoint, since, until, version).filter(prediction__text__isnull=True).count()


def kept(endpoint: Endpoint, since: datetime, until: datetime) -> QuerySet[Prediction]:
    """Answered predictions of a window whose texts are kept."""
    return Prediction.objects.filter(
        endpoint=endpoint, at__gte=since, at__lt=until, text__isnull=False
    ).filter(ANSWERED)


def wrong_feedback(
    endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion
) -> QuerySet[Feedback]:
    """The newest feedback on each prediction of a window, where it says wrong."""
    return latest_feedback(endpoint, since, until, version).filter(right=False)


def latest_feedback(
    endpoint: Endpoint, since: datetime, until: datetime, version: ModelVersion
) -> QuerySet[Feedback]:
    """The newest feedback on each prediction of a window."""
    newest = Feedback.objects.filter(prediction=OuterRef("prediction")).order_by("-id").values("id")[:1]
    rows = Feedback.objects.filter(
        endpoint=endpoint, predicted_at__gte=since, predicted_at__lt=until, prediction__version=version
    )
    return rows.filter(id=Subquery(newest))
