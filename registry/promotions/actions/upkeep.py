"""Locking a request, moving it, and ending those that time or a change has overtaken."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.refusals import Conflict
from lifecycle.rules import check_move
from registry.catalog.models import ModelVersion
from registry.ledger.actions import record
from registry.ledger.verbs import Verb
from registry.promotions import queries, rules, subject, votes
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import OPEN, Status

log = logging.getLogger(__name__)
ENDED = frozenset(Status) - OPEN
BATCH = 200


def lock(request_id: UUID) -> PromotionRequest:
    """The request, its row locked until the caller's transaction ends."""
    rows = PromotionRequest.objects.select_for_update(of=("self",), no_key=True).select_related(
        "endpoint__model__project", "endpoint__policy", "policy", "requester"
    )
    return rows.get(uuid=request_id)


def lock_version(request: PromotionRequest) -> ModelVersion:
    """The request's version, its row locked: no card and no quarantine comes in between."""
    rows = ModelVersion.objects.select_for_update(of=("self",), no_key=True).select_related(
        "model",
        "run__snapshot__schema",
        "run__snapshot__dataset",
        "run__snapshot__created_by",
        "run__base__folder",
        "run__launched_by",
        "evaluation",
        "registered_by",
        "folder",
    )
    return rows.get(pk=request.version_id)


def move(request: PromotionRequest, new: Status, **values: Any) -> None:
    """Write a new state and what goes with it. Raises Conflict where the state machine does not allow it."""
    check_move("request", rules.MOVES, Status(request.status), new)
    if new in ENDED:
        values["closed_at"] = timezone.now()
    request.status = new
    for name, value in values.items():
        setattr(request, name, value)
    request.save(update_fields=["status", *values])


def overtaken(request: PromotionRequest, now: datetime) -> Conflict | None:
    """End a locked request that is overdue or whose subject changed, with its Event, and return the refusal to raise after the commit.

    None, and nothing changed, when it still rests on what was checked.
    """
    if queries.is_overdue(request, now):
        return expire(request)
    if request.status not in (Status.IN_REVIEW, Status.APPROVED):
        return None
    if changed := queries.changes(request, subject.read(request, lock_version(request))):
        return void(request, rules.change_sentence(changed), changed=changed)
    if lost := votes.lost(request):
        return void(request, votes.lost_sentence(request, lost), lost=[str(vote.reviewer.uuid) for vote in lost])
    return None


def fresh(request: PromotionRequest) -> dict[str, Any]:
    """The subject as it is now, of which nothing is taken from the request's row; its version is locked."""
    return subject.read(request, lock_version(request), from_nothing=True)


def people_now(request: PromotionRequest) -> dict[str, list[str]]:
    """Whose own work is judged, of which nothing is taken from the request's row; its version is locked."""
    return subject.people_afresh(request, lock_version(request))


def expire(request: PromotionRequest) -> Conflict:
    """Let a locked, overdue request expire."""
    was = Status(request.status)
    reason = "No decision was made in time." if was == Status.IN_REVIEW else "The approval wasn't used in time."
    move(request, Status.EXPIRED, reason=reason)
    record(None, Verb.PROMOTION_EXPIRED, request, project=request.endpoint.model.project.uuid, old=was, reason=reason)
    return Conflict(f"{request} has expired. {reason}", next_step="Request promotion again.")


def void(request: PromotionRequest, sentence: str, **why: list[str]) -> Conflict:
    """Void a locked request, since what it rests on has changed or an approval no longer counts."""
    was = Status(request.status)
    move(request, Status.VOIDED, reason=sentence)
    record(
        None, Verb.PROMOTION_VOIDED, request, project=request.endpoint.model.project.uuid, old=was, subject_digest=request.subject_digest,
        reason=sentence, **why,
    )  # fmt: skip
    return Conflict(f"{sentence} {request} is void.", next_step="Request promotion again to re-run the gates.")


def review_open() -> int:
    """End every open request that time or a change has overtaken, so that the queue promises nothing that is void. Returns how many."""
    ended = 0
    waiting = PromotionRequest.objects.filter(status__in=[Status.IN_REVIEW, Status.APPROVED]).order_by("pk")
    for uuid in list(waiting.values_list("uuid", flat=True)[:BATCH]):
        with transaction.atomic():
            ended += overtaken(lock(uuid), timezone.now()) is not None
    return ended
