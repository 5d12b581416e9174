"""Forms of labeling and review."""

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
    """Fields sent with every annotation and skip. have: the page's slots. left: how many of them aren't
    annotated yet.
    """

    slot = forms.IntegerField()
    client_key = forms.UUIDField()
    seconds = forms.FloatField(required=False, min_value=0)
    have = forms.CharField(required=False, max_length=500)
    left = forms.IntegerField(required=False, min_value=0)

    def clean_slot(self) -> int:
        """The key of the slot."""
        return unmask(self.cleaned_data["slot"], "slot")

    def clean_have(self) -> list[int]:
        """The page's slots, masked."""
        return [
            int(part)
            for part in self.cleaned_data["have"].split(",")
            if part.strip().isdecimal() and len(part.strip()) < 19
        ]


class ValueForm(forms.Form):
    """An annotation: a value as JSON, or the fields of its task."""

    value = ValueField(required=False)

    def clean(self) -> dict[str, Any]:
        """Add `annotation`, the value for the task's parser; None if empty."""
        data = super().clean() or {}
        return {**data, "annotation": data.get("value") or posted(cast(QueryDict, self.data))}


class AnswerForm(ValueForm, SlotForm):
    """One annotation."""

    token = forms.UUIDField(required=False)
    prelabel = forms.IntegerField(required=False)
    shown = forms.RegexField(r"^[0-4](,[0-4])*$", required=False)

    def clean_prelabel(self) -> int | None:
        """The key of the pre-label."""
        masked = self.cleaned_data["prelabel"]
        return unmask(masked, "prelabel") if masked else None

    def clean_shown(self) -> list[int] | None:
        """The order of the responses on the screen."""
        order = self.cleaned_data["shown"]
        return [int(part) for part in order.split(",")] if order else None

    def clean(self) -> dict[str, Any]:
        """Require a value."""
        data = super().clean()
        if not self.errors and data["annotation"] is None:
            self.add_error("value", "Choose a label.")
        return data


class SkipForm(SlotForm):
    """Why an item is skipped."""

    reason = forms.CharField(required=False, max_length=500)


class UndoForm(forms.Form):
    """Undo of the newest annotation or skip."""

    client_key = forms.UUIDField()


class RemarkForm(forms.Form):
    """A comment or a flag on an item."""

    item = forms.UUIDField()
    text = forms.CharField(required=False, max_length=2000, strip=True)
    on = forms.ChoiceField(required=False, choices=[("yes", "yes"), ("no", "no")])
