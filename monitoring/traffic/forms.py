"""Forms of traffic. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from typing import Any

from django import forms


class FeedbackForm(forms.Form):
    """Right, or wrong and what would be right."""

    right = forms.ChoiceField(
        label="The answer was",
        choices=[("yes", "Right"), ("no", "Wrong")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    label = forms.ChoiceField(label="Right label, if you know it", required=False)

    def __init__(self, *args: Any, labels: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["label"].choices = [("", "I do not know"), *[(label, label) for label in labels]]  # type: ignore[attr-defined]
