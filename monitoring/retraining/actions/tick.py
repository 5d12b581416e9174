"""What the clock does: ask the triggers, carry the proposals on. One that fails in an unforeseen way holds up
no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from monitoring.retraining import rules
from monitoring.retraining.actions.consider import consider
from monitoring.retraining.actions.moves import fail, lock
from monitoring.retraining.actions.steps import advance
from monitoring.retraining.queries import proposals as proposal_queries
from monitoring.retraining.queries import triggers as trigger_queries
from monitoring.retraining.rules import State

log = logging.getLogger(__name__)


def tick(now: datetime | None = None) -> int:
    """Ask every trigger that is due, and take every step that can be taken. Returns how many triggers and
    proposals were looked at.
    """
    now = now or timezone.now()
    triggers, proposals = trigger_queries.due_triggers(now), proposal_queries.unended()
    for trigger in triggers:
        safely("retraining_consider", trigger.uuid, consider, now)
    for uuid in proposal_queries.unended():
        if not safely("retraining_advance", uuid, advance, now):
            give_up(uuid, now)
    return len(triggers) + len(proposals)


def safely(event: str, uuid: UUID, act: Callable[[UUID, datetime], Any], now: datetime) -> bool:
    """Whether it went without an unforeseen error, which is logged."""
    try:
        act(uuid, now)
    except Exception:
        log.exception("%s uuid=%s", event, uuid)
        return False
    return True


@transaction.atomic
def give_up(uuid: UUID, now: datetime) -> None:
    """An error that no one foresaw: a proposal under way says so and can be tried again; an open one stays as
    it is.
    """
    proposal = lock(uuid)
    if proposal.state in rules.BUSY and proposal.state in (State.APPROVED, State.RUNNING):
        fail(
            proposal,
            "An unexpected error occurred. See the worker's log for details.",
            "Try again. If it fails again, contact your administrator.",
            now,
        )
