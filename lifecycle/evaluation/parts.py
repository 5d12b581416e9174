"""The pages that an evaluation has, as tabs."""

from __future__ import annotations

from django.urls import reverse

from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.rules import is_marks, is_several
from lifecycle.evaluation.text_rules import writes

PARTS = {"detail": "Report", "slices": "Groups", "threshold": "Threshold", "robustness": "Robustness"}


def tabs(evaluation: Evaluation, current: str) -> list[dict[str, object]]:
    """Links to all of them; none where there is the report alone: of several classes, marks and written texts. current: of PARTS."""
    report = evaluation.report
    found = {} if is_several(report) or is_marks(report) or writes(report) else PARTS
    return [
        {"label": label, "url": reverse(f"evaluation:{name}", args=[evaluation.uuid]), "current": name == current}
        for name, label in found.items()
    ]
