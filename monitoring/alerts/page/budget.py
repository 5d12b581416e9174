"""An error budget in one line, the same wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from lifecycle.ui.numbers import decimals
from monitoring.alerts import queries
from monitoring.alerts.models import Objective
from monitoring.alerts.rules import objectives as rules
from monitoring.alerts.rules.burn import BUDGET_LOW
from monitoring.alerts.rules.text import left_text


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One error budget. left: share of it, below 0 when overspent, None where nothing was measured; days:
    until it is spent, at the last day's rate; kind: of the bar.
    """

    objective: Objective
    title: str
    text: str
    left: float | None
    days: float | None
    kind: str

    @property
    def share(self) -> float | None:
        """What the bar shows, 0 to 1."""
        return None if self.left is None else max(0.0, self.left)

    @property
    def url(self) -> str:
        """The objectives of its endpoint."""
        return reverse("alerts:endpoint", args=[self.objective.endpoint.uuid])


def line_of(objective: Objective) -> BudgetLine:
    """A budget as a bar with a sentence."""
    title = f"{objective.get_kind_display()} {rules.share(objective.target)}"
    if objective.threshold_ms:
        title = f"{rules.share(objective.target)} within {decimals(objective.threshold_ms, 0)}\u00a0ms"
    found = queries.budget(objective)
    if found is None or found.left is None:
        return BudgetLine(objective, title, left_text(found), None, None, "ghost")
    kind = "bad" if found.left <= 0 else "warn" if found.left < BUDGET_LOW else "ok"
    return BudgetLine(objective, title, left_text(found), found.left, found.days_left, kind)
