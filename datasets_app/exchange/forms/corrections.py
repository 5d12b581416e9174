"""Forms of corrected labels."""

from __future__ import annotations

from django import forms


class CorrectionsForm(forms.Form):
    """A file that was exported and corrected."""

    file = forms.FileField(
        help_text=(
            "A dataset version of this dataset, exported as CSV, Excel, JSONL, or Parquet, with its columns"
            " item, decision, and label."
        )
    )


class AcceptCorrectionsForm(forms.Form):
    """Which labels a file overwrites."""

    take_moved = forms.BooleanField(
        label="Also overwrite labels that changed after the export", required=False
    )
