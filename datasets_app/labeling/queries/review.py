"""What a reviewer looks at: an item's answers side by side, and how such pairs were settled before."""

from __future__ import annotations

from collections.abc import Iterable

from datasets_app.labeling.models import Annotation, Decision, Label, Slot
from registry.ledger.rules import digest_of


def answers_in(slots: Iterable[Slot]) -> list[Annotation]:
    """The current answers of an item's filled slots, in the order of the slots."""
    return [slot.annotation for slot in slots if slot.state == Slot.State.DONE and slot.annotation is not None]


def label_of(answer: Annotation) -> Label:
    """The class that an answer names. Raises ValueError for a skip."""
    if answer.label is None:
        raise ValueError("A skip is no answer.")
    return answer.label


def seen_digest(slots: Iterable[Slot], current: Decision | None) -> str:
    """What a reviewer looked at: the item's answers and the decision that held."""
    answers = sorted(str(answer.uuid) for answer in answers_in(slots))
    return digest_of({"answers": answers, "decision": current.digest if current else ""})
