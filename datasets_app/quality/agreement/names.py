"""Names of coefficients, and the leading one to show as a single figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {
    "percent": ("Pairwise agreement", ""),
    "alpha": ("Krippendorff's alpha, nominal", "any number of annotators; missing annotations allowed"),
    "alpha_ordinal": ("Krippendorff's alpha, ordinal", "meaningful only if the label order is a scale"),
    "alpha_masi": ("Krippendorff's alpha, MASI distance", "sets of labels; partial overlap counts partly"),
    "fleiss": ("Fleiss' kappa", "needs the same number of annotations for every item"),
    "span_f1": ("Span F1, exact", "start, end, and label are equal"),
    "span_f1_overlap": ("Span F1, overlapping", "same label, at least one shared character"),
}
WITHOUT_CLASSES = {"alpha_masi": ("Krippendorff's alpha", "two annotations are equal or not")}
LEADING = ("alpha", "alpha_masi", "span_f1")  # every task has exactly one of these


def names(*, has_labels: bool) -> dict[str, tuple[str, str]]:
    """Name and note of each coefficient by its code. has_labels: whether the task has labels."""
    return NAMES if has_labels else NAMES | WITHOUT_CLASSES


def leading(coefficients: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The coefficient, as JSON, to show as a single figure: on a queue's page, and on a model card."""
    return next(each for each in coefficients if each["name"] in LEADING)
