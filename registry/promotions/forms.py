"""Forms of promotions. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet

from lifecycle.runtime.refusals import Refused
from registry.catalog import queries as catalog
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access.forms import StepUpForm
from registry.ground.access.models import User
from registry.promotions import plans
from registry.promotions.plans import MAX_MARGIN, MAX_SHARE, Plan
from registry.promotions.rules import REASON_MAX


class VersionChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # it takes none at run time
    """Versions by model and number."""

    def label_from_instance(self, obj: Any) -> str:
        """Model and semver."""
        return f"{obj.model} {obj.semver}"


DEFAULT = Plan()


def as_percent(share: float) -> float:
    """A share of 1 in percent, without the dust of floating point."""
    return round(100 * share, 6)


class PlanForm(forms.Form):
    """The plan as a person writes it: percent and percentage points."""

    steps = forms.CharField(
        max_length=80,
        label="Steps (%)",
        help_text=(
            f"Rising traffic shares ending at 100, the one before at most {MAX_SHARE // 100}. Sticky keys"
            " stay on their arm."
        ),
    )
    min_requests = forms.IntegerField(
        label="Canary requests per step",
        help_text="At least 100. Requests with the same sticky key in the same minute count once.",
    )
    min_minutes = forms.IntegerField(
        label="Minutes per step", help_text="Three steps of 480 cover every hour of a day."
    )
    margin = forms.FloatField(
        label="Error-rate margin (percentage points)",
        help_text=(
            "The canary widens when the upper bound of its error-rate increase is below this. Maximum"
            f" {as_percent(MAX_MARGIN):g}."
        ),
    )
    wrong_margin = forms.FloatField(
        required=False,
        label="Wrong-prediction margin (percentage points)",
        help_text=(
            "Optional. The canary then needs feedback, and widens only when the upper bound of its increase"
            " in wrong predictions, among those with feedback, is below this. If empty, it widens without"
            " feedback and is marked accordingly."
        ),
    )
    shadow_disagreement = forms.FloatField(
        required=False,
        label="Maximum shadow disagreement (%)",
        help_text=(
            "Optional. The version must then run as a shadow before the canary, and widens only when the"
            " upper bound of its predictions that differ from what clients got is at most this. If empty, it"
            " widens without a shadow too."
        ),
    )
    rise = forms.FloatField(
        label="Smallest increase to detect (percentage points)",
        help_text="A canary this much worse is rolled back within the forecast time, with 80 % power.",
    )
    max_hours = forms.IntegerField(
        label="Maximum step duration (hours)",
        help_text="After this it's on hold and on-call is notified. Time alone never widens it.",
    )
    automatic = forms.TypedChoiceField(
        label="When all conditions are met",
        choices=[("yes", "Widen automatically"), ("no", "Ask someone at each step")],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )

    DEFAULTS: dict[str, Any] = {
        "steps": ", ".join(f"{step / 100:g}" for step in DEFAULT.steps),
        "min_requests": DEFAULT.min_requests,
        "min_minutes": DEFAULT.min_minutes,
        "margin": as_percent(DEFAULT.margin),
        "wrong_margin": "",
        "shadow_disagreement": "",
        "rise": as_percent(DEFAULT.rise),
        "max_hours": DEFAULT.max_hours,
        "automatic": "yes",
    }

    def clean_steps(self) -> tuple[int, ...]:
        """Percent as shares of 10,000."""
        parts = self.cleaned_data["steps"].replace("%", " ").replace(",", " ").replace(";", " ").split()
        try:
            return tuple(round(100 * float(part)) for part in parts)
        except (ValueError, OverflowError):
            raise forms.ValidationError("Separate numbers with commas, such as 5, 25, 50, 100.") from None

    def clean(self) -> dict[str, Any]:
        """The plan beside its fields, where it makes sense."""
        given = super().clean() or {}
        if self.errors:
            return given
        try:
            points = ("margin", "wrong_margin", "shadow_disagreement", "rise")
            given["plan"] = Plan(
                **given | {name: given[name] and round(given[name] / 100, 9) for name in points}
            )
        except Refused as refusal:
            for name, texts in refusal.fields.items():
                self.add_error(name if name in self.fields else None, texts)
        return given


class RequestForm(forms.Form):
    """A new request."""

    version = VersionChoice(
        queryset=ModelVersion.objects.none(), to_field_name="uuid", empty_label="Choose a version"
    )
    endpoint = forms.ModelChoiceField(
        queryset=Endpoint.objects.none(), to_field_name="uuid", empty_label="Choose an endpoint"
    )
    note = forms.CharField(
        required=False,
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What improved, and what reviewers should check.",
    )
    kind = forms.ChoiceField(
        label="Rollout plan",
        choices=plans.Kind.choices,
        initial=plans.Kind.AT_ONCE,
        widget=forms.RadioSelect,
        help_text="Approved with the version. A different plan needs a new request.",
    )
    share = forms.DecimalField(
        required=False,
        label="Canary share (%)",
        min_value=Decimal("0.01"),
        max_value=Decimal(MAX_SHARE) / 100,
        decimal_places=2,
        initial=5,
        help_text=(
            "Share of requests; the live version gets the rest. "
            "You widen or stop it; the server still closes it after 10 failures in 20 requests."
        ),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions: QuerySet[ModelVersion] = catalog.versions(user).filter(state=ModelVersion.State.ACTIVE)
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]
        self.fields["endpoint"].queryset = catalog.endpoints(user)  # type: ignore[attr-defined]

    def plan(self, rule: PlanForm) -> dict[str, Any] | None:
        """The chosen plan; None, with errors in the forms, where its fields aren't complete. rule: the fields
        of a canary under a rule.
        """
        kind, share = self.cleaned_data["kind"], self.cleaned_data.get("share")
        if kind == plans.Kind.CANARY:
            return plans.canary(rule.cleaned_data["plan"]) if rule.is_valid() else None
        if kind == plans.Kind.SHARE:
            if share is None:
                self.add_error("share", "Enter the share.")
                return None
            return plans.by_hand(int(share * 100))
        return plans.AT_ONCE


class DecisionForm(StepUpForm):
    """A verdict: reason and password are asked again by the action; `seen` is what the reviewer had before
    them.
    """

    seen = forms.CharField(max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Required. Saved with your decision; can't be edited.",
    )


class ApprovalForm(DecisionForm):
    """An approval with its consent."""

    consent = forms.BooleanField(label="I reviewed the gates and changes, and didn't work on this version")


class WithdrawForm(forms.Form):
    """Ending a request."""

    reason = forms.CharField(max_length=REASON_MAX)


class CommentForm(forms.Form):
    """A comment."""

    text = forms.CharField(
        label="Comment",
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Visible to everyone who can see this request.",
    )
