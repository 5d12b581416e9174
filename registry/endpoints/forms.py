"""Forms of endpoints. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from django import forms


class DeployForm(forms.Form):
    """Which approval to use."""

    request = forms.UUIDField(widget=forms.HiddenInput)


class RollBackForm(forms.Form):
    """Why, and the version that becomes live as the person typed it. seen: the alias' moves when they looked."""

    reason = forms.CharField(max_length=500, required=False)
    typed = forms.CharField(max_length=40, required=False)
    seen = forms.IntegerField(min_value=0)


class TryForm(forms.Form):
    """One text for the endpoint."""

    text = forms.CharField(
        max_length=10_000, strip=False, widget=forms.Textarea(attrs={"rows": 3}), help_text="As a customer would write it."
    )


class AsOfForm(forms.Form):
    """A moment."""

    at = forms.DateTimeField(label="Moment, UTC", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
