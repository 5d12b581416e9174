"""States of an alert, what makes two alerts the same, and whom which severity reaches. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import TextChoices

from lifecycle.runtime.refusals import Conflict, Refused

SILENCE_MAX = timedelta(days=7)
REASON_MAX = 500
GROUP_WAIT = timedelta(seconds=30)  # Alertmanager's defaults: dispatch/route.go
GROUP_INTERVAL = timedelta(minutes=5)
REPEAT = timedelta(hours=4)
FLAPS, FLAP_WINDOW = 3, timedelta(hours=1)  # opened so often within the hour: no more messages
CALM_NEEDED = 3  # evaluations below 0.8 of the limit before an alert of an objective ends
CALM_SHARE = 0.8
HEARTBEAT_MAX = timedelta(minutes=2)  # without a beat for longer, someone else raises a page
DRIFT_SOURCE, HEARTBEAT_SOURCE, OBJECTIVE_SOURCE, SERVER_SOURCE = "drift", "heartbeat", "objective", "server"
FLAP_STAYS = timedelta(minutes=10)  # a flapping alert that now stays open for so long notifies after all


class Severity(TextChoices):
    """page: wake someone. ticket: this working day. digest: once a day, in one message."""

    PAGE = "page", "Page"
    TICKET = "ticket", "Ticket"
    DIGEST = "digest", "Digest"


class State(TextChoices):
    """Acknowledged: a person works on it; it still burns. Resolved is final: what comes back is a new
    alert.
    """

    FIRING = "firing", "Firing"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"


class Answer(TextChoices):
    """The result of one evaluation of a rule."""

    OK = "ok", "OK"
    FIRING = "firing", "Firing"
    INSUFFICIENT = "insufficient", "Not enough data"
    SUPPRESSED = "suppressed", "Suppressed"


class Why(TextChoices):
    """Why something was suppressed, or not decided."""

    NONE = "", "—"
    SILENCED = "silenced", "Silenced"
    INHIBITED = "inhibited", "Inhibited by a page on the same endpoint"
    FEW = "few", "Not enough traffic"
    FLAPPING = "flapping", "Flapping"
    OVERTAKEN = "overtaken", "Resolved before anyone was notified"


RANK = {Severity.PAGE: 0, Severity.TICKET: 1, Severity.DIGEST: 2}
MOVES = {
    State.FIRING: {State.ACKNOWLEDGED, State.RESOLVED},
    State.ACKNOWLEDGED: {State.RESOLVED, State.FIRING},
}
MARKS = {State.FIRING: "bad", State.ACKNOWLEDGED: "half", State.RESOLVED: "ok"}
SEVERITY_MARKS = {Severity.PAGE: "bad", Severity.TICKET: "warn", Severity.DIGEST: "off"}


def check_same_state(seen: str, now: str) -> None:
    """Raises Conflict when the alert moved since the person looked. seen: the state on their page."""
    if seen and seen != now:
        raise Conflict(
            f"The alert changed while you had it open: it's now {State(now).label.lower()}.",
            next_step="Reload the page and try again.",
        )


def fingerprint(source: str, key: Mapping[str, Any]) -> str:
    """What makes two alerts the same: sha256 of the source and its key with sorted names."""
    return hashlib.sha256(f"{source}\n{json.dumps(key, sort_keys=True, default=str)}".encode()).hexdigest()


def worse(one: str, other: str) -> Severity:
    """The more urgent of two severities."""
    return min(Severity(one), Severity(other), key=lambda each: RANK[each])


def is_flapping(openings: int, first_at: datetime, now: datetime) -> bool:
    """Whether an alert opened too often to notify again. openings: of the same alert within the hour, this
    one included.
    """
    return openings >= FLAPS and now - first_at < FLAP_STAYS


def is_missed(last: datetime | None, started: datetime, now: datetime) -> bool:
    """Whether the evaluation's heartbeat is missing. started: since when someone looks, before which nothing
    was missed.
    """
    return now - max(last or started, started) > HEARTBEAT_MAX


def check_until(until: datetime, now: datetime) -> datetime:
    """When a silence ends. Raises Refused for a moment that is past, or more than seven days ahead."""
    if until <= now:
        sentence = "Choose an end in the future."
    elif until - now > SILENCE_MAX:
        sentence = "A silence can last up to 7 days."
    else:
        return until
    raise Refused(sentence, fields={"until": [sentence]})


def is_due(
    severity: str,
    first_at: datetime,
    notified_at: datetime | None,
    group_notified_at: datetime | None,
    *,
    firing: bool,
    now: datetime,
) -> bool:
    """Whether an alert should notify now. Pages do at once; a ticket waits 30 s for others of its group and 5
    min after the group's last message. A page that no one acknowledged notifies again every 4 h. Digest
    alerts never do on their own.
    """
    if severity == Severity.DIGEST:
        return False
    if notified_at is not None:
        return severity == Severity.PAGE and firing and now - notified_at >= REPEAT
    if severity == Severity.PAGE:
        return True
    return now - first_at >= GROUP_WAIT and (
        group_notified_at is None or now - group_notified_at >= GROUP_INTERVAL
    )
