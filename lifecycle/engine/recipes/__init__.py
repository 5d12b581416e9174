"""One module per task. `recipe` says what each brings."""

from __future__ import annotations

from lifecycle.engine.recipes.free_text import FreeText
from lifecycle.engine.recipes.multi_label import MultiLabel
from lifecycle.engine.recipes.ranking import Ranking
from lifecycle.engine.recipes.recipe import Recipe
from lifecycle.engine.recipes.single_label import SingleLabel
from lifecycle.engine.recipes.spans import Spans

# By the task of a spec.
RECIPES: dict[str, Recipe] = {
    "single_label": SingleLabel(), "multi_label": MultiLabel(), "spans": Spans(), "free_text": FreeText(), "preference": Ranking(),
    "ranking": Ranking(),
}  # fmt: skip

__all__ = ["RECIPES", "Recipe"]
