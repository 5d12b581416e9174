"""Kinds, states, and identity of findings. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import TextChoices

from registry.ground.ledger.rules import digest_of

FOLDS, SEED = 5, 13  # of the small model that checks labels
TEXT_LIMIT = 2_000  # characters of a text that it reads


class ScanKind(TextChoices):
    """The kind of a scan."""

    NEAR_DUPLICATES = "near_duplicates", "Near duplicates"
    LABEL_ERRORS = "label_errors", "Label errors"


class ScanState(TextChoices):
    """The state of a scan. Issues found before it failed or was cancelled stay."""

    RUNNING = "running", "Running"
    DONE = "done", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Kind(TextChoices):
    """The kind of a finding."""

    NEAR_DUPLICATE = "near_duplicate", "Near duplicates"
    LABEL_CONFLICT = "label_conflict", "Label conflicts"
    LABEL_ERROR = "label_error", "Label errors"


class Status(TextChoices):
    """The status of a data issue. Gone: a later scan didn't find it again."""

    OPEN = "open", "Open"
    CONFIRMED = "confirmed", "Confirmed"
    DISMISSED = "dismissed", "Dismissed"
    GONE = "gone", "No longer found"


ONE = {
    Kind.NEAR_DUPLICATE: "Near duplicates",
    Kind.LABEL_CONFLICT: "Label conflict",
    Kind.LABEL_ERROR: "Label error",
}
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
    """The status of a finding that a scan finds again: unchanged, or restored if it was no longer found."""
    if status != Status.GONE:
        return status
    return Status.CONFIRMED if decided else Status.OPEN


def group_digest(items: Iterable[str]) -> str:
    """The digest of a group: SHA-256 over the sorted digests of its items. One item more or less makes
    another group.
    """
    return digest_of(sorted(items))


def duplicate_key(group: str) -> str:
    """The key of the near-duplicate finding of a group."""
    return digest_of([Kind.NEAR_DUPLICATE, group])


def conflict_key(group: str, labels: Mapping[str, UUID]) -> str:
    """The key of the label-conflict finding of a group. labels: stable ids by item digest; another label
    makes another finding.
    """
    return digest_of(
        [Kind.LABEL_CONFLICT, group, sorted((item, str(label)) for item, label in labels.items())]
    )


def label_error_key(item: str, given: UUID) -> str:
    """The key of the label-error finding of an item: independent of the score, but another one when the label
    changes.
    """
    return digest_of([Kind.LABEL_ERROR, item, str(given)])


def conflict_score(labels: Iterable[UUID]) -> float | None:
    """The share of labeled items without the most frequent label, between 0 and 1; None if all have the same
    label.
    """
    counts = Counter(labels)
    return None if len(counts) < 2 else round(1 - max(counts.values()) / counts.total(), 6)
