"""Annotation forms of a task: in labeling, in review, and for gold items.

Templates are in `task_types/<key>/`, with defaults in `task_types/base/`.
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
Option = Mapping[str, Any]  # {"id", "name", …}: what number keys choose


class Widget:
    """The annotation form of one task. scripts: in addition to the common ones. edits: whether review needs
    them too. saves: whether there is a Save button; otherwise choosing saves. save_key: its shortcut. merged:
    heading and explanation of merged annotations in review.
    """

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
        """Template paths of each part of a page, for `include`."""
        return {name: [f"{FOLDER}/{self.key}/{name}.html", f"{FOLDER}/base/{name}.html"] for name in PARTS}

    def layout(self, *, few: bool) -> str:
        """CSS classes of the labeling form. few: whether all labels are visible."""
        return "few" if few else "choose"

    def options(self, labels: Sequence[Label]) -> list[Option]:
        """The choices for the script: the labels."""
        return [
            {
                "id": str(label.uuid),
                "name": label.name,
                "group": label.group,
                "definition": label.definition,
                "examples": label.examples[:5],
                "lookalikes": label.lookalikes[:5],
            }
            for label in labels
        ]

    def buttons(self, item: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(value as JSON, name) of each button in the plain form. item: of the labeling page."""
        return []

    def content(self, item: Item, queue: Queue, viewer: User) -> dict[str, Any]:
        """The item's content besides its text, for this viewer."""
        return item.content or {}

    def fields(self, value: Value | None, text: str, names: Mapping[str, str]) -> dict[str, Any]:
        """Initial values of the form for another annotation, for its template. value: the likely one. names:
        of labels.
        """
        return {}

    def posted(self, data: QueryDict) -> Any | None:
        """The value in a submitted plain form, for `Answers.parse`; None if missing or empty."""
        return None

    def typed(self, data: QueryDict) -> Any | None:
        """The value a reviewer entered, with label names, which takes precedence over the clicked button;
        None if empty.
        """
        return None
