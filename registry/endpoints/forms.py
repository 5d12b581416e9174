"""Forms of endpoints. Rules are asked by the actions; a form checks shape alone."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict

from lifecycle.runtime.task_types.served import Served
from lifecycle.runtime.task_types.shown import Given
from registry.catalog.models import ModelVersion
from registry.endpoints.models import Deployment, Fault
from registry.endpoints.rules import MAX_DELAY_MS, MAX_DRILL_MINUTES, REASON_MAX
from registry.ground.access.actions import TOKEN_DAYS_MAX


class DeployForm(forms.Form):
    """Which approval to use."""

    request = forms.UUIDField(widget=forms.HiddenInput)


class TokenForm(forms.Form):
    """A new token of a program."""

    name = forms.CharField(
        label="Service account", max_length=60, help_text="The program that will use it, such as mail router."
    )
    days = forms.IntegerField(
        label="Days until it expires", min_value=1, max_value=TOKEN_DAYS_MAX, initial=90
    )


class RollBackForm(forms.Form):
    """Why, and the version that becomes live as the person typed it. seen: the alias' moves when they
    looked.
    """

    reason = forms.CharField(max_length=REASON_MAX, required=False)
    typed = forms.CharField(max_length=40, required=False)
    seen = forms.IntegerField(min_value=0)


class TryForm(forms.Form):
    """One text for the endpoint, and candidates where its model ranks them."""

    text = forms.CharField(
        max_length=10_000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="As a customer would write it.",
    )
    candidates = forms.CharField(
        max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}), help_text="One per line, to be ranked."
    )

    def __init__(self, data: QueryDict | None = None, *, served: Served) -> None:
        super().__init__(data)
        self.served = served
        for name in {*self.fields} - {each.name.lower() for each in served.inputs}:
            del self.fields[name]

    def given(self) -> Given:
        """What was entered, by input."""
        given = {"TEXT": [self.cleaned_data["text"]]}
        if "candidates" in self.fields:
            lines = self.cleaned_data["candidates"].splitlines()
            given["CANDIDATES"] = [line for line in lines if line.strip()]
        return given


class AsOfForm(forms.Form):
    """A moment."""

    at = forms.DateTimeField(label="Time (UTC)", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))

    def clean_at(self) -> datetime:
        """In UTC, where the first and the last hours of all time may be none."""
        moment: datetime = self.cleaned_data["at"]
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError("Enter a time in the years 1 to 9999 (UTC).") from None


class SharePercent(forms.DecimalField):
    """A share as a person writes it, in percent; of 10,000 in the cleaned data."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=Decimal("0.01"), max_value=100, decimal_places=2, max_digits=5, **kwargs)

    def clean(self, value: Any) -> int:
        """5 % is 500."""
        return int(super().clean(value) * 100)


class VersionChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # it takes none at run time
    """Versions by their number."""

    def label_from_instance(self, obj: Any) -> str:
        """1.3.0 (run 12)."""
        return f"{obj.semver} (run {obj.run.number})"


class ShadowForm(forms.Form):
    """Which version is to be compared."""

    version = VersionChoice(queryset=ModelVersion.objects.none(), to_field_name="uuid", empty_label=None)
    share = SharePercent(
        label="Requests to copy (%)",
        initial=100,
        help_text="Copies run when a slot is free and are dropped otherwise.",
    )

    def __init__(self, *args: Any, versions: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]


class DeploymentChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """What answers clients, by version and arm."""

    def label_from_instance(self, obj: Any) -> str:
        """1.2.0, canary."""
        return f"{obj.version.semver}, {obj.get_arm_display().lower()}"


class DrillForm(forms.Form):
    """What shall go wrong, where, how often, for how long."""

    deployment = DeploymentChoice(
        label="Deployment",
        queryset=Deployment.objects.none(),
        to_field_name="uuid",
        empty_label=None,
        widget=forms.RadioSelect,
    )
    kind = forms.ChoiceField(
        label="Fault", choices=Fault.Kind.choices, widget=forms.RadioSelect, initial=Fault.Kind.ERROR
    )
    share = SharePercent(
        label="Affected requests (%)", initial=30, help_text="Errors: clients get status 500 for this share."
    )
    delay_ms = forms.IntegerField(
        label="Added delay (ms)",
        min_value=1,
        max_value=MAX_DELAY_MS,
        initial=1_000,
        required=False,
        help_text="For slow responses only.",
    )
    minutes = forms.IntegerField(
        label="Duration (minutes)",
        min_value=1,
        max_value=MAX_DRILL_MINUTES,
        initial=30,
        help_text="Ends automatically.",
    )
    reason = forms.CharField(
        max_length=REASON_MAX, help_text="Recorded in the audit log, such as the name of the drill."
    )

    def __init__(self, *args: Any, deployments: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["deployment"].queryset = deployments  # type: ignore[attr-defined]
        self.fields["deployment"].initial = deployments.order_by("arm").values_list("uuid", flat=True).first()

    def clean_delay_ms(self) -> int:
        """A second where nothing was written."""
        return int(self.cleaned_data["delay_ms"] or 1_000)


class StopForm(forms.Form):
    """Why."""

    reason = forms.CharField(max_length=REASON_MAX, required=False)
