"""What coefficients are called, and which of them stands for all where one figure is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {
    "percent": ("Equal pairs of answers", ""),
    "alpha": ("Krippendorff's alpha, nominal", "any number of people, missing answers allowed"),
    "alpha_ordinal": ("Krippendorff's alpha, ordinal", "says something only where the order of the classes is a scale"),
    "alpha_masi": ("Krippendorff's alpha, MASI distance", "sets of classes; partly equal sets count partly"),
    "fleiss": ("Fleiss' kappa", "the same number of answers everywhere"),
    "span_f1": ("Span F1, exact", "both ends and the class are equal"),
    "span_f1_overlap": ("Span F1, overlapping", "same class, at least one character in common"),
}
WITHOUT_CLASSES = {"alpha_masi": ("Krippendorff's alpha", "two answers are equal or they are not")}
LEADING = ("alpha", "alpha_masi", "span_f1")  # every kind of answer has exactly one of these


def names(*, has_labels: bool) -> dict[str, tuple[str, str]]:
    """Name and note of each coefficient by its code. has_labels: whether answers name classes."""
    return NAMES if has_labels else NAMES | WITHOUT_CLASSES


def leading(coefficients: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The coefficient, as JSON, that is shown where there is room for one: on a queue's page, and on a model card."""
    return next(each for each in coefficients if each["name"] in LEADING)
