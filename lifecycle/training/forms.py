"""Forms of this room. Ranges are the engine's: its refusals come back as messages on these fields."""

from __future__ import annotations

from typing import Any

from django import forms

from lifecycle.engine.defaults import Suggestion
from lifecycle.engine.spec import POOLINGS, PRECISIONS, SCHEDULES

LABELS = {
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate, encoder",
    "head_learning_rate": "Learning rate, head",
    "max_tokens": "Longest text, in tokens",
    "rank": "LoRA rank",
    "alpha": "LoRA alpha",
    "dropout": "Adapters' dropout",
    "dora": "DoRA",
    "rank_stabilised": "Rank-stabilised LoRA",
    "width": "Width of the adapters",
    "frozen_layers": "Frozen layers, from below",
    "accumulation": "Batches of one step",
    "max_gradient_norm": "Longest gradient (0: any)",
    "focal_gamma": "Focal loss, gamma (0: none)",
    "evaluations_per_epoch": "Evaluations an epoch",
    "patience": "Patience, in evaluations (0: none)",
    "warmup_fraction": "Warm-up, share of steps",
    "weight_decay": "Weight decay",
}
WHOLE = {"epochs", "batch_size", "max_tokens", "rank", "evaluations_per_epoch", "patience", "width", "frozen_layers", "accumulation"}
CHOICES = {"pooling": POOLINGS, "precision": PRECISIONS, "schedule": SCHEDULES}
FIRST = ("epochs", "batch_size", "learning_rate", "head_learning_rate", "max_tokens", "rank", "width", "frozen_layers", "class_weights")


class LaunchForm(forms.Form):
    """The settings of a run. Each field starts from what is suggested for this data and says why."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    note = forms.CharField(label="Note", max_length=300, required=False, help_text="What this run is to find out.")
    seed = forms.IntegerField(label="Seed", initial=1, help_text="The same seed, data and machine give the same weights.")

    def __init__(self, *args: Any, suggestion: Suggestion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choice in suggestion.choices.items():
            self.fields[name] = field_for(name, choice.value, choice.reason)
        self.settings_names = list(suggestion.choices)

    def options(self) -> dict[str, Any]:
        """What goes into the spec."""
        return {name: self.cleaned_data[name] for name in [*self.settings_names, "seed"]}

    def first(self) -> list[forms.BoundField]:
        """The settings that people change."""
        return [self[name] for name in FIRST if name in self.fields]

    def rest(self) -> list[forms.BoundField]:
        """The settings that rarely matter."""
        return [self[name] for name in self.settings_names if name not in FIRST] + [self["seed"]]


def field_for(name: str, value: Any, reason: str) -> forms.Field:
    """The field of one setting, with its reason as help."""
    common: dict[str, Any] = {"label": LABELS.get(name, name.replace("_", " ").capitalize()), "initial": value, "help_text": reason}
    if isinstance(value, bool):
        return forms.BooleanField(required=False, **common)
    if name in WHOLE:
        return forms.IntegerField(**common)
    if name in CHOICES:
        return forms.ChoiceField(choices=[(each, each) for each in CHOICES[name]], **common)
    return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **common)


class KeyForm(forms.Form):
    """A button that starts something once, however often it is pressed."""

    key = forms.UUIDField()


class FolderForm(forms.Form):
    """A local folder of safetensors."""

    path = forms.CharField(
        label="Folder", max_length=300, help_text="Whole path of a folder with config.json, a tokenizer and safetensors."
    )
    name = forms.CharField(label="Name", max_length=120, required=False, help_text="By default the folder's own name.")


class HubForm(forms.Form):
    """A model of the Hugging Face Hub at one commit."""

    hub_id = forms.CharField(label="Hub id", max_length=200, help_text="owner/name, as on huggingface.co.")
    revision = forms.CharField(
        label="Commit", max_length=64, help_text="40 hexadecimal digits, so that it can never change under its name."
    )
