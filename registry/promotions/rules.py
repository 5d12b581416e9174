"""States of a promotion request (GOVERNANCE names them), and what may follow what. Pure."""

from __future__ import annotations

from django.db.models import TextChoices

from lifecycle.refusals import Conflict


class Status(TextChoices):
    """fulfilled, rejected, withdrawn, voided and expired are final."""

    DRAFT = "draft", "Draft"
    CHECKING = "checking", "Checking"
    IN_REVIEW = "in_review", "In review"
    APPROVED = "approved", "Approved"
    FULFILLED = "fulfilled", "Fulfilled"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    VOIDED = "voided", "Voided"
    EXPIRED = "expired", "Expired"


OPEN = frozenset({Status.DRAFT, Status.CHECKING, Status.IN_REVIEW, Status.APPROVED})
ENDINGS = frozenset({Status.WITHDRAWN, Status.VOIDED, Status.EXPIRED, Status.REJECTED})
MOVES = {
    Status.DRAFT: {Status.CHECKING, Status.WITHDRAWN, Status.VOIDED, Status.EXPIRED},
    Status.CHECKING: {Status.DRAFT, Status.IN_REVIEW, Status.WITHDRAWN, Status.VOIDED, Status.EXPIRED},
    Status.IN_REVIEW: {Status.APPROVED} | ENDINGS,
    Status.APPROVED: {Status.FULFILLED} | ENDINGS,
}


def check_move(old: Status, new: Status) -> None:
    """Raises Conflict unless a request may go from one state to the other."""
    if new not in MOVES.get(old, set()):
        raise Conflict(f"This request is {old.label.lower()} and can no longer become {new.label.lower()}.")
