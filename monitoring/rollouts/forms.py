"""Forms of rollouts: shape alone; a plan judges itself, and actions ask the rules."""

from __future__ import annotations

from typing import Any

from django import forms

from lifecycle.refusals import Refused
from monitoring.rollouts.rules import Plan
from monitoring.rollouts.rules.plan import MAX_MARGIN, MAX_SHARE

DEFAULT = Plan()


def as_percent(share: float) -> float:
    """A share of 1 in percent, without the dust of floating point."""
    return round(100 * share, 6)


class PlanForm(forms.Form):
    """The plan as a person writes it: percent and percentage points."""

    steps = forms.CharField(
        max_length=80,
        label="Steps, %",
        help_text=f"Rising shares of the traffic, the last 100, the one before at most {MAX_SHARE // 100}. Sticky keys keep their arm.",
    )
    min_requests = forms.IntegerField(
        label="Canary requests at each step", help_text="At least 100. Requests of one sticky key in one minute count once."
    )
    min_minutes = forms.IntegerField(label="Minutes at each step", help_text="Three steps of 480 see every hour of a day.")
    margin = forms.FloatField(
        label="Margin, percentage points",
        help_text=f"It widens when the error share is higher by less than this, at the upper bound. At most {as_percent(MAX_MARGIN):g}.",
    )
    rise = forms.FloatField(
        label="Rise to be found, percentage points", help_text="A canary worse by this is taken back in the time told beside, 4 times of 5."
    )
    max_hours = forms.IntegerField(
        label="Longest time of a step, hours", help_text="Then it holds, and you are told. It never widens by time."
    )
    automatic = forms.TypedChoiceField(
        label="When every condition holds", choices=[("yes", "Widen by itself"), ("no", "Ask a person at each step")],
        coerce=lambda value: value == "yes", widget=forms.RadioSelect,
    )  # fmt: skip

    DEFAULTS: dict[str, Any] = {
        "steps": ", ".join(f"{step / 100:g}" for step in DEFAULT.steps), "min_requests": DEFAULT.min_requests,
        "min_minutes": DEFAULT.min_minutes, "margin": as_percent(DEFAULT.margin), "rise": as_percent(DEFAULT.rise),
        "max_hours": DEFAULT.max_hours, "automatic": "yes",
    }  # fmt: skip

    def clean_steps(self) -> tuple[int, ...]:
        """Percent as shares of 10,000."""
        parts = self.cleaned_data["steps"].replace("%", " ").replace(",", " ").replace(";", " ").split()
        try:
            return tuple(round(100 * float(part)) for part in parts)
        except (ValueError, OverflowError):
            raise forms.ValidationError("Write numbers between commas, such as 5, 25, 50, 100.") from None

    def clean(self) -> dict[str, Any]:
        """The plan beside its fields, where it makes sense."""
        given = super().clean() or {}
        if self.errors:
            return given
        try:
            given["plan"] = Plan(**given | {"margin": round(given["margin"] / 100, 9), "rise": round(given["rise"] / 100, 9)})
        except Refused as refusal:
            for name, texts in refusal.fields.items():
                self.add_error(name if name in self.fields else None, texts)
        return given


class SeenForm(forms.Form):
    """The rollout's moves when the person looked."""

    seen = forms.IntegerField(min_value=0)


class WidenForm(SeenForm):
    """reason: where the rule does not say so itself."""

    reason = forms.CharField(max_length=500, required=False)


class AbortForm(SeenForm):
    """Why, and the version that has all traffic afterwards, as the person typed it."""

    reason = forms.CharField(max_length=500, required=False)
    typed = forms.CharField(max_length=40, required=False)
