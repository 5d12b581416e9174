"""Select the items of a slice once, stored by digest, so that a repeated job takes the same items."""

from __future__ import annotations

from array import array

from datasets_app.datasets.models import Dataset
from datasets_app.datasets.selection import Selection
from lifecycle.ground.jobs.context import JobContext
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts

KEY = "q"  # an item key in eight bytes


def selection_of(dataset: Dataset, actor: User, filters: dict[str, str]) -> Selection:
    """The selection of these filters as this person sees it. Raises Refused if a filter is invalid or not
    allowed for them.
    """
    found = Selection(dataset, actor, filters, whole=True)
    if not found.is_valid:
        message = f"A filter of the slice is no longer valid: {next(iter(found.problems.values()))}"
        raise Refused(message, next_step="Choose another slice.", fields={"slice": [message]})
    return found


def choose(ctx: JobContext, selection: Selection) -> str:
    """Store the keys of the selected items. Returns the digest of the stored keys."""
    keys = array(KEY)
    for window in selection.walk():
        keys.extend(window.keys)
        ctx.progress(len(keys), stage="Selecting items", unit="items")
        ctx.raise_if_cancelled()
    if not keys:
        raise Conflict(
            "The version wasn't created. The slice matches no items now.",
            next_step="Choose another slice, or use all labeled items.",
        )
    return artifacts.put_bytes(keys.tobytes()).digest


def chosen(digest: str) -> frozenset[int]:
    """The keys stored under a digest."""
    keys = array(KEY)
    with artifacts.open_blob(digest) as file:
        keys.frombytes(file.read())
    return frozenset(keys)
