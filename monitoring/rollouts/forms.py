"""Forms of rollouts: shape alone; actions ask the rules."""

from __future__ import annotations

from django import forms

from monitoring.rollouts.rules import REASON_MAX


class SeenForm(forms.Form):
    """The rollout's moves when the person looked."""

    seen = forms.IntegerField(min_value=0)


class WidenForm(SeenForm):
    """reason: where the rule does not say so itself."""

    reason = forms.CharField(max_length=REASON_MAX, required=False)


class AbortForm(SeenForm):
    """Why, and the version that has all traffic afterwards, as the person typed it."""

    reason = forms.CharField(max_length=REASON_MAX, required=False)
    typed = forms.CharField(max_length=40, required=False)
