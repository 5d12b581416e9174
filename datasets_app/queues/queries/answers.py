"""The current annotations of an item, and its content, as adjudicators see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.queues import Slot
from datasets_app.schemas.queries.changes import classes_since, present_labels
from datasets_app.schemas.rules import ClassesNow, through
from lifecycle.runtime.task_types.values import labels_of


def with_current_labels(answers: list[Annotation]) -> list[Annotation]:
    """The same annotations with current labels; in memory only, since annotations never change.

    A merged label becomes its target; sets and spans are converted by `rules.through`, without retired
    labels.
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
    """The current annotations in an item's filled slots, in slot order, with current labels."""
    return with_current_labels(
        [slot.annotation for slot in slots if slot.state == Slot.State.DONE and slot.annotation is not None]
    )


def readable(content: dict[str, Any]) -> dict[str, Any]:
    """Content with every response as text, and a chat prompt as turns."""
    texts = [
        (
            response
            if isinstance(response, str)
            else "\n\n".join(str(turn.get("content") or "") for turn in response)
        )
        for response in content.get("responses", [])
    ]
    prompt = content.get("prompt")
    return {**content, "responses": texts, "turns": prompt if isinstance(prompt, list) else []}
