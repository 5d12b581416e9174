"""States of an upload, and how a text becomes its digests. Pure."""

from __future__ import annotations

from django.db.models import TextChoices

from lifecycle.refusals import Conflict


class UploadState(TextChoices):
    """An upload's items are seen by others only once it is imported."""

    RECEIVED = "received", "Received"
    INSPECTED = "inspected", "Waiting for acceptance"
    IMPORTING = "importing", "Importing"
    IMPORTED = "imported", "Imported"
    FAILED = "failed", "Failed"
    DISCARDED = "discarded", "Discarded"


MOVES = {
    UploadState.RECEIVED: {UploadState.INSPECTED, UploadState.FAILED, UploadState.DISCARDED},
    UploadState.INSPECTED: {UploadState.INSPECTED, UploadState.IMPORTING, UploadState.DISCARDED},
    UploadState.IMPORTING: {UploadState.IMPORTED, UploadState.FAILED, UploadState.DISCARDED},
    UploadState.FAILED: {UploadState.INSPECTED, UploadState.IMPORTING, UploadState.DISCARDED},
}


def check_move(old: UploadState, new: UploadState) -> None:
    """Raises Conflict unless an upload may go from one state to the other."""
    if new not in MOVES.get(old, set()):
        raise Conflict(f"This upload is {old.label.lower()} and can no longer become {new.label.lower()}.")
