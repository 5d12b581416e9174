"""The pages that an evaluation has, as tabs."""

from __future__ import annotations

from django.urls import reverse

from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.rules import is_marks, is_several

PARTS = {"detail": "Report", "slices": "Groups", "threshold": "Threshold", "robustness": "Robustness"}


def tabs(evaluation: Evaluation, current: str) -> list[dict[str, object]]:
    """Links to all of them; none where there is the report alone: of several classes, and of marks. current: a name of PARTS."""
    found = {} if is_several(evaluation.report) or is_marks(evaluation.report) else PARTS
    return [
        {"label": label, "url": reverse(f"evaluation:{name}", args=[evaluation.uuid]), "current": name == current}
        for name, label in found.items()
    ]
