"""Label schemas as text."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from datasets_app.datasets.importing import label_config
from datasets_app.datasets.models import Dataset
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.schemas.queries.labels import labels_by_name
from datasets_app.schemas.rules import LabelSpec
from lifecycle.runtime.task_types.inputs import clean


class ProposalsField(forms.Field):
    """The selected proposals. Whether they're still open is checked when the version is published."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[UUID]:
        """Their keys, in the order of the page."""
        try:
            return [UUID(str(each)) for each in value or []]
        except ValueError as error:
            raise forms.ValidationError("A selected proposal no longer exists. Reload the page.") from error


class SchemaForm(forms.Form):
    """Labels as lines of text: readable, pasteable, and usable without JavaScript."""

    classes = forms.CharField(
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false", "class": "mono"}),
        help_text=(
            "One label per line: name | definition. A line that starts with # is a heading of the label map."
            " Indented lines belong to the label above: “+ text” is an example, “~ other_label: why not” is a"
            " similar label. Or paste a Label Studio labeling configuration."
        ),
    )
    guideline = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 10}), required=False, help_text="Markdown. Rules for all labels."
    )
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)
    dropping = forms.CharField(widget=forms.HiddenInput, required=False)
    accepting = ProposalsField(required=False)

    def __init__(self, dataset: Dataset, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not dataset.task_type.has_labels:
            del self.fields["classes"]

    def check_dropped(self, schema: LabelSchema | None) -> bool:
        """Whether the author confirmed the removed labels; else they're listed, and submitting again
        confirms.
        """
        kept = {label.name for label in self.cleaned_data.get("classes", [])}
        dropped = [name for name in labels_by_name(schema) if name not in kept] if schema else []
        names = "; ".join(dropped)
        # reported by the action
        stale = schema is not None and self.cleaned_data["seen"] not in (None, schema.version)
        if not dropped or stale or self.cleaned_data["dropping"] == names:
            return True
        message = (
            f"This version retires {names}. Publish again to confirm. To keep the work on a label, rename or"
            " merge it under Change labels."
        )
        self.add_error("classes", message)
        if isinstance(self.data, QueryDict):
            again = self.data.copy()  # keeps the selected proposals
            again["dropping"] = names
            self.data = again
        return False

    def clean_classes(self) -> list[LabelSpec]:
        """The labels in the lines."""
        try:
            return read_classes(self.cleaned_data["classes"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


def read_classes(text: str) -> list[LabelSpec]:
    """Parse lines, or a Label Studio labeling configuration, to labels. Raises ValueError with the invalid
    line.
    """
    if label_config.looks_like(text):
        controls = label_config.controls(text)
        return [
            LabelSpec(name) for name in next((control.classes for control in controls if control.classes), ())
        ]
    found: list[dict[str, Any]] = []
    group = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        if line.lstrip().startswith("#"):
            group = line.lstrip(" \t#").strip()[:80]
        elif line[0] in " \t":
            if not found:
                raise ValueError(f"Line {number} is indented, but there's no label above it.")
            read_detail(found[-1], line.strip(), number)
        else:
            name, _, definition = line.partition("|")
            found.append(
                {
                    "name": clean(name),
                    "definition": definition.strip(),
                    "group": group,
                    "examples": [],
                    "lookalikes": [],
                }
            )
    return [
        LabelSpec(**{**each, "examples": tuple(each["examples"]), "lookalikes": tuple(each["lookalikes"])})
        for each in found
    ]


def read_detail(label: dict[str, Any], line: str, number: int) -> None:
    """Parse one indented line of a label."""
    if line.startswith("+"):
        label["examples"].append(line[1:].strip())
    elif line.startswith("~"):
        name, _, note = line[1:].partition(":")
        label["lookalikes"].append({"name": clean(name), "note": note.strip()})
    else:
        raise ValueError(f"Line {number} starts with neither + (an example) nor ~ (a similar label).")


def write_classes(schema: LabelSchema | None) -> str:
    """A version as lines of text, as parsed by `read_classes`."""
    lines: list[str] = []
    group = ""
    for label in schema.labels.all() if schema else []:
        if label.group != group:
            group = label.group
            lines += ["", f"# {group}"]
        lines.append(f"{label.name} | {label.definition}" if label.definition else label.name)
        lines += [f"  + {one_line(example)}" for example in label.examples]
        lines += [f"  ~ {close['name']}: {one_line(close.get('note', ''))}" for close in label.lookalikes]
    return "\n".join(lines).strip()


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())
