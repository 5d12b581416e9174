"""The form of a labeling function."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from datasets_app.assist.matching import Kind, Mode
from datasets_app.assist.models.functions import LabelingFunction
from datasets_app.assist.queries import suggesting
from datasets_app.datasets.models import Dataset


class FunctionForm(forms.Form):
    """A labeling function. changes: the version that it replaces."""

    name = forms.CharField(max_length=80)
    label = forms.TypedChoiceField(label="Label", coerce=UUID, empty_value=None)
    kind = forms.ChoiceField(
        label="Matches", choices=Kind.choices, initial=Kind.WORDS, widget=forms.RadioSelect
    )
    pattern = forms.CharField(
        strip=False,
        max_length=50_000,
        widget=forms.Textarea(
            attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
        help_text=(
            "Words and phrases, one per line; whole words, case-insensitive. Or an RE2 regular expression:"
            " start with (?i) to ignore case; \\pL matches any letter; \\b and \\w are ASCII only."
        ),
    )
    mode = forms.ChoiceField(
        label="A text must contain",
        choices=Mode.choices,
        initial=Mode.ANY,
        required=False,
        widget=forms.RadioSelect,
    )
    changes = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def __init__(
        self, dataset: Dataset, *args: Any, function: LabelingFunction | None = None, **kwargs: Any
    ) -> None:
        if function:
            kept = {name: getattr(function, name) for name in ("name", "label", "kind", "pattern", "mode")}
            kwargs["initial"] = kept | {"changes": function.uuid}
        super().__init__(*args, **kwargs)
        labels = [(key, label.name) for key, label in suggesting.open_labels(dataset).items()]
        self.fields["label"].choices = [("", "Choose a label"), *labels]  # type: ignore[attr-defined]

    def clean_mode(self) -> str:
        """Any of the words if empty."""
        return str(self.cleaned_data["mode"] or Mode.ANY)
