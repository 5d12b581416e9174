"""Forms of this room. The engine defines the ranges: its errors become messages of these fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from django import forms

from lifecycle.ground.jobs.rules import PRIORITY_WORDS, Priority
from lifecycle.modeling.training import search
from lifecycle.modeling.training.rules import Sampler
from lifecycle.runtime.engine.spec import DEVICES, OPERATING, POOLINGS, PRECISIONS, SCHEDULES
from lifecycle.runtime.engine.task_types.settings import Choice, Suggestion
from lifecycle.runtime.refusals import Refusal
from lifecycle.ui.forms import add_refusal

LABELS = {
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate (encoder)",
    "head_learning_rate": "Learning rate (head)",
    "max_tokens": "Max sequence length (tokens)",
    "rank": "LoRA rank",
    "alpha": "LoRA alpha",
    "dropout": "Adapter dropout",
    "dora": "DoRA",
    "rank_stabilised": "Rank-stabilised LoRA",
    "width": "Adapter width",
    "virtual_tokens": "Virtual tokens",
    "max_new_tokens": "Max response length (tokens)",
    "frozen_layers": "Frozen layers (from the bottom)",
    "accumulation": "Gradient accumulation steps",
    "processes": "Processes",
    "sharded": "Shard the model across processes",
    "max_gradient_norm": "Max gradient norm (0: off)",
    "focal_gamma": "Focal loss gamma (0: off)",
    "evaluations_per_epoch": "Evaluations per epoch",
    "patience": "Early stopping patience (evaluations, 0: off)",
    "warmup_fraction": "Warm-up (share of steps)",
    "weight_decay": "Weight decay",
    "operating_point": "Optimise thresholds for",
    "operating_target": "Target precision or recall",
    "operating_class": "Label with a threshold",
    "rehearsal": "Rehearsal (share of training rows)",
    "keep_head": "Reuse the base model's head",
}
WHOLE = {
    *(
        "epochs",
        "batch_size",
        "max_tokens",
        "max_new_tokens",
        "rank",
        "width",
        "virtual_tokens",
        "frozen_layers",
        "evaluations_per_epoch",
    ),
    *("patience", "accumulation", "processes"),
}
CHOICES = {
    "pooling": POOLINGS,
    "precision": PRECISIONS,
    "schedule": SCHEDULES,
    "operating_point": OPERATING,
    "device": DEVICES,
}
WORDS = {("device", "auto"): "First available", ("device", "cpu"): "CPU", ("device", "cuda"): "GPU"}
LINE = "Queued jobs start by priority, then by time in the queue."
FIRST = (
    *(
        "epochs",
        "batch_size",
        "learning_rate",
        "head_learning_rate",
        "max_tokens",
        "max_new_tokens",
        "rank",
        "virtual_tokens",
        "width",
    ),
    *(
        "frozen_layers",
        "class_weights",
        "operating_class",
        "operating_point",
        "operating_target",
        "rehearsal",
        "keep_head",
        "device",
    ),
)


class PriorityField(forms.ChoiceField):
    """Where in line it is to wait; the default is normal. Gives a Priority."""

    def __init__(self, usual: Priority, help_text: str) -> None:
        super().__init__(label="Priority", choices=PRIORITY_WORDS, initial=usual.word, help_text=help_text)

    def clean(self, value: Any) -> Priority:
        """Raise ValidationError for an invalid priority."""
        return Priority.of(super().clean(value or self.initial))


class StartForm(forms.Form):
    """A form that starts something once, on the requested data, base, and strategy.

    not_there: sentences about missing ones that were replaced: then it is invalid.
    """

    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, not_there: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.not_there = not_there

    def clean(self) -> dict[str, Any]:
        """Training starts only on what was requested."""
        for text in self.not_there:
            self.add_error(None, text)
        return self.cleaned_data

    def refuse(self, refusal: Refusal) -> None:
        """Show why nothing was started. The key changes, so the form isn't taken for what it started before
        when it is sent again.
        """
        add_refusal(self, refusal)
        self.data = {name: self.data[name] for name in self.data} | {"key": str(uuid4())}


class LaunchForm(StartForm):
    """The settings of a run. Each field starts with the suggestion for this data and its reason."""

    note = forms.CharField(
        label="Note", max_length=300, required=False, help_text="What you want to find out with this run."
    )
    seed = forms.IntegerField(
        label="Seed", initial=1, help_text="The same seed, data and machine give the same weights."
    )
    priority = PriorityField(Priority.NORMAL, LINE)

    def __init__(self, *args: Any, suggestion: Suggestion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choice in suggestion.choices.items():
            self.fields[name] = field_for(name, choice)
        self.settings_names = list(suggestion.choices)
        if "head_learning_rate" not in suggestion.choices and "learning_rate" in self.fields:
            self.fields["learning_rate"].label = "Learning rate"  # one for all trained weights

    def options(self) -> dict[str, Any]:
        """The options of the spec."""
        return {name: self.cleaned_data[name] for name in [*self.settings_names, "seed"]}

    def first(self) -> list[forms.BoundField]:
        """The common settings."""
        return [self[name] for name in FIRST if name in self.fields]

    def rest(self) -> list[forms.BoundField]:
        """The advanced settings."""
        return [self[name] for name in self.settings_names if name not in FIRST] + [self["seed"]]


def field_for(name: str, choice: Choice) -> forms.Field:
    """The field of one setting, with its reason as help."""
    value, label = choice.value, LABELS.get(name, name.replace("_", " ").capitalize())
    common: dict[str, Any] = {"label": label, "initial": value, "help_text": choice.reason}
    if isinstance(value, bool):
        return forms.BooleanField(required=False, **common)
    if choice.among:
        return forms.ChoiceField(choices=choice.among, required="" not in dict(choice.among), **common)
    if name in WHOLE:
        return forms.IntegerField(**common)
    if name in CHOICES:
        return forms.ChoiceField(
            choices=[(each, WORDS.get((name, each), each)) for each in CHOICES[name]], **common
        )
    return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **common)


class SweepForm(StartForm):
    """The space of a sweep. Each setting is text: a single value is the same in all trials; a range or
    several values are searched.
    """

    trials = forms.IntegerField(
        label="Trials", initial=20, help_text="Up to 200, one at a time. No combination is tried twice."
    )
    minutes = forms.IntegerField(
        label="Time limit (min)",
        required=False,
        help_text="No trial starts after the limit; the current one finishes.",
    )
    sampler = forms.ChoiceField(
        label="Sampler",
        choices=Sampler.choices,
        initial=Sampler.TPE,
        help_text=(
            "TPE samples ten random trials, then focuses on promising regions. Random samples uniformly."
        ),
    )
    seed = forms.IntegerField(
        label="Sampler seed", initial=1, help_text="The same seed and scores give the same trials."
    )
    prunes = forms.BooleanField(
        label="Prune trials below the median",
        initial=True,
        required=False,
        help_text=(
            "A trial stops if its best score at an evaluation is below the median of the others at that"
            " point."
        ),
    )
    warmup_trials = forms.IntegerField(
        label="Trials before pruning starts", initial=5, help_text="Trials that always run to completion."
    )
    priority = PriorityField(
        Priority.LATER, f"Applies to each trial. Choose a lower priority to let single runs go first. {LINE}"
    )
    note = forms.CharField(
        label="Note", max_length=300, required=False, help_text="What you want to find out with this sweep."
    )

    def __init__(self, *args: Any, suggestion: Suggestion, strategy: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = suggestion.choices
        self.space = search.suggested_space(strategy, suggestion.values())
        self.settings_names = [
            name for name in dict.fromkeys((*search.SEARCHED, *choices)) if name in choices
        ]
        for name in self.settings_names:
            searched = name in search.SEARCHED
            self.fields[name] = (
                self.domain_field(name, choices[name]) if searched else field_for(name, choices[name])
            )

    def domain_field(self, name: str, choice: Choice) -> forms.Field:
        """The text field of a setting, with its usual range."""
        value = choice.value
        scale = " on a log scale" if name in search.LOG else ""
        hint = (
            f"Searched{scale}."
            if name in self.space
            else f"To search it{scale}, enter {search.usual_domain(name, value)}."
        )
        label = LABELS.get(name, name.replace("_", " ").capitalize())
        return forms.CharField(
            label=label,
            initial=str(self.space.get(name) or search.format_value(value)),
            help_text=f"{choice.reason} {hint}",
        )

    def clean(self) -> dict[str, Any]:
        """Texts as values and domains; an invalid value is reported at its field."""
        given = super().clean()
        space: dict[str, Any] = {}
        options: dict[str, Any] = {}
        for name in self.settings_names:
            if name not in given:
                continue
            try:
                value = search.parse(name, given[name]) if name in search.SEARCHED else given[name]
            except ValueError as error:
                self.add_error(name, str(error))
                continue
            (space if isinstance(value, dict) else options)[name] = value
        return given | {"space": space, "options": options}

    def wanted(self) -> dict[str, Any]:
        """Arguments of `start_sweep` besides data, base, and strategy."""
        names = (
            "space",
            "options",
            "trials",
            "minutes",
            "sampler",
            "seed",
            "prunes",
            "warmup_trials",
            "priority",
            "note",
            "key",
        )
        return {name: self.cleaned_data[name] for name in names}

    def first(self) -> list[forms.BoundField]:
        """What is searched by default."""
        return [self[name] for name in self.settings_names if name in self.space]

    def rest(self) -> list[forms.BoundField]:
        """The advanced settings."""
        return [self[name] for name in self.settings_names if name not in self.space]

    def extent(self) -> list[forms.BoundField]:
        """The number of trials, time limit, and sampler."""
        return [
            self[name]
            for name in (
                "trials",
                "minutes",
                "sampler",
                "seed",
                "prunes",
                "warmup_trials",
                "priority",
                "note",
            )
        ]


class KeyForm(forms.Form):
    """A button that starts something once, however often it is pressed."""

    key = forms.UUIDField()


class FolderForm(forms.Form):
    """A local folder of safetensors."""

    path = forms.CharField(
        label="Folder",
        max_length=300,
        help_text="Absolute path of a folder with config.json, a tokenizer, and safetensors.",
    )
    name = forms.CharField(
        label="Name", max_length=120, required=False, help_text="Defaults to the folder name."
    )


class HubForm(forms.Form):
    """A model of the Hugging Face Hub at one commit."""

    hub_id = forms.CharField(label="Hub ID", max_length=200, help_text="owner/name, as on huggingface.co.")
    revision = forms.CharField(
        label="Commit",
        max_length=64,
        help_text="Full hash (40 hexadecimal digits), so the weights can't change later.",
    )
