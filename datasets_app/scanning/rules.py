"""Kinds and states of findings, and what makes two findings the same. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import TextChoices

from registry.ground.ledger.rules import digest_of

FOLDS, SEED = 5, 13  # of the small model that judges labels
TEXT_LIMIT = 2_000  # characters of a text that it reads


class ScanKind(TextChoices):
    """What a scan looks for."""

    NEAR_DUPLICATES = "near_duplicates", "Near duplicates"
    LABEL_ERRORS = "label_errors", "Label errors"


class ScanState(TextChoices):
    """The state of a scan. Issues found before it failed or was cancelled stay."""

    RUNNING = "running", "Running"
    DONE = "done", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Kind(TextChoices):
    """What is doubtful."""

    NEAR_DUPLICATE = "near_duplicate", "Near duplicates"
    LABEL_CONFLICT = "label_conflict", "Label conflicts"
    LABEL_ERROR = "label_error", "Label errors"


class Status(TextChoices):
    """The status of a data issue. Gone: a later scan didn't find it again."""

    OPEN = "open", "Open"
    CONFIRMED = "confirmed", "Confirmed"
    DISMISSED = "dismissed", "Dismissed"
    GONE = "gone", "No longer found"


ONE = {Kind.NEAR_DUPLICATE: "Near duplicates", Kind.LABEL_CONFLICT: "Label conflict", Kind.LABEL_ERROR: "Label error"}
FOUND_BY = {
    ScanKind.NEAR_DUPLICATES: (Kind.NEAR_DUPLICATE, Kind.LABEL_CONFLICT),
    ScanKind.LABEL_ERRORS: (Kind.LABEL_ERROR,),
}
MOVES: dict[Status, set[Status]] = {
    Status.OPEN: {Status.CONFIRMED, Status.DISMISSED},
    Status.CONFIRMED: {Status.OPEN, Status.DISMISSED},
    Status.DISMISSED: {Status.OPEN},
    Status.GONE: set(),
}


def status_when_found(status: Status, *, decided: bool) -> Status:
    """The status of a finding that a scan meets again: unchanged, or restored if it was no longer found."""
    if status != Status.GONE:
        return status
    return Status.CONFIRMED if decided else Status.OPEN


def group_digest(items: Iterable[str]) -> str:
    """The name of a group: sha256 over the sorted digests of its items. One item more or less is another group."""
    return digest_of(sorted(items))


def duplicate_key(group: str) -> str:
    """Names the finding that a group is a group."""
    return digest_of([Kind.NEAR_DUPLICATE, group])


def conflict_key(group: str, labels: Mapping[str, UUID]) -> str:
    """Names the finding that items of a group, by digest, have these labels, by stable id. Another label makes another finding."""
    return digest_of([Kind.LABEL_CONFLICT, group, sorted((item, str(label)) for item, label in labels.items())])


def label_error_key(item: str, given: UUID) -> str:
    """Names the finding that an item has a doubtful label: the same however doubtful it is, another when the label changes."""
    return digest_of([Kind.LABEL_ERROR, item, str(given)])


def conflict_score(labels: Iterable[UUID]) -> float | None:
    """The share of decided items outside the most frequent label, above 0 to below 1; None where they do not contradict each other."""
    counts = Counter(labels)
    return None if len(counts) < 2 else round(1 - max(counts.values()) / counts.total(), 6)
