"""What the figures of traffic mean. Pure: no queries, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import TextChoices

CONFIDENCE_BINS, OOV_BINS = 50, 20
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BATCH_MAX = 1000  # words or outcomes in one request
SKEW = timedelta(minutes=5)  # how far a clock elsewhere may be ahead before it is worth a word
ARRIVAL = timedelta(minutes=5)  # from an answer to its prediction here, at most, once the spool is read
# predictions with feedback, below which no share of correct ones is shown as a figure; a decision may need
# more
FEEDBACK_LEAST = 20
SHADOW = "shadow"  # the arm whose answers no client gets


class FeedbackKind(TextChoices):
    """Where a word on an answer comes from."""

    REVIEW = "review", "Review"  # someone looked at the answer
    OVERRIDE = "override", "Override"  # someone decided against the prediction
    TRUTH = "truth", "Truth"  # what turned out to be so, often much later


class Source(TextChoices):
    """The road on which a word came."""

    PAGE = "page", "Page"
    API = "api", "API"


class Ending(TextChoices):
    """What became of a request, by the status of its answer. Each request is exactly one of these."""

    ANSWERED = "answered", "Answered"
    FAILED = "errors", "Failed"  # 5xx: the service's fault, the only one that counts against availability
    REFUSED = "refused", "Refused"  # 4xx but 429: the client's fault
    SHED = "shed", "Shed"  # 429: turned away under load


def ending(code: int) -> Ending:
    """What became of a request. code: HTTP status, 100 to 599."""
    if code == 429:
        return Ending.SHED
    if code >= 500:
        return Ending.FAILED
    return Ending.REFUSED if code >= 400 else Ending.ANSWERED


def availability(taken: int, errors: int, lost: int) -> float | None:
    """1 − (errors + lost) / (taken + lost), None of nothing. taken: requests but the refused and the shed
    ones; lost: beside them, those that no server could take.
    """
    return 1 - (errors + lost) / (taken + lost) if taken + lost else None


def right_share(right: int, wrong: int) -> float | None:
    """The share of predictions with feedback that are correct; None where they are too few to show it."""
    judged = right + wrong
    return right / judged if judged >= FEEDBACK_LEAST else None


def share_bin(value: float, bins: int) -> int:
    """The bin, 0 to bins − 1, of a share from 0 to 1; the last one holds 1 itself. Values outside go to the
    nearest end.
    """
    return min(bins - 1, max(0, int(value * bins)))


def floor(moment: datetime, step: timedelta) -> datetime:
    """The begin of the step that holds a moment; steps are counted from midnight UTC and are a divisor or a
    multiple of a day.
    """
    if step > DAY:
        return floor(moment, DAY)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((moment - midnight) // step) * step


def ceil(moment: datetime, step: timedelta) -> datetime:
    """The begin of the first step that starts at a moment or after it."""
    begin = floor(moment, step)
    return begin if begin == moment else begin + step


@dataclass(frozen=True)
class Window:
    """A stretch of time up to now, in steps: what "the last 30 days" are on every page."""

    key: str
    label: str
    length: timedelta
    step: timedelta

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """[since, until): whole steps, the one that runs included."""
        until = floor(now, self.step) + self.step
        return until - self.length, until


WINDOWS = {
    window.key: window
    for window in (
        Window("1h", "1 hour", HOUR, MINUTE),
        Window("24h", "24 hours", DAY, 15 * MINUTE),
        Window("7d", "7 days", 7 * DAY, 2 * HOUR),
        Window("30d", "30 days", 30 * DAY, 12 * HOUR),
        Window("90d", "90 days", 90 * DAY, DAY),
    )
}


def may_arrive(made_at: datetime | None, waits_since: datetime | None, now: datetime) -> bool:
    """Whether a prediction that is not here may still come. made_at: None where its id has no time, so that
    no server of ours made it.

    waits_since: when the oldest part of the spool was written that no one has read; None: all is read.
    """
    return made_at is not None and min(waits_since or now, now) - ARRIVAL <= made_at <= now + SKEW
