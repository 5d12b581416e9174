"""How people give annotations of a task: on the bench, in review, and as gold.

Its templates lie in `task_types/<key>/`; those that it lacks, in `task_types/base/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict

from datasets_app.datasets.models import Item
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.models.schemas import Label
from lifecycle.runtime.task_types.answers import Value
from registry.ground.access.models import User

FOLDER = "datasets_app/queues/task_types"
PARTS = ("item", "answer", "keys", "legend", "review", "gold")
Option = Mapping[str, Any]  # {"id", "name", …}: what a digit chooses


class Widget:
    """One of a task. scripts: beside those of every bench. edits: whether review needs them too. saves: whether there is a Save button;
    else a choice is the annotation. save_key: what presses it. merged:
    what review calls the answers put together, and how they are."""

    scripts: tuple[str, ...] = ()
    edits: bool = False
    saves: bool = True
    merged: tuple[str, str] = ("Majority vote", "Parts that more than half of the annotations contain.")
    save_key: str = "↵"

    def __init__(self, key: str) -> None:
        """key: of the task."""
        self.key = key

    @property
    def parts(self) -> dict[str, list[str]]:
        """Where each part of a page lies, for `include`."""
        return {name: [f"{FOLDER}/{self.key}/{name}.html", f"{FOLDER}/base/{name}.html"] for name in PARTS}

    def layout(self, *, few: bool) -> str:
        """Classes of the bench's form. few: whether all labels are in sight."""
        return "few" if few else "choose"

    def options(self, labels: Sequence[Label]) -> list[Option]:
        """What is chosen from, as the script needs it: the labels."""
        return [
            {
                "id": str(label.uuid), "name": label.name, "group": label.group, "definition": label.definition,
                "examples": label.examples[:5], "lookalikes": label.lookalikes[:5],
            }
            for label in labels
        ]  # fmt: skip

    def buttons(self, item: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(value as JSON, name) of each annotation that a plain form has a button for. item: of a bench."""
        return []

    def content(self, item: Item, queue: Queue, viewer: User) -> dict[str, Any]:
        """What an item is beside its text, as this person sees it."""
        return item.content or {}

    def fields(self, value: Value | None, text: str, names: Mapping[str, str]) -> dict[str, Any]:
        """What the fields for another annotation begin with, for their template. value: the likely one. text: of the item. names: of
        labels."""
        return {}

    def posted(self, data: QueryDict) -> Any | None:
        """What the fields of a plain form say, for `Answers.parse`; None where they aren't there or nothing is chosen."""
        return None

    def typed(self, data: QueryDict) -> Any | None:
        """What a reviewer typed, which goes before the button that was pressed, its labels by name; None where nothing is typed."""
        return None
