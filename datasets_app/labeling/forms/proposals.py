"""What people propose for the guideline, and the answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from datasets_app.datasets.models import Dataset
from datasets_app.labeling.models.queues import Queue
from datasets_app.labeling.queries.labels import latest_schema, names_in


class ProposalForm(forms.Form):
    """What the guideline should say, and about which classes."""

    text = forms.CharField(
        label="What should the guideline say?", max_length=2000, widget=forms.Textarea(attrs={"rows": 5, "class": "in"}),
        error_messages={"required": "Enter the guideline change."},
        help_text="The rule you propose, in a sentence or two. A label manager accepts it or declines it with a reason.",
    )  # fmt: skip
    classes = forms.MultipleChoiceField(label="Labels concerned", required=False, widget=forms.CheckboxSelectMultiple)
    queue = forms.UUIDField(required=False, widget=forms.HiddenInput)
    item = forms.UUIDField(required=False, widget=forms.HiddenInput)
    back = forms.CharField(required=False, max_length=10, widget=forms.HiddenInput)

    def __init__(self, dataset: Dataset, queue: Queue | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        schema = queue.schema if queue else latest_schema(dataset)
        choices = list(names_in(schema).items())
        if choices:
            self.fields["classes"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["classes"]

    def about(self) -> list[UUID]:
        """The stable ids of the ticked classes."""
        return [UUID(key) for key in self.cleaned_data.get("classes", [])]


class DeclineForm(forms.Form):
    """Why a proposal is declined."""

    answer = forms.CharField(max_length=1000, error_messages={"required": "Enter a reason."})
