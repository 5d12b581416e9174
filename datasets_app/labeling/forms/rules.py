"""A rule as people write it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from datasets_app.datasets.models import Dataset
from datasets_app.labeling.matching import Kind, Mode
from datasets_app.labeling.models.rules import Rule
from datasets_app.labeling.queries import suggesting


class RuleForm(forms.Form):
    """A rule that suggests a class. changes: the version that it changes."""

    name = forms.CharField(max_length=80)
    label = forms.TypedChoiceField(label="Class", coerce=UUID, empty_value=None)
    kind = forms.ChoiceField(label="Looks for", choices=Kind.choices, initial=Kind.WORDS, widget=forms.RadioSelect)
    pattern = forms.CharField(
        strip=False, max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off", "class": "mono"}),
        help_text="Words and phrases, one a line: whole words, whatever their case. Or a regular expression as RE2 reads it: (?i) at its"
        " beginning ignores case, \\pL is any letter; \\b and \\w know only those of ASCII.",
    )  # fmt: skip
    mode = forms.ChoiceField(
        label="Of the words, a text needs", choices=Mode.choices, initial=Mode.ANY, required=False, widget=forms.RadioSelect
    )
    changes = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def __init__(self, dataset: Dataset, *args: Any, rule: Rule | None = None, **kwargs: Any) -> None:
        if rule:
            kept = {name: getattr(rule, name) for name in ("name", "label", "kind", "pattern", "mode")}
            kwargs["initial"] = kept | {"changes": rule.uuid}
        super().__init__(*args, **kwargs)
        labels = [(key, label.name) for key, label in suggesting.open_labels(dataset).items()]
        self.fields["label"].choices = [("", "Choose a class"), *labels]  # type: ignore[attr-defined]

    def clean_mode(self) -> str:
        """Any of the words where nothing was chosen."""
        return str(self.cleaned_data["mode"] or Mode.ANY)
