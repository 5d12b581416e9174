"""Confirm, dismiss, and reopen findings."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from datasets_app.scanning import rules
from datasets_app.scanning.actions.scans import count
from datasets_app.scanning.models import Finding
from datasets_app.scanning.rules import Status
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_move
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

REASON_LIMIT = 500


def dismiss(*, finding_id: UUID, actor: User, reason: str, seen: str = "") -> Finding:
    """Dismiss a finding with a reason; later scans keep it dismissed. Raises PermissionDenied, Refused (no
    reason), or Conflict.

    seen: the status shown on the page, "" for any.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_LIMIT:
        message = f"Say in up to {REASON_LIMIT} characters why nothing is wrong."
        raise Refused("The finding was not dismissed.", next_step=message, fields={"reason": [message]})
    return judge(finding_id, actor, Status.DISMISSED, Verb.ISSUE_DISMISSED, seen, reason)


def confirm(*, finding_id: UUID, actor: User, seen: str = "") -> Finding:
    """Confirm an issue to fix. Changes no label. Raises PermissionDenied or Conflict."""
    return judge(finding_id, actor, Status.CONFIRMED, Verb.ISSUE_CONFIRMED, seen)


def reopen(*, finding_id: UUID, actor: User, seen: str = "") -> Finding:
    """Reopen a dismissed issue. Raises PermissionDenied or Conflict."""
    return judge(finding_id, actor, Status.OPEN, Verb.ISSUE_REOPENED, seen)


@transaction.atomic
def judge(finding_id: UUID, actor: User, new: Status, verb: Verb, seen: str, reason: str = "") -> Finding:
    """Set the status of a finding, update its tally, and record the event."""
    row = (
        Finding.objects.select_for_update(of=("self",))
        .select_related("dataset__project")
        .get(uuid=finding_id)
    )
    policy.require(actor, "scanning.review", row)
    old = Status(row.status)
    if seen and seen != old:
        raise Conflict(
            f"This issue is already {old.label.lower()}.", next_step="Reload the page to see the details."
        )
    check_move("finding", rules.MOVES, old, new)
    row.status, row.reason = new, reason
    row.reviewed_by, row.reviewed_at = (None, None) if new == Status.OPEN else (actor, timezone.now())
    row.save(update_fields=["status", "reason", "reviewed_by", "reviewed_at"])
    count(row.dataset, row.kind, {old: -1, new: 1})
    ledger.record(
        actor,
        verb,
        row,
        project=row.dataset.project.uuid,
        dataset=row.dataset.uuid,
        kind=row.kind,
        key=row.key,
        old=old,
        new=new,
        **({"reason": reason} if reason else {}),
    )
    return row
