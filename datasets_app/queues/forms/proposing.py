"""Forms about the guideline: a version that was read, or a proposed change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from datasets_app.datasets.models import Dataset, Item
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.queries.labels import latest_schema, names_in


class KnownForm(forms.Form):
    """A version of the guideline that a person has read."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)


class ProposalForm(forms.Form):
    """A proposed guideline change, and the labels concerned."""

    text = forms.CharField(
        label="What should the guideline say?",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5, "class": "in"}),
        error_messages={"required": "Enter the guideline change."},
        help_text=(
            "The rule you propose, in a sentence or two. A label manager accepts it or declines it with a"
            " reason."
        ),
    )
    labels = forms.MultipleChoiceField(
        label="Labels concerned", required=False, widget=forms.CheckboxSelectMultiple
    )
    queue = forms.UUIDField(required=False, widget=forms.HiddenInput)
    item = forms.UUIDField(required=False, widget=forms.HiddenInput)
    back = forms.CharField(required=False, max_length=10, widget=forms.HiddenInput)

    def __init__(
        self, dataset: Dataset, queue: Queue | None, example: Item | None, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        schema = queue.schema if queue else latest_schema(dataset)
        choices = list(names_in(schema).items())
        if choices:
            self.fields["labels"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["labels"]

    def clean_item(self) -> UUID | None:
        """The uuid of the example, which must be an item of the queue."""
        if self.cleaned_data["item"] and self.example is None:
            raise forms.ValidationError("This item isn't in the queue. Reload the page.")
        return self.cleaned_data["item"]

    def about(self) -> list[UUID]:
        """The stable ids of the selected labels."""
        return [UUID(key) for key in self.cleaned_data.get("labels", [])]
