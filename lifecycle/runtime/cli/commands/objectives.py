"""What objectives list prints."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words

LIST = (
    "objective=what; target={target:%2}; days=window_days; state=now; budget left=budget_left; burn"
    " rate={budget.burn:,.2f}; measured=measured_at"
)
noun = Noun("Service-level objectives of an endpoint.")


@noun.draws("list")
def listed(words: Words, found: list[dict[str, Any]]) -> list[str | Table]:
    """With their error budgets, as the last evaluation measured them."""
    return [words.table(LIST, [row | {"what": indicator(row), "now": state(row)} for row in found])]


def indicator(row: dict[str, Any]) -> str:
    """Availability, or latency below 300 ms."""
    return f"{row['kind']} below {row['threshold_ms']:g} ms" if row["threshold_ms"] else str(row["kind"])


def state(row: dict[str, Any]) -> str:
    """Off, not measured yet, or as it was measured."""
    return "off" if not row["is_on"] else row["state"] or "not measured"
