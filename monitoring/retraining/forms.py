"""Forms of retraining: shape only; rules check the values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from monitoring.retraining.rules import KINDS, LIMITS, REASON_MAX, Kind, Start


def number(name: str) -> forms.IntegerField:
    """A field for one of the limits."""
    limit = LIMITS[name]
    return forms.IntegerField(
        label=limit.label,
        help_text=limit.help,
        min_value=limit.low,
        max_value=limit.high,
        initial=limit.default,
    )


def start() -> forms.ChoiceField:
    """The field for what a retraining starts from."""
    return forms.ChoiceField(
        label="Start from",
        choices=Start.choices,
        initial=Start.BASE,
        help_text="From the live version, training continues with its weights, and what is forgotten is"
        " measured.",
    )


class TriggerForm(forms.Form):
    """One kind of trigger, as a whole. seen: the settings as the person read them."""

    enabled = forms.BooleanField(label="Propose automatically", required=False)
    threshold = forms.FloatField(label="Threshold")
    cooldown_days = number("cooldown_days")
    min_labels = number("min_labels")
    window_days = number("window_days")
    queue_items = number("queue_items")
    overlap = number("overlap")
    budget = number("budget")
    start = start()
    kind = forms.ChoiceField(choices=Kind.choices, widget=forms.HiddenInput)
    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, kind: str, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, auto_id=f"{kind}-%s", initial=dict(initial or {}) | {"kind": kind})
        meaning = KINDS[Kind(kind)]
        high = f"{meaning.high:,.6f}".rstrip("0").rstrip(".")
        self.fields["threshold"].help_text = f"{meaning.help} In {meaning.unit}, {meaning.low:g} to {high}."


class ProposeForm(forms.Form):
    """A person's own proposal."""

    note = forms.CharField(
        label="Reason",
        required=False,
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What you observed, for the lead who decides. Don't include customer texts.",
    )
    window_days = number("window_days")
    queue_items = number("queue_items")
    overlap = number("overlap")
    min_labels = number("min_labels")
    start = start()


class SeenForm(forms.Form):
    """What the person had read."""

    seen = forms.CharField(max_length=64)
    reason = forms.CharField(max_length=REASON_MAX, required=False)


class ReasonForm(forms.Form):
    """A reason; that there is one is the action's to ask."""

    reason = forms.CharField(max_length=REASON_MAX, required=False)
