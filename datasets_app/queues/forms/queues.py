"""Forms to open and change a queue."""

from __future__ import annotations

from typing import Any

from django import forms

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.queues.actions.opening import CHOICES
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.pages import annotators, uploads_to_label
from datasets_app.queues.rules import GOLD_MOST
from registry.ground.access.models import User


class MixForm(forms.Form):
    """How gold is mixed into a queue."""

    gold_rate = forms.IntegerField(
        label="Share of gold items (%)",
        min_value=0,
        max_value=GOLD_MOST,
        initial=0,
        required=False,
        help_text=(
            "Share of each annotator's items that are gold items. They look like any other item. 0 for none."
        ),
    )
    gold_feedback = forms.BooleanField(
        label="Show annotators gold results immediately (training mode)",
        required=False,
        help_text="Only the first annotation of each gold item counts then.",
    )
    gold_minimum = forms.IntegerField(
        label="Minimum gold accuracy (%)",
        min_value=1,
        max_value=100,
        required=False,
        help_text=(
            "ML leads are notified when an annotator is significantly below. Leave empty for no minimum."
        ),
    )
    gold_holds = forms.BooleanField(
        label="Pause annotators below the minimum until a lead clears them",
        required=False,
    )

    def clean_gold_rate(self) -> int:
        """0 if empty."""
        return int(self.cleaned_data["gold_rate"] or 0)


class ChangeForm(forms.Form):
    """The changeable settings of an open queue."""

    order = forms.ChoiceField(label="Order of open items", choices=Queue.Order.choices)
    due_on = forms.DateField(label="Due date", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    people: forms.ModelMultipleChoiceField[Any] = forms.ModelMultipleChoiceField(
        None,
        label="Assign to",
        required=False,
        to_field_name="uuid",
        widget=forms.CheckboxSelectMultiple,
        help_text="Leave empty to let every annotator work on it.",
    )

    def __init__(self, queue: Queue, data: Any = None) -> None:
        people = list(queue.people.values_list("uuid", flat=True))
        super().__init__(
            data,
            initial={"order": queue.order, "due_on": queue.due_on, "people": people},
            auto_id="change_%s",
        )
        kept = {queue.order} | set(Queue.Order.values) - {Queue.Order.MODEL}
        self.fields["order"].choices = [choice for choice in Queue.Order.choices if choice[0] in kept]  # type: ignore[attr-defined]
        self.fields["people"].queryset = annotators(queue.dataset)  # type: ignore[attr-defined]


class QueueForm(MixForm):
    """A new queue."""

    field_order = (
        "name",
        "source",
        "upload",
        "slice",
        "overlap",
        "acceptance",
        "hidden_share",
        "order",
        "people",
        "due_on",
    )

    name = forms.CharField(max_length=80)
    source = forms.ChoiceField(
        label="Items", choices=CHOICES, widget=forms.RadioSelect, initial=Queue.Source.UNLABELED
    )
    upload: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        None, label="Upload", required=False, to_field_name="uuid", empty_label="none"
    )
    slice: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        None, label="Slice", required=False, to_field_name="uuid", empty_label="none"
    )
    item: forms.ModelMultipleChoiceField[Any] = forms.ModelMultipleChoiceField(
        None, required=False, to_field_name="uuid", widget=forms.MultipleHiddenInput
    )
    overlap = forms.TypedChoiceField(
        label="Annotators per item",
        coerce=int,
        initial=1,
        choices=[(n, f"{n} {'person' if n == 1 else 'people'}") for n in range(1, 6)],
        help_text="With 2 or more, agreement is measured and disagreements go to review.",
    )
    hidden_share = forms.IntegerField(
        label="Items without pre-labels (%)",
        min_value=0,
        max_value=100,
        initial=20,
        help_text="Pre-labels are hidden on this share of items, to measure their influence.",
    )

    order = forms.ChoiceField(
        label="Order", choices=Queue.Order.choices, initial=Queue.Order.GIVEN, required=False
    )
    acceptance = forms.ChoiceField(
        label="Unanimous annotations",
        choices=Queue.Acceptance.choices,
        initial=Queue.Acceptance.RULE,
        required=False,
        help_text="An adjudicator reviews a sample and accepts the rest together.",
    )
    people: forms.ModelMultipleChoiceField[Any] = forms.ModelMultipleChoiceField(
        None,
        label="Assign to",
        required=False,
        to_field_name="uuid",
        widget=forms.CheckboxSelectMultiple,
        help_text="Leave empty to let every annotator work on it.",
    )
    due_on = forms.DateField(label="Due date", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, dataset: Dataset, viewer: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["people"].queryset = annotators(dataset)  # type: ignore[attr-defined]
        slices = self.fields["slice"]
        slices.queryset = datasets.slices(viewer).filter(dataset=dataset)  # type: ignore[attr-defined]
        slices.help_text = "Only for a queue of a slice; matched when the queue is filled."
        uploads = self.fields["upload"]
        uploads.queryset = uploads_to_label(dataset)  # type: ignore[attr-defined]
        uploads.help_text = "Only for a queue of one upload."
        self.limit_to_ticked(dataset)
        if not dataset.task_type.has_gold:
            for name in MixForm.base_fields:
                del self.fields[name]

    def limit_to_ticked(self, dataset: Dataset) -> None:
        """Offer only the selected items if some are selected, else the other sources."""
        ticked = self["item"].value() or []
        self.fields["item"].queryset = datasets.items(dataset)  # type: ignore[attr-defined]
        label = f"The {len(ticked):,} selected items" if len(ticked) > 1 else "The selected item"
        ways = (
            [(Queue.Source.ITEMS, label)]
            if ticked
            else [choice for choice in CHOICES if choice[0] != Queue.Source.ITEMS]
        )
        self.fields["source"].choices = ways  # type: ignore[attr-defined]
        for name in ("upload", "slice") if ticked else ("item",):
            del self.fields[name]

    def clean_acceptance(self) -> str:
        """Automatic if empty."""
        return str(self.cleaned_data["acceptance"] or Queue.Acceptance.RULE)

    def clean_order(self) -> str:
        """Import order if empty."""
        return str(self.cleaned_data["order"] or Queue.Order.GIVEN)
