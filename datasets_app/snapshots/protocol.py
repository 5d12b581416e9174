"""Label sources and annotator agreement of a dataset version, as text. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets_app.queues.models.decisions import Decision
from lifecycle.runtime.words import things
from lifecycle.ui.numbers import count, decimals

NOT_MEASURED = "not measured: no item was annotated by two people"


def decided_by(protocol: Mapping[str, Any]) -> str:
    """ "280 imported, 20 adjudicated". protocol: from `counting.label_protocol`."""
    names = dict(Decision.How.choices)
    rows = sorted(protocol["decisions"].items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count(number)} {str(names[how]).lower()}" for how, number in rows)


def agreement(protocol: Mapping[str, Any]) -> str:
    """ "Krippendorff's alpha, nominal: 0.867, 95 % interval 0.802 to 0.914, 150 items, 3 annotators", or why
    there is none.
    """
    found = protocol["agreement"]
    if not found["n"]:
        return NOT_MEASURED
    on = f"{things(found['n'], 'item')}, {things(found['annotators'], 'annotator')}"
    if found["value"] is None:
        return f"{found['coefficient']}: {found['why'][0].lower()}{found['why'][1:].rstrip('.')} ({on})"
    ends = (
        "interval not measured"
        if found["low"] is None
        else f"95\u00a0% interval {decimals(found['low'])} to {decimals(found['high'])}"
    )
    return f"{found['coefficient']}: {decimals(found['value'])}, {ends}, {on}"
