"""The form of label changes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from datasets_app.review.queries.moves import queues_open
from datasets_app.schemas.forms.schemas import ProposalsField
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.schemas.relabeling import KINDS, Change, split_names

ROWS = 6  # changes that the page takes at once


class ChangesForm(forms.Form):
    """Label changes, one per row, and the queues that get the new version. seen: the edited version; looked:
    digest of the preview.
    """

    seen = forms.IntegerField(widget=forms.HiddenInput)
    looked = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    move = forms.MultipleChoiceField(
        label="Move these queues to the new version",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="In the other queues, annotators still see the old labels.",
    )
    accepting = ProposalsField(required=False)

    def __init__(self, schema: LabelSchema, *args: Any, **kwargs: Any) -> None:
        queues = list(queues_open(schema.dataset))
        kwargs["initial"] = {"seen": schema.version, "move": [str(queue.uuid) for queue in queues]} | (
            kwargs.get("initial") or {}
        )
        super().__init__(*args, **kwargs)
        self.fields["move"].choices = [(str(queue.uuid), queue.name) for queue in queues]  # type: ignore[attr-defined]
        labels = [("", "no change"), *((str(label.stable_id), label.name) for label in schema.labels.all())]
        for number in range(1, ROWS + 1):
            self.fields[f"class_{number}"] = forms.ChoiceField(label="Label", choices=labels, required=False)
            self.fields[f"kind_{number}"] = forms.ChoiceField(label="Change", choices=KINDS, required=False)
            self.fields[f"into_{number}"] = forms.CharField(
                label="New names",
                required=False,
                max_length=1_000,
                widget=forms.TextInput(attrs={"list": "names", "autocomplete": "off", "spellcheck": "false"}),
            )

    @property
    def rows(self) -> list[list[forms.BoundField]]:
        """The fields of each change."""
        return [
            [self[f"{name}_{number}"] for name in ("class", "kind", "into")] for number in range(1, ROWS + 1)
        ]

    def typed(self) -> dict[str, Any]:
        """The submitted data, to show again; all open queues move by default."""
        data = {name: self.data.get(name, "") for name in self.fields if name not in ("move", "accepting")}
        return data | ({"move": self.cleaned_data["move"]} if self.cleaned_data["looked"] else {})

    def wanted(self) -> list[Change]:
        """The chosen changes."""
        data = self.cleaned_data
        numbers = [number for number in range(1, ROWS + 1) if data.get(f"class_{number}")]
        return [
            Change(UUID(data[f"class_{n}"]), data[f"kind_{n}"] or KINDS[0][0], split_names(data[f"into_{n}"]))
            for n in numbers
        ]
