"""The pages that an evaluation has, as tabs."""

from __future__ import annotations

from django.urls import reverse

from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.rules import is_several

PARTS = {"detail": "Report", "slices": "Groups", "threshold": "Threshold", "robustness": "Robustness"}


def tabs(evaluation: Evaluation, current: str) -> list[dict[str, object]]:
    """Links to all of them; of several classes a text there is the report alone. current: a name of PARTS."""
    return [
        {"label": label, "url": reverse(f"evaluation:{name}", args=[evaluation.uuid]), "current": name == current}
        for name, label in PARTS.items()
        if name == "detail" or not is_several(evaluation.report)
    ]
