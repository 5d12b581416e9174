"""Forms of traffic. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from typing import Any

from django import forms

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.task_type import TaskType
from monitoring.traffic.models import Kpi, Side
from monitoring.traffic.rules import FeedbackKind

NONE = " none"  # no label begins with a blank


class FeedbackForm(forms.Form):
    """Right, or wrong and what would be right."""

    right = forms.ChoiceField(
        label="Prediction",
        choices=[("yes", "Correct"), ("no", "Wrong")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    label = forms.ChoiceField(label="Correct label", required=False)
    labels = forms.MultipleChoiceField(
        label="Correct labels", required=False, widget=forms.CheckboxSelectMultiple
    )
    text = forms.CharField(label="Correct response", required=False, widget=forms.Textarea({"rows": 4}))
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

    def __init__(
        self, *args: Any, task_type: TaskType, labels: list[str], keeps_text: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.task_type = task_type
        names = [(label, label) for label in labels]
        if task_type.one_label:
            self.fields["label"].choices = [("", "Unknown"), *names]  # type: ignore[attr-defined]
            del self.fields["labels"]
        else:
            del self.fields["label"]
            if task_type.labels_texts:
                self.fields["labels"].choices = [*names, (NONE, "None of the labels")]  # type: ignore[attr-defined]
            else:
                del self.fields["labels"]
        if not (task_type.writes_text and keeps_text):
            del self.fields["text"]

    def clean_labels(self) -> list[str]:
        """The labels, or that there is none."""
        chosen: list[str] = self.cleaned_data["labels"]
        if NONE in chosen and len(chosen) > 1:
            raise forms.ValidationError("Choose labels, or none of them.")
        return chosen

    @property
    def value(self) -> Value | None:
        """The correct annotation of a valid form; None where it isn't known, or is a label."""
        if text := self.cleaned_data.get("text"):
            return {self.task_type.answers.name: text}
        chosen = self.cleaned_data.get("labels")
        return {self.task_type.answers.name: [each for each in chosen if each != NONE]} if chosen else None


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
    prediction = forms.UUIDField(label="Prediction", required=False)
