"""The current answers of an item, and its content, as those read them who decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.queues import Slot
from datasets_app.schemas.queries.changes import classes_since, present_labels
from datasets_app.schemas.rules import ClassesNow, through
from lifecycle.runtime.task_types.values import labels_of


def read_through(answers: list[Annotation]) -> list[Annotation]:
    """The same answers, each with what its classes are now; in memory alone, for an answer never changes.

    One class is read as what it was merged into; sets and spans as `rules.through` says, without those that were retired.
    """
    present = present_labels([answer.label for answer in answers if answer.label]) if answers else {}
    named = {key for answer in answers if answer.value for key in labels_of(answer.value)}
    now = classes_since(named) if named else ClassesNow()
    for answer in answers:
        if answer.label and answer.label.stable_id in present:
            answer.label = present[answer.label.stable_id]
        elif answer.value:
            answer.value = through(answer.value, now)
    return answers


def answers_in(slots: Iterable[Slot]) -> list[Annotation]:
    """The current answers of an item's filled slots, in the order of the slots; their classes as they are since they were merged."""
    return read_through([slot.annotation for slot in slots if slot.state == Slot.State.DONE and slot.annotation is not None])


def readable(content: dict[str, Any]) -> dict[str, Any]:
    """Content with every response as a text, and a prompt that is a dialogue as turns."""
    texts = [
        said if isinstance(said, str) else "\n\n".join(str(turn.get("content") or "") for turn in said)
        for said in content.get("responses", [])
    ]
    prompt = content.get("prompt")
    return {**content, "responses": texts, "turns": prompt if isinstance(prompt, list) else []}
