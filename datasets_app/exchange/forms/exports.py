"""The form of annotation exports."""

from __future__ import annotations

from typing import Any

from django import forms

from datasets_app.exchange.rules import export_formats


class ExportForm(forms.Form):
    """The format, among those that can represent the task."""

    format = forms.ChoiceField(label="Format")

    def __init__(self, task: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["format"].choices = [(each.value, each.label) for each in export_formats(task)]  # type: ignore[attr-defined]
