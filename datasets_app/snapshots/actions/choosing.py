"""Which items a snapshot of a slice takes: chosen once, kept by digest, so that a job that is run again takes the same."""

from __future__ import annotations

from array import array

from datasets_app.datasets.models import Dataset
from datasets_app.datasets.selection import Selection
from lifecycle.ground.jobs.context import JobContext
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts

KEY = "q"  # how a key of an item is kept: eight bytes


def selection_of(dataset: Dataset, actor: User, filters: dict[str, str]) -> Selection:
    """What filters choose for this person. Raises Refused, naming the field, where one does not hold or is not for them."""
    found = Selection(dataset, actor, filters, whole=True)
    if not found.holds:
        told = f"A filter of the slice is no longer valid: {next(iter(found.problems.values()))}"
        raise Refused(told, next_step="Choose another slice.", fields={"slice": [told]})
    return found


def choose(ctx: JobContext, selection: Selection) -> str:
    """Walk through the dataset and keep the keys of what is chosen. Returns the digest under which they are kept."""
    keys = array(KEY)
    for window in selection.walk():
        keys.extend(window.keys)
        ctx.progress(len(keys), stage="Selecting items", unit="items")
        ctx.raise_if_cancelled()
    if not keys:
        raise Conflict(
            "The version wasn't created. The slice matches no items now.", next_step="Choose another slice, or use all labeled items."
        )
    return artifacts.put_bytes(keys.tobytes()).digest


def chosen(digest: str) -> frozenset[int]:
    """The keys that were kept."""
    keys = array(KEY)
    with artifacts.open_blob(digest) as file:
        keys.frombytes(file.read())
    return frozenset(keys)
