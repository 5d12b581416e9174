"""Forms of traffic. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from typing import Any

from django import forms

from monitoring.traffic.models import Kpi, Side
from monitoring.traffic.rules import FeedbackKind


class FeedbackForm(forms.Form):
    """Right, or wrong and what would be right."""

    right = forms.ChoiceField(
        label="Prediction",
        choices=[("yes", "Correct"), ("no", "Wrong")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    label = forms.ChoiceField(label="Correct label (optional)", required=False)
    kind = forms.ChoiceField(
        label="Source",
        choices=[
            (FeedbackKind.REVIEW, "I reviewed the text"),
            (FeedbackKind.OVERRIDE, "We overrode the prediction"),
            (FeedbackKind.TRUTH, "The true outcome became known"),
        ],
        required=False,
        initial=FeedbackKind.REVIEW,
    )

    def __init__(self, *args: Any, labels: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["label"].choices = [("", "Unknown"), *[(label, label) for label in labels]]  # type: ignore[attr-defined]


class KpiForm(forms.Form):
    """A new business figure."""

    name = forms.CharField(max_length=80, label="Name", help_text="For example “Resolved at first contact”.")
    kind = forms.ChoiceField(label="Type", choices=Kpi.Kind.choices)
    unit = forms.CharField(
        max_length=20,
        label="Unit",
        required=False,
        help_text="For numbers: minutes, €. Leave empty for a share.",
    )
    direction = forms.ChoiceField(label="Direction", choices=Kpi.Direction.choices)
    holdout_percent = forms.FloatField(
        label="Hold-out share (%)",
        min_value=0,
        max_value=50,
        initial=10,
        help_text="Cases your system decides without the model. The actual split is checked against it.",
    )


class OutcomeForm(forms.Form):
    """The result of one case, by hand. Programs report them in batches."""

    arm = forms.ChoiceField(
        label="Group", choices=[(Side.MODEL, "with the model"), (Side.HOLDOUT, "without it (hold-out)")]
    )
    value = forms.FloatField(label="Value", help_text="0 or 1 if the KPI is a share of cases.")
    prediction = forms.UUIDField(label="Prediction (optional)", required=False)
