"""Declining a guideline proposal."""

from __future__ import annotations

from django import forms


class DeclineForm(forms.Form):
    """Why a proposal is declined."""

    reason = forms.CharField(max_length=1000, error_messages={"required": "Enter a reason."})
