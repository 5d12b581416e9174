"""Forms of scans and findings."""

from __future__ import annotations

from django import forms

from datasets_app.scanning.actions.judging import REASON_LIMIT
from datasets_app.scanning.actions.sending import SLOTS
from datasets_app.scanning.rules import Kind, ScanKind, Status


class ScanForm(forms.Form):
    """The kind of scan."""

    kind = forms.ChoiceField(choices=ScanKind.choices)


class SendForm(forms.Form):
    """A queue of findings. kind: as shown on the page."""

    kind = forms.ChoiceField(choices=Kind.choices, widget=forms.HiddenInput)
    name = forms.CharField(label="Queue name", max_length=80)
    limit = forms.IntegerField(
        label="Maximum items",
        min_value=1,
        max_value=SLOTS,
        initial=200,
        help_text="Most likely problems first.",
    )
    overlap = forms.TypedChoiceField(
        label="Annotators per item",
        coerce=int,
        initial=1,
        choices=[(n, f"{n} {'person' if n == 1 else 'people'}") for n in range(1, 6)],
        help_text="An annotation that contradicts an adjudicated or imported label goes to review.",
    )


class JudgeForm(forms.Form):
    """Confirm or reopen a finding. seen: the status shown on the page."""

    seen = forms.ChoiceField(choices=Status.choices, required=False)


class DismissForm(JudgeForm):
    """The reason of a dismissal."""

    reason = forms.CharField(
        max_length=REASON_LIMIT, error_messages={"required": "Enter why nothing is wrong."}
    )
