"""What the bench and the review send."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.http import QueryDict

from datasets_app.queues.masks import unmask
from datasets_app.queues.task_types.by_key import posted


class ValueField(forms.JSONField):
    """A value as JSON."""

    def to_python(self, value: Any) -> Any:
        """Parse JSON. Deep nesting and numbers with thousands of digits are rejected."""
        try:
            return super().to_python(value)
        except (RecursionError, ValueError) as error:
            raise forms.ValidationError("Invalid value.") from error


class SlotForm(forms.Form):
    """What every answer from a bench carries. have: the slots that the page knows. left: how many of them wait to be answered there."""

    slot = forms.IntegerField()
    client_key = forms.UUIDField()
    seconds = forms.FloatField(required=False, min_value=0)
    have = forms.CharField(required=False, max_length=500)
    left = forms.IntegerField(required=False, min_value=0)

    def clean_slot(self) -> int:
        """The key of the slot."""
        return unmask(self.cleaned_data["slot"], "slot")

    def clean_have(self) -> list[int]:
        """The slots on the page, as it calls them."""
        return [int(part) for part in self.cleaned_data["have"].split(",") if part.strip().isdecimal() and len(part.strip()) < 19]


class SaysForm(forms.Form):
    """An annotation: a value as JSON, or the fields of its task."""

    value = ValueField(required=False)

    def clean(self) -> dict[str, Any]:
        """What the task's module reads, as `said`; None if empty."""
        data = super().clean() or {}
        return {**data, "said": data.get("value") or posted(cast(QueryDict, self.data))}


class AnswerForm(SaysForm, SlotForm):
    """One answer."""

    token = forms.UUIDField(required=False)
    suggestion = forms.IntegerField(required=False)
    shown = forms.RegexField(r"^[0-4](,[0-4])*$", required=False)

    def clean_suggestion(self) -> int | None:
        """The key of the suggestion."""
        masked = self.cleaned_data["suggestion"]
        return unmask(masked, "suggestion") if masked else None

    def clean_shown(self) -> list[int] | None:
        """The order of the responses on the screen."""
        told = self.cleaned_data["shown"]
        return [int(part) for part in told.split(",")] if told else None

    def clean(self) -> dict[str, Any]:
        """Require a value."""
        data = super().clean()
        if not self.errors and data["said"] is None:
            self.add_error("value", "Choose a label.")
        return data


class SkipForm(SlotForm):
    """Why an item is passed on."""

    reason = forms.CharField(required=False, max_length=500)


class UndoForm(forms.Form):
    """One step back."""

    client_key = forms.UUIDField()


class RemarkForm(forms.Form):
    """A comment or a flag on an item."""

    item = forms.UUIDField()
    text = forms.CharField(required=False, max_length=2000, strip=True)
    on = forms.ChoiceField(required=False, choices=[("yes", "yes"), ("no", "no")])
