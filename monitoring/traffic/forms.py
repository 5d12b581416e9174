"""Forms of traffic. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from typing import Any

from django import forms

from monitoring.traffic.models import Kpi, Side
from monitoring.traffic.rules import FeedbackKind


class FeedbackForm(forms.Form):
    """Right, or wrong and what would be right."""

    right = forms.ChoiceField(
        label="The answer was",
        choices=[("yes", "Right"), ("no", "Wrong")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    label = forms.ChoiceField(label="Right label, if you know it", required=False)
    kind = forms.ChoiceField(
        label="How you know",
        choices=[
            (FeedbackKind.REVIEW, "I looked at the text"),
            (FeedbackKind.OVERRIDE, "We acted otherwise than the answer said"),
            (FeedbackKind.TRUTH, "It turned out later"),
        ],
        required=False,
        initial=FeedbackKind.REVIEW,
    )

    def __init__(self, *args: Any, labels: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["label"].choices = [("", "I do not know"), *[(label, label) for label in labels]]  # type: ignore[attr-defined]


class KpiForm(forms.Form):
    """A new business figure."""

    name = forms.CharField(max_length=80, label="Name", help_text="What the business counts, such as “Handled without a second contact”.")
    kind = forms.ChoiceField(label="What one case reports", choices=Kpi.Kind.choices)
    unit = forms.CharField(max_length=20, label="Unit", required=False, help_text="Of a number: minutes, €. Leave it empty for a share.")
    direction = forms.ChoiceField(label="Which way is good", choices=Kpi.Direction.choices)
    holdout_percent = forms.FloatField(
        label="Held out, % of cases", min_value=0, max_value=50, initial=10,
        help_text="Cases that your system decides without the model. The split is checked against it.",
    )  # fmt: skip


class OutcomeForm(forms.Form):
    """What came of one case, by hand. Programs report them in batches."""

    arm = forms.ChoiceField(label="The case went", choices=[(Side.MODEL, "with the model"), (Side.HOLDOUT, "without it (hold-out)")])
    value = forms.FloatField(label="Value", help_text="0 or 1 where the figure is a share of cases.")
    prediction = forms.UUIDField(label="Prediction, if there is one", required=False)
