"""What dashboard prints."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words

ABOUT = (
    "since={since}, {weeks} weeks; promotions={governance.requested:,} requested, {governance.approved:,}"
    " approved, {governance.waiting:,} in review; page"
)
MODELS = "endpoint; version; health; correct={right:%}; requests; p95 ms={p95_ms:,.1f}; drift={drift:mark}"
LIFTS = "figure=name; endpoint; cases=n; reading"
BUDGETS = "objective; endpoint; budget left={left:%}; days left={days:.1f}"
noun = Noun()


@noun.draws("dashboard")
def dashboard(words: Words, found: dict[str, Any]) -> list[str | Table]:
    """How the models do, the business figures, error budgets, and what needs a person."""
    models = words.tables((MODELS, found["models"])) or ["", "Nothing deployed yet."]
    notes = [f"{'!' if note['kind'] == 'bad' else '-'} {note['fact']}" for note in found["attention"]]
    return [
        words.facts(ABOUT, found),
        *models,
        *words.tables((LIFTS, found["lifts"]), (BUDGETS, found["budgets"])),
        "",
        *(notes or ["No open alerts or pending decisions."]),
    ]
