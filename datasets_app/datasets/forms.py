"""Forms of datasets and uploads."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from django import forms

from datasets_app.datasets import queries
from datasets_app.datasets.importing import label_config
from datasets_app.datasets.importing.mapping import roles_for
from datasets_app.datasets.importing.readers import (
    BINARY,
    DELIMITERS,
    ENCODINGS,
    PARSERS,
    TEXTUAL,
    WITH_HEADER,
)
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.datasets.rules import SPLITS, Provenance
from lifecycle.runtime.task_types.columns import Role
from registry.ground.access.models import User

VALUES_SHOWN = 40  # values of a label column on the page; the API takes all
KEEP = "="  # prefix of the name that a value becomes, since an empty one means no label
SPLIT_CHOICES = [
    ("", "None: split when a version is created"),
    *((split, split.capitalize()) for split in SPLITS),
]


class DatasetForm(forms.ModelForm[Dataset]):
    """A new dataset."""

    config = forms.CharField(
        label="Labeling configuration",
        required=False,
        max_length=label_config.LIMIT,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono"}),
        help_text="Label Studio XML. Overrides the task above; its labels become version 1.",
    )

    class Meta:
        model = Dataset
        fields = ("project", "name", "task", "description", "language", "licence")
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}
        help_texts = {
            "task": "What annotators produce for each text. Can't be changed later.",
            "language": "For example en or de.",
            "licence": "Licence of the texts.",
        }

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        project = self.fields["project"]
        project.queryset = queries.projects_for_new(user)  # type: ignore[attr-defined]
        project.initial = project.queryset.first()  # type: ignore[attr-defined]
        project.empty_label = None  # type: ignore[attr-defined]


class UploadForm(forms.Form):
    """A file and its provenance. Every provenance field but the origin is collapsed."""

    file = forms.FileField(
        help_text=(
            "CSV, TSV, JSONL, JSON, text, CoNLL, Parquet, or Excel, also as .gz or .zip. You see a dry run"
            " before anything is imported."
        )
    )
    origin = forms.CharField(label="Source", required=False, max_length=200)
    collected_from = forms.DateField(
        label="Collected from", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    collected_until = forms.DateField(
        label="Collected until", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    collected_how = forms.CharField(label="Collection method", required=False, max_length=300)
    licence = forms.CharField(required=False, max_length=80, help_text="Licence of the texts.")
    consent = forms.CharField(
        required=False, max_length=300, help_text="What the authors agreed to, or why no consent is needed."
    )
    synthetic = forms.BooleanField(label="Synthetic texts (made by a program)", required=False)
    generator = forms.CharField(label="Program or model", required=False, max_length=200)

    def provenance(self) -> Provenance:
        """Provenance of the texts."""
        return Provenance(**{field.name: self.cleaned_data[field.name] for field in fields(Provenance)})

    @property
    def more(self) -> list[forms.BoundField]:
        """The fields about the texts, without the origin."""
        return [self[field.name] for field in fields(Provenance) if field.name != "origin"]

    @property
    def has_details(self) -> bool:
        """Whether any of them has a value or an error, so that the page expands them."""
        return any(field.value() or field.errors for field in self.more)


class ReadingForm(forms.Form):
    """Parsing settings, and the role of each column: one select per column, named by its position."""

    encoding = forms.ChoiceField(choices=[("", "Choose …"), *ENCODINGS.items()], required=False)
    parser = forms.ChoiceField(choices=list(PARSERS.items()))
    delimiter = forms.ChoiceField(choices=list(DELIMITERS.items()))
    has_header = forms.BooleanField(label="The first row has the column names", required=False)
    contradicting = forms.ChoiceField(
        label="Conflicting labels", choices=Upload.Contradicting.choices, required=False
    )
    default_split = forms.ChoiceField(
        label="Split of rows without one", choices=SPLIT_CHOICES, required=False
    )

    def __init__(self, data: Any = None, *, upload: Upload) -> None:
        self.upload = upload
        initial = {
            name: getattr(upload, name)
            for name in ("encoding", "parser", "delimiter", "has_header", "default_split", "contradicting")
        }
        super().__init__(data, initial=initial)
        if not upload.report.get("dry_run", {}).get("contradicting"):
            del self.fields["contradicting"]
        self.columns: list[str] = upload.report.get("dry_run", {}).get("columns", [])
        roles = [(role.value, role.words) for role in roles_for(upload.dataset.task)]
        for place, column in enumerate(self.columns):
            field = forms.ChoiceField(
                label=column, choices=roles, initial=upload.mapping.get(column, Role.IGNORE)
            )
            self.fields[f"column_{place}"] = field
        self.add_value_fields(upload)
        self.fields["parser"].choices = parser_choices(upload.parser)  # type: ignore[attr-defined]
        if upload.parser in BINARY:
            del self.fields["encoding"]
        if upload.parser != "csv":
            del self.fields["delimiter"]
        if upload.parser and upload.parser not in WITH_HEADER:
            del self.fields["has_header"]

    def add_value_fields(self, upload: Upload) -> None:
        """One select for each of the most frequent values of the label column: a label, a new label of that
        name, or no label.
        """
        found: dict[str, int] = upload.report.get("dry_run", {}).get("values", {})
        self.values = sorted(found, key=lambda value: (-found[value], value))[:VALUES_SHOWN]
        self.values_left = len(found) - len(self.values)
        choices = list(upload.dataset.task_type.answers.choices)
        known = choices or queries.known_labels(upload.dataset)
        for place, value in enumerate(self.values):
            target = upload.label_values.get(value, value)
            names = dict.fromkeys((*known, *({target} - {""})))
            options = [(f"{KEEP}{name}", name) for name in names if name != value or name in known]
            if value not in known:
                options.insert(
                    0, (f"{KEEP}{value}", "Not mapped (rows rejected)" if choices else f"New label: {value}")
                )
            field = forms.ChoiceField(
                label=f"{value} ({found[value]:,} {'row' if found[value] == 1 else 'rows'})",
                choices=[*options, ("", "No label")],
                initial=f"{KEEP}{target}" if target else "",
                required=False,
            )
            self.fields[f"value_{place}"] = field
        self.values_open = (
            any(upload.label_values.values())
            or bool(known)
            and any(value not in known for value in self.values)
        )

    @property
    def value_fields(self) -> list[forms.BoundField]:
        """The selects of the values, the most frequent first."""
        return [self[f"value_{place}"] for place in range(len(self.values))]

    def label_values(self) -> dict[str, str] | None:
        """What each value becomes; None if the label column changed or the form had no values."""
        label = [column for column, role in self.upload.mapping.items() if role == Role.LABEL]
        if not self.values or label != [
            column for column, role in self.mapping().items() if role == Role.LABEL
        ]:
            return None
        shown = [
            (value, f"value_{place}")
            for place, value in enumerate(self.values)
            if f"value_{place}" in self.data
        ]
        return self.upload.label_values | {
            value: self.cleaned_data[name].removeprefix(KEEP) for value, name in shown
        }

    @property
    def column_fields(self) -> list[forms.BoundField]:
        """The selects of the columns, in the order of the file."""
        return [self[f"column_{place}"] for place in range(len(self.columns))]

    def chosen(self) -> dict[str, Any]:
        """The parsing settings, as arguments of `actions.inspect`."""
        chosen = {name: self.cleaned_data.get(name, "") for name in ("encoding", "parser", "delimiter")}
        others = {name: self.cleaned_data.get(name) for name in ("has_header", "contradicting")}
        return {**chosen, **others, "default_split": self.cleaned_data["default_split"]}

    def mapping(self) -> dict[str, str]:
        """The role of each column."""
        return {
            column: self.cleaned_data[f"column_{place}"] or Role.IGNORE
            for place, column in enumerate(self.columns)
        }


def parser_choices(parser: str) -> list[tuple[str, str]]:
    """The parsers that can replace this one: a file's bytes determine whether it's Parquet, Excel or text."""
    return [
        (name, label)
        for name, label in PARSERS.items()
        if (name == parser if parser in BINARY else name in TEXTUAL)
    ]


class AcceptForm(forms.Form):
    """How labels are imported. seen: the digest of the reviewed dry run."""

    labels_as = forms.ChoiceField(
        label="Import labels as",
        choices=Upload.Labels.choices,
        widget=forms.RadioSelect,
        initial=Upload.Labels.DECISIONS,
        required=False,
    )
    seen = forms.CharField(widget=forms.HiddenInput)


class SliceForm(forms.Form):
    """Name, description and visibility of a slice."""

    name = forms.CharField(max_length=80)
    description = forms.CharField(max_length=300, required=False)
    shared = forms.BooleanField(label="Share with everyone who has access to the dataset", required=False)
