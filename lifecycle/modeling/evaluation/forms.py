"""Forms for analyses, preference tests, and pre-labels."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from datasets_app.datasets.models import Dataset
from lifecycle.modeling.evaluation import suggesters
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.ports import shelves
from lifecycle.modeling.evaluation.side_by_side import LEAST, MOST


class AnalyseForm(forms.Form):
    """kind: an analysis of the whole evaluation."""

    kind = forms.ChoiceField(
        choices=[(kind.value, kind.label) for kind in Analysis.Kind if kind != Analysis.Kind.WORDS]
    )


class SideBySideForm(forms.Form):
    """Two evaluations, and the number of response pairs to annotate."""

    key = forms.UUIDField()
    a = forms.UUIDField()
    b = forms.UUIDField()
    pairs = forms.IntegerField(min_value=LEAST, max_value=MOST)


class OverlapForm(forms.Form):
    """The number of annotators per pair."""

    overlap = forms.IntegerField(min_value=1, max_value=5)


class SuggestForm(forms.Form):
    """model: its kind and uuid, joined by a colon. queue: whose open items to pre-label; empty for all items
    of the dataset.
    """

    model = forms.CharField(error_messages={"required": "Choose a model."})
    queue: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        None,
        label="Texts",
        required=False,
        to_field_name="uuid",
        empty_label="All items of the dataset",
        error_messages={"invalid_choice": "Choose an open queue of this dataset."},
    )

    def __init__(self, dataset: Dataset, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["queue"].queryset = suggesters.open_queues(dataset)  # type: ignore[attr-defined]
        self.fields["queue"].label_from_instance = lambda queue: f"Open items in {queue.name}"  # type: ignore[attr-defined]

    def clean_model(self) -> tuple[str, UUID]:
        """The kind and the uuid."""
        kind, _, uuid = self.cleaned_data["model"].partition(":")
        try:
            found = UUID(uuid)
        except ValueError as error:
            raise forms.ValidationError("Choose a model.") from error
        if kind not in shelves():
            raise forms.ValidationError("Choose a model.")
        return kind, found
