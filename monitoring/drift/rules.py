"""When a difference is drift: what counts as over the limit, when a monitor opens and closes, which windows
are looked at. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import TextChoices

from monitoring.drift import statistics

ALPHA = 0.01
MIN_ROWS = 50
MIN_TEXTS = 50
TEXTS_MAX = 1000
OPEN_OVER, OPEN_OF = 3, 5
FAR, MANY = 3.0, 100  # times the limit, with so many rows: one window is enough
CLEAR_BELOW, CLEAR_FOR = 0.8, 3
WEIGHT = 0.2  # of the newest window in the moving mean
CHUNKS_LEAST, CHUNKS_MOST = 14, 56  # quiet windows that show what is usual here
JUDGED_LEAST = 0.5  # of a window's answers, with feedback, so that it counts instead of the estimate
WINDOWS_AT_ONCE = 100  # of an endpoint, at each turn of the beat; the rest follows at the next
OUTSIDE_MOST = 0.05  # of the texts may lie outside what was evaluated; beyond, no accuracy is estimated
SETTLE = timedelta(minutes=5)  # lines of the spool may be so late
BUSY_DAY = 2_400  # answers; the day after is looked at by the hour
BACK = timedelta(days=60)  # a beat that slept longer does not look further back
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class State(TextChoices):
    """The state of a report's window. Watch: something was over its limit and nothing is open."""

    OK = "ok", "No drift"
    WATCH = "watch", "Watch"
    DRIFT = "drift", "Drift"
    INSUFFICIENT = "insufficient", "Not enough data"
    FAILED = "failed", "Failed"


class Mark(TextChoices):
    """The mark of one monitor in a report. Watch: it was over its limit and nothing was opened, for the
    reason given.
    """

    OK = "ok", "No drift"
    WATCH = "watch", "Watch"
    DRIFT = "drift", "Drift"
    INSUFFICIENT = "insufficient", "Not enough data"
    NOT_MEASURED = "not_measured", "Not measured"
    FAILED = "failed", "Failed"


def standing_of(report: str | None, texts: str | None, *, is_open: bool) -> State | None:
    """The state of an endpoint. report, texts: states of its newest report and of the text check beside it,
    None where there is none.

    An open monitor stays drift while windows are too small. Counts that are as evaluated do not represent
    texts beside them that were over their limit. None: nothing was measured.
    """
    if is_open:
        return State.DRIFT
    if report == State.OK and texts in (State.WATCH, State.DRIFT):
        return State.WATCH
    return State(report) if report else None


class Monitor(TextChoices):
    """What is compared with the reference. The last two from kept texts, those before accuracy from single
    predictions, and the others from counts. A task has some of them.
    """

    LABEL = "label", "Predicted label"
    POSITION = "position", "Best position"
    CONFIDENCE = "confidence", "Confidence"
    LENGTH = "length", "Length"
    OOV = "oov", "Unknown words"
    DENSITY = "density", "Span density"
    SPAN_LENGTH = "span_length", "Span length"
    CANDIDATES = "candidates", "Candidates"
    ACCURACY = "accuracy", "Accuracy"
    WORDS = "words", "Words"
    MEANING = "meaning", "Embeddings"


UNIT = {Monitor.ACCURACY: "fall", Monitor.WORDS: "AUC", Monitor.MEANING: "AUC"}  # the others: PSI
# below it a difference is too small to matter
FLOOR = {Monitor.ACCURACY: 0.02, Monitor.WORDS: 0.55, Monitor.MEANING: 0.55}
PSI_FLOOR = 0.1
ORIGIN = {Monitor.WORDS: 0.5, Monitor.MEANING: 0.5}  # the value where nothing differs


def floor_of(monitor: str) -> float:
    """The smallest value that matters, however sure it is."""
    return FLOOR.get(Monitor(monitor), PSI_FLOOR)


def limit_of(monitor: str, critical: float) -> float:
    """What a value must exceed: chance (critical) and the floor of what matters."""
    return max(critical, floor_of(monitor))


def ratio_of(monitor: str, value: float, critical: float) -> float:
    """How far a value is on the way from "no difference" (0) to its limit (1)."""
    origin = ORIGIN.get(Monitor(monitor), 0.0)
    return (value - origin) / (limit_of(monitor, critical) - origin)


# ── Opening and closing ─────────────────────────────────────────────────────
class Held(TextChoices):
    """Why something that looked like drift opened nothing."""

    SMALL = "small", "Significant, but too small to matter"
    TOGETHER = "together", "Not significant across all monitors"
    USUAL = "usual", "Within this endpoint's usual range"
    FEW = "few", "Not often enough yet"


@dataclass(frozen=True, slots=True)
class Past:
    """A measured window of one monitor: its ratio, the moving mean of ratios, whether it was over, and
    whether all was quiet then.
    """

    ratio: float
    mean: float
    over: bool
    quiet: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a window means for a monitor. control: the chart's limit for the mean, None until enough quiet
    windows are known.

    abrupt: over by so much, with so many rows, that no other window is needed.
    """

    over: bool
    mean: float
    control: float | None
    overs: int
    of: int
    abrupt: bool
    opens: bool
    closes: bool
    held: Held | None


def judge(
    past: Sequence[Past], *, ratio: float, rows: int, sure: bool, is_open: bool, matters: bool
) -> Judgement:
    """Whether a monitor opens, closes or stays.

    past: its measured windows before, oldest first; windows with too little data are not among them. sure:
    significant after Benjamini and Hochberg. rows: of the window. matters: above its floor. Over: sure, ratio
    above 1, and once 14 quiet windows are known the moving mean above their control limit. Opens with 3 of
    the last 5 over, or at once with 3 times the limit in 100 rows, which chance does not reach; closes when
    the last 3 lie below 0.8 of their limit. What happens while a monitor is over or open never becomes part
    of what is usual.
    """
    mean = statistics.ewma([ratio], WEIGHT, past[-1].mean if past else None)[0]
    quiet = [each.ratio for each in past if each.quiet][-CHUNKS_MOST:]
    control = statistics.control_limit(quiet, WEIGHT) if len(quiet) >= CHUNKS_LEAST else None
    unusual = control is None or mean > control
    over = sure and ratio > 1 and unusual
    recent = [*(each.over for each in past), over][-OPEN_OF:]
    last = [*(each.ratio for each in past), ratio][-CLEAR_FOR:]
    abrupt = over and ratio >= FAR and rows >= MANY
    opens = not is_open and (abrupt or (over and sum(recent) >= OPEN_OVER))
    closes = is_open and len(last) == CLEAR_FOR and all(each < CLEAR_BELOW for each in last)
    held = (
        None if is_open or opens else why_held(sure=sure, matters=matters, beyond=ratio > 1, unusual=unusual)
    )
    return Judgement(over, mean, control, sum(recent), len(recent), abrupt, opens, closes, held)


def why_held(*, sure: bool, matters: bool, beyond: bool, unusual: bool) -> Held | None:
    """Why a window that looked wrong opened nothing; None where nothing looked wrong."""
    if beyond:
        return Held.TOGETHER if not sure else Held.FEW if unusual else Held.USUAL
    return Held.SMALL if sure and not matters else None


# ── Windows ─────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Span:
    """A window [start, end)."""

    start: datetime
    end: datetime


def spans(since: datetime, now: datetime, answers: Mapping[date, int], back: timedelta = BACK) -> list[Span]:
    """The complete windows that end after `since`, oldest first: hours of a day that follows a busy one, else
    the day. Days are UTC.

    since: the end of the last window looked at, or the first answer; nothing that ended longer than `back`
    ago. answers: by day; what is missing is none. A window counts as complete 5 minutes after its end, so
    that the same moment always gives the same windows.
    """
    since = max(since, now - back)
    found = []
    day = since.astimezone(UTC).date()
    while day <= now.astimezone(UTC).date():
        begin = datetime.combine(day, time(), UTC)
        step = HOUR if answers.get(day - DAY, 0) >= BUSY_DAY else DAY
        found += [Span(begin + at * step, begin + (at + 1) * step) for at in range(DAY // step)]
        day += DAY
    return [
        span for span in found if span.end > since and span.start >= since - DAY and span.end + SETTLE <= now
    ]


def last_day(now: datetime) -> Span:
    """The last whole day UTC whose answers have all arrived."""
    end = datetime.combine((now - SETTLE).astimezone(UTC).date(), time(), UTC)
    return Span(end - DAY, end)


def last_hour(now: datetime) -> Span:
    """The hour before the newest minute whose answers have all arrived."""
    end = (now - SETTLE).replace(second=0, microsecond=0)
    return Span(end - HOUR, end)


def running_span(now: datetime) -> Span:
    """The last 24 hours to the minute: what is measured when someone asks."""
    end = now.replace(second=0, microsecond=0)
    return Span(end - DAY, end)
