"""What may happen to a job, and when. Pure: no queries, no clock."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import IntegerChoices, TextChoices

TICK_SECONDS = 1.0  # how often a worker writes progress and looks for a cancel
SIGN_SECONDS = 15.0  # between heartbeats of a worker process
WORKER_TIMEOUT = timedelta(seconds=60)  # without a heartbeat; then a worker counts as dead
WORKER_RETENTION = timedelta(days=7)  # for which the row of a dead worker is kept


class Queue(TextChoices):
    """Which kind of worker takes a job: small work, long scans, what measures a model, or the one that holds
    the training device.

    Whatever a release waits for is in another queue than training: it never waits behind a run.
    """

    DEFAULT = "default", "Default"
    SCANS = "scans", "Scans"
    EVALUATION = "evaluation", "Evaluation"
    TRAINING = "training", "Training"


# How many jobs of a queue one worker process runs at a time. What computes a model takes memory: one at a
# time.
SLOTS = {Queue.DEFAULT: 2, Queue.SCANS: 1, Queue.EVALUATION: 1, Queue.TRAINING: 1}


class Priority(IntegerChoices):
    """The order of a queue: smaller first, then the longest waiting."""

    URGENT = 1, "Urgent"
    NORMAL = 2, "Normal"
    LATER = 3, "Later"

    @property
    def word(self) -> str:
        """As programs name it: urgent, normal, later."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Priority:
        """The priority of such a name. Raises KeyError."""
        return cls[word.upper()]


PRIORITY_WORDS = [(each.word, each.label) for each in Priority]


class Device(TextChoices):
    """What a job is to run on. A worker serves CPU or GPU; a job may leave it open."""

    ANY = "any", "Any device"
    CPU = "cpu", "CPU"
    GPU = "cuda", "GPU"


# What a worker takes.
TAKES = {Device.CPU: (Device.CPU, Device.ANY), Device.GPU: (Device.GPU, Device.ANY)}


def bells(queue: str, device: str) -> list[str]:
    """The broker's queues for a job's bell: workers with a GPU listen to their own, since a worker without
    one would take the bell and leave the job.
    """
    if queue != Queue.TRAINING:
        return [queue]
    own = f"{queue}-{Device.GPU}"
    return {Device.CPU: [queue], Device.GPU: [own], Device.ANY: [queue, own]}[Device(device)]


class State(TextChoices):
    """A job's state. The last three are final."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
MOVES: dict[State, set[State]] = {
    State.QUEUED: {State.RUNNING, State.CANCELLED},
    State.RUNNING: {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.QUEUED},
}


def heartbeat_seconds(lease_seconds: float) -> float:
    """How often a lease is renewed: five times as often as it would run out."""
    return lease_seconds / 5


def backoff(attempt: int) -> timedelta:
    """How long a job waits before its next attempt after attempt number `attempt` (from 1) met a passing
    obstacle: 2, 4, 8 … 300 s.
    """
    return timedelta(seconds=min(2**attempt, 300))


def rate(*, done_then: int, done_now: int, seconds: float) -> float | None:
    """Units per second since the stage began here, or None if unknown."""
    return (done_now - done_then) / seconds if seconds > 0 and done_now > done_then else None


def eta_seconds(*, done: int, total: int | None, rate: float | None) -> float | None:
    """Seconds that are left at this rate, or None while total or rate is unknown."""
    if total is None or not rate:
        return None
    return max(total - done, 0) / rate


def percent(done: int, total: int | None) -> int | None:
    """Whole percent that is done (0 to 100), or None while the total is unknown."""
    if not total:
        return None
    return min(100 * done // total, 100)
