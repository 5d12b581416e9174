"""One module per task. `recipe` says what each brings."""

from __future__ import annotations

from lifecycle.engine.recipes.free_text import FreeText
from lifecycle.engine.recipes.multi_label import MultiLabel
from lifecycle.engine.recipes.recipe import Recipe
from lifecycle.engine.recipes.single_label import SingleLabel

RECIPES: dict[str, Recipe] = {"single_label": SingleLabel(), "multi_label": MultiLabel(), "free_text": FreeText()}  # by the task of a spec

__all__ = ["RECIPES", "Recipe"]
