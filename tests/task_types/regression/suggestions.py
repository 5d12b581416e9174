"""Pre-labels of regression: the predicted number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.task_types.suggestions import Scored, Suggestions


class NumberSuggestions(Suggestions):
    """One number, without a score: the model has no confidence."""

    offered = "a number per text"

    def from_model(self, prediction: Mapping[str, Any], known: Mapping[str, str]) -> list[Scored]:
        """The number."""
        return [Scored({"number": prediction["number"]})]


ENTRY = NumberSuggestions()
