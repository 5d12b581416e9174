"""Forms of gold items."""

from __future__ import annotations

from typing import Any

from django import forms

from datasets_app.quality.actions.gold import EXPLANATION, PER_LABEL
from datasets_app.queues.forms.answers import ValueForm


class GoldForm(ValueForm):
    """An item's gold label, and why."""

    explanation = forms.CharField(required=False, max_length=EXPLANATION)

    def clean(self) -> dict[str, Any]:
        """Require a value."""
        data = super().clean()
        if not self.errors and data["annotation"] is None:
            self.add_error(None, "Choose the correct label.")
        return data


class SampleForm(forms.Form):
    """How many labeled items become gold."""

    per_label = forms.IntegerField(label="Gold items per label", min_value=1, max_value=PER_LABEL, initial=5)
    imported = forms.BooleanField(label="Include imported labels", required=False)
