"""Ranking: annotators order responses. Needs JavaScript. Each annotator sees them in a random order, which is
submitted with the annotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets_app.datasets.models import Item
from datasets_app.queues import rules
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.task_types.widget import Option, Widget
from datasets_app.schemas.models.schemas import Label
from registry.ground.access.models import User

MOST = 5  # responses


class ResponsesWidget(Widget):
    """Responses side by side."""

    def content(self, item: Item, queue: Queue, viewer: User) -> dict[str, Any]:
        """order: response numbers as displayed."""
        content = item.content or {}
        responses = content.get("responses", [])
        order = rules.side_order(queue.uuid, item.digest, viewer.uuid, len(responses))
        return {**content, "responses": [responses[number] for number in order], "order": order}


class RankingWidget(ResponsesWidget):
    """Best first."""

    scripts = ("js/queues/responses.js", "js/queues/task_types/ranking.js")

    def options(self, labels: Sequence[Label]) -> list[Option]:
        """The responses by letter."""
        return [{"id": str(at), "name": f"Response {chr(ord('A') + at)}"} for at in range(MOST)]


ENTRY = RankingWidget("ranking")
