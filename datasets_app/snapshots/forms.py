"""Forms of snapshots."""

from __future__ import annotations

from typing import Any

from django import forms

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Slice
from datasets_app.snapshots import queries, rules
from datasets_app.snapshots.actions.freezing import SEED, SEED_LIMIT, SHARES
from datasets_app.snapshots.models import Export, Snapshot
from registry.ground.access.models import User


class FreezeForm(forms.Form):
    """How new items are split. after: the number of the newest version shown on the page."""

    train = forms.IntegerField(
        label="Train (%)",
        min_value=0,
        max_value=100,
        initial=SHARES["train"],
        help_text="For training models.",
    )
    validation = forms.IntegerField(
        label="Validation (%)",
        min_value=0,
        max_value=100,
        initial=SHARES["validation"],
        help_text=(
            "Selects the best step of a run. If the file has train but no validation rows, it's taken from"
            " train."
        ),
    )
    test = forms.IntegerField(
        label="Test (%)",
        min_value=0,
        max_value=100,
        initial=SHARES["test"],
        help_text="Evaluates models. A row in test stays in test in all later versions.",
    )
    slice: forms.ModelChoiceField[Slice] = forms.ModelChoiceField(
        None,
        required=False,
        to_field_name="uuid",
        empty_label="None: all labeled items",
        label="Limit to a slice",
        help_text=(
            "Only labeled items that match its filters now. Other items still keep duplicates and groups in"
            " one split."
        ),
    )
    seed = forms.IntegerField(
        min_value=0,
        max_value=SEED_LIMIT,
        initial=SEED,
        help_text="Same seed + same rows = same split. Any value works.",
    )
    note = forms.CharField(required=False, max_length=300, help_text="Purpose of this version.")
    after = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, dataset: Dataset, viewer: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["slice"].queryset = datasets.slices(viewer).filter(dataset=dataset)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Check that the shares add up to 100 %."""
        cleaned: dict[str, Any] = super().clean() or {}
        shares = self.shares(cleaned)
        if len(shares) == len(rules.SPLITS):
            for field, errors in rules.check_shares(shares).items():
                self.add_error(field, errors)
        return cleaned

    @staticmethod
    def shares(cleaned: dict[str, Any]) -> dict[str, int]:
        """The shares that were given."""
        return {split: cleaned[split] for split in rules.SPLITS if cleaned.get(split) is not None}


class ExportForm(forms.Form):
    """The kind of file."""

    format = forms.ChoiceField(choices=Export.Format.choices)

    def __init__(self, snapshot: Snapshot, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = queries.export_formats(snapshot)
        self.fields["format"].choices = [choice for choice in Export.Format.choices if choice[0] in known]  # type: ignore[attr-defined]
