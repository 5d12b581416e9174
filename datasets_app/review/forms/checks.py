"""The form to draw a sample."""

from __future__ import annotations

from django import forms

from datasets_app.review.actions.checks import LARGEST


class CheckForm(forms.Form):
    """The size of a sample, and how much of it may be wrong."""

    size = forms.IntegerField(label="Sample size (items)", min_value=1, max_value=LARGEST, initial=50)
    tolerated = forms.IntegerField(label="Tolerated errors (%)", min_value=0, max_value=50, initial=2)
