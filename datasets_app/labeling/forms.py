"""Forms of queues, schemas, the bench and the review."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from datasets_app.datasets.models import Dataset
from datasets_app.labeling import queries
from datasets_app.labeling.actions.queues import CHOICES
from datasets_app.labeling.matching import Kind, Mode
from datasets_app.labeling.models import LabelSchema, Queue, Rule
from datasets_app.labeling.queries import changes, suggesting
from datasets_app.labeling.relabelling import KINDS, Change, split_names
from datasets_app.labeling.rules import LabelSpec, clean_name
from datasets_app.labeling.values import TASKS


class QueueForm(forms.Form):
    """What a new queue takes and how."""

    name = forms.CharField(max_length=80)
    source = forms.ChoiceField(label="Items", choices=CHOICES, widget=forms.RadioSelect, initial=Queue.Source.UNDECIDED)
    upload: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        None, label="Upload", required=False, to_field_name="uuid", empty_label="none"
    )
    overlap = forms.TypedChoiceField(
        label="Answers per item", coerce=int, initial=1, choices=[(n, f"{n} {'person' if n == 1 else 'people'}") for n in range(1, 6)],
        help_text="With 2 or more, agreement is measured and disagreements go to review.",
    )  # fmt: skip
    hidden_share = forms.IntegerField(
        label="Items without suggestions, in percent", min_value=0, max_value=100, initial=20,
        help_text="On this share of items nobody sees what a model suggests, so that its influence can be measured.",
    )  # fmt: skip

    order = forms.ChoiceField(label="Order", choices=Queue.Order.choices, initial=Queue.Order.GIVEN, required=False)
    people: forms.ModelMultipleChoiceField[Any] = forms.ModelMultipleChoiceField(
        None, label="For these people alone", required=False, to_field_name="uuid", widget=forms.CheckboxSelectMultiple,
        help_text="Nobody ticked: for everybody who may annotate.",
    )  # fmt: skip
    due_on = forms.DateField(label="Done by", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, dataset: Dataset, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["people"].queryset = queries.annotators(dataset)  # type: ignore[attr-defined]
        uploads = self.fields["upload"]
        uploads.queryset = queries.uploads_to_label(dataset)  # type: ignore[attr-defined]
        uploads.help_text = "Only for the items of one upload."

    def clean_order(self) -> str:
        """As the items came, where nothing was chosen."""
        return str(self.cleaned_data["order"] or Queue.Order.GIVEN)


class SchemaForm(forms.Form):
    """Classes as lines of text: readable, pasteable, and the same without JavaScript."""

    classes = forms.CharField(
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false", "class": "mono"}),
        help_text="One class a line: name | definition. A line that begins with # is a heading of the class map. Indented lines belong"
        " to the class above: “+ text” is an example, “~ other_class: why not” is a class that looks close.",
    )
    guideline = forms.CharField(widget=forms.Textarea(attrs={"rows": 10}), required=False, help_text="Markdown. Rules for all classes.")
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)
    dropping = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, dataset: Dataset, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not TASKS[dataset.task].USES_CLASSES:
            del self.fields["classes"]

    def check_dropped(self, schema: LabelSchema | None) -> bool:
        """Whether the author knows which classes the next version lacks; else it is said beside the classes, and sending again agrees."""
        kept = {label.name for label in self.cleaned_data.get("classes", [])}
        dropped = [name for name in queries.labels_by_name(schema) if name not in kept] if schema else []
        named = "; ".join(dropped)
        stale = schema is not None and self.cleaned_data["seen"] not in (None, schema.version)  # which the action tells
        if not dropped or stale or self.cleaned_data["dropping"] == named:
            return True
        told = f"This version retires {named}. Publish again to do so; to rename or merge a class without losing its work, change classes."
        self.add_error("classes", told)
        self.data = {**self.data.dict(), "dropping": named} if isinstance(self.data, QueryDict) else self.data
        return False

    def clean_classes(self) -> list[LabelSpec]:
        """The classes that the lines describe."""
        try:
            return read_classes(self.cleaned_data["classes"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


def read_classes(text: str) -> list[LabelSpec]:
    """Lines as classes. Raises ValueError with the number of the line that cannot be understood."""
    found: list[dict[str, Any]] = []
    group = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        if line.lstrip().startswith("#"):
            group = line.lstrip(" \t#").strip()[:80]
        elif line[0] in " \t":
            if not found:
                raise ValueError(f"Line {number} is indented, but no class stands above it.")
            read_detail(found[-1], line.strip(), number)
        else:
            name, _, definition = line.partition("|")
            found.append({"name": clean_name(name), "definition": definition.strip(), "group": group, "examples": [], "lookalikes": []})
    return [LabelSpec(**{**each, "examples": tuple(each["examples"]), "lookalikes": tuple(each["lookalikes"])}) for each in found]


def read_detail(label: dict[str, Any], line: str, number: int) -> None:
    """One indented line of a class."""
    if line.startswith("+"):
        label["examples"].append(line[1:].strip())
    elif line.startswith("~"):
        name, _, note = line[1:].partition(":")
        label["lookalikes"].append({"name": clean_name(name), "note": note.strip()})
    else:
        raise ValueError(f"Line {number} begins with neither + (an example) nor ~ (a class that looks close).")


def write_classes(schema: LabelSchema | None) -> str:
    """A version as lines of text: what `read_classes` reads back."""
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


class TickedField(forms.Field):
    """The ticked boxes of one name, blanks left out; None where not even a blank came."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[str] | None:
        """The values in the order of the page."""
        return [str(each)[:40] for each in value if each] if value else None


class ValueField(forms.JSONField):
    """A value as JSON."""

    def to_python(self, value: Any) -> Any:
        """What the text says. Nesting without end and numbers of thousands of digits are no value."""
        try:
            return super().to_python(value)
        except (RecursionError, ValueError) as error:
            raise forms.ValidationError("This is no value that is understood.") from error


class SlotForm(forms.Form):
    """What every answer from a bench carries. have: the slots that the page still holds."""

    slot = forms.IntegerField()
    client_key = forms.UUIDField()
    seconds = forms.FloatField(required=False, min_value=0)
    have = forms.CharField(required=False, max_length=500)

    def clean_have(self) -> list[int]:
        """The keys of the slots on the page."""
        return [int(part) for part in self.cleaned_data["have"].split(",") if part.strip().isdecimal() and len(part.strip()) < 19]


class SaysForm(forms.Form):
    """What somebody says of an item: one class, ticked classes (an empty one stands for none), a text, or a whole value as JSON."""

    label = forms.UUIDField(required=False)
    labels = TickedField(required=False)
    text = forms.CharField(required=False, strip=False)
    value = ValueField(required=False)

    def clean(self) -> dict[str, Any]:
        """The value that the task's module reads, as `said`; None where nothing was said."""
        data = super().clean() or {}
        label, labels, text = data.get("label"), data.get("labels"), data.get("text")
        ways = (("label", str(label) if label else None), ("text", text or None), ("labels", labels))
        data["said"] = data.get("value") or next(({name: said} for name, said in ways if said is not None), None)
        return data


class AnswerForm(SaysForm, SlotForm):
    """One answer."""

    token = forms.UUIDField(required=False)
    suggestion = forms.IntegerField(required=False)
    shown = forms.RegexField(r"^[0-4](,[0-4])*$", required=False)

    def clean_shown(self) -> list[int] | None:
        """The order of the responses on the screen."""
        told = self.cleaned_data["shown"]
        return [int(part) for part in told.split(",")] if told else None

    def clean(self) -> dict[str, Any]:
        """Something has to be said."""
        data = super().clean()
        if not self.errors and data["said"] is None:
            self.add_error("label", "Choose an answer.")
        return data


class SkipForm(SlotForm):
    """Why an item is passed on."""

    reason = forms.CharField(required=False, max_length=500)


class UndoForm(forms.Form):
    """One step back."""

    client_key = forms.UUIDField()


class RemarkForm(forms.Form):
    """A comment or a flag on an item."""

    item = forms.UUIDField()
    text = forms.CharField(required=False, max_length=2000, strip=True)
    on = forms.ChoiceField(required=False, choices=[("yes", "yes"), ("no", "no")])


class DecideForm(SaysForm):
    """A reviewer's decision: one of the answers, or another one: a class typed by its name, or the ticked ones where they are meant."""

    item = forms.UUIDField()
    as_ticked = forms.BooleanField(required=False)
    other = forms.CharField(required=False, max_length=120)
    reason = forms.CharField(required=False, max_length=1000)
    seen = forms.CharField(required=False, max_length=64)
    order = forms.CharField(required=False, max_length=10)

    def __init__(self, queue: Queue, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = queue

    def clean(self) -> dict[str, Any]:
        """The class that was chosen; one that was typed goes first."""
        data = super().clean()
        if not (data.get("value") or data.get("label") or data.get("text") or data.get("as_ticked")):
            data["said"] = None
        if data.get("text", "").strip():
            data["said"] = {"text": data["text"]}
        name = clean_name(data.get("other", ""))
        if name:
            label = queries.labels_by_name(self.queue.schema).get(name)
            if label is None:
                self.add_error("other", f"No class is called {name!r}.")
            data["said"] = {"label": str(label.uuid)} if label else None
        elif data["said"] is None and not self.errors:
            self.add_error("label", "Choose an answer or another class.")
        return data


class ReturnForm(forms.Form):
    """What annotators are asked to look at again."""

    item = forms.UUIDField()
    comment = forms.CharField(max_length=2000, error_messages={"required": "Say what they should look at."})
    seen = forms.CharField(required=False, max_length=64)
    order = forms.CharField(required=False, max_length=10)


class RuleForm(forms.Form):
    """A rule that suggests a class. changes: the version that it changes."""

    name = forms.CharField(max_length=80)
    label = forms.TypedChoiceField(label="Class", coerce=UUID, empty_value=None)
    kind = forms.ChoiceField(label="Looks for", choices=Kind.choices, initial=Kind.WORDS, widget=forms.RadioSelect)
    pattern = forms.CharField(
        strip=False, max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off", "class": "mono"}),
        help_text="Words and phrases, one a line: whole words, whatever their case. Or a regular expression as RE2 reads it: (?i) at its"
        " beginning ignores case, \\pL is any letter; \\b and \\w know only those of ASCII.",
    )  # fmt: skip
    mode = forms.ChoiceField(
        label="Of the words, a text needs", choices=Mode.choices, initial=Mode.ANY, required=False, widget=forms.RadioSelect
    )
    changes = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def __init__(self, dataset: Dataset, *args: Any, rule: Rule | None = None, **kwargs: Any) -> None:
        if rule:
            kept = {name: getattr(rule, name) for name in ("name", "label", "kind", "pattern", "mode")}
            kwargs["initial"] = kept | {"changes": rule.uuid}
        super().__init__(*args, **kwargs)
        labels = [(key, label.name) for key, label in suggesting.open_labels(dataset).items()]
        self.fields["label"].choices = [("", "Choose a class"), *labels]  # type: ignore[attr-defined]

    def clean_mode(self) -> str:
        """Any of the words where nothing was chosen."""
        return str(self.cleaned_data["mode"] or Mode.ANY)


ROWS = 6  # changes that the page takes at once


class ChangesForm(forms.Form):
    """Changes of classes, one a row, and the queues that go to the new version. seen: the version; looked: what was looked at before."""

    seen = forms.IntegerField(widget=forms.HiddenInput)
    looked = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    move = forms.MultipleChoiceField(
        label="Queues that go to the new version", required=False, widget=forms.CheckboxSelectMultiple,
        help_text="In a queue that stays behind people still choose among the old classes.",
    )  # fmt: skip

    def __init__(self, schema: LabelSchema, *args: Any, **kwargs: Any) -> None:
        queues = list(changes.queues_open(schema.dataset))
        kwargs["initial"] = {"seen": schema.version, "move": [str(queue.uuid) for queue in queues]} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.fields["move"].choices = [(str(queue.uuid), queue.name) for queue in queues]  # type: ignore[attr-defined]
        labels = [("", "no change"), *((str(label.stable_id), label.name) for label in schema.labels.all())]
        for number in range(1, ROWS + 1):
            self.fields[f"class_{number}"] = forms.ChoiceField(label="Class", choices=labels, required=False)
            self.fields[f"kind_{number}"] = forms.ChoiceField(label="Change", choices=KINDS, required=False)
            self.fields[f"into_{number}"] = forms.CharField(
                label="Names", required=False, max_length=1_000,
                widget=forms.TextInput(attrs={"list": "names", "autocomplete": "off", "spellcheck": "false"}),
            )  # fmt: skip

    @property
    def rows(self) -> list[list[forms.BoundField]]:
        """The fields of each change."""
        return [[self[f"{name}_{number}"] for name in ("class", "kind", "into")] for number in range(1, ROWS + 1)]

    def typed(self) -> dict[str, Any]:
        """What was sent, to be shown again; all open queues go along until somebody has looked at them."""
        data = {name: self.data.get(name, "") for name in self.fields if name != "move"}
        return data | ({"move": self.cleaned_data["move"]} if self.cleaned_data["looked"] else {})

    def wanted(self) -> list[Change]:
        """The changes that were chosen."""
        data = self.cleaned_data
        numbers = [number for number in range(1, ROWS + 1) if data.get(f"class_{number}")]
        return [Change(UUID(data[f"class_{n}"]), data[f"kind_{n}"] or KINDS[0][0], split_names(data[f"into_{n}"])) for n in numbers]


def first_problem(form: forms.Form) -> str:
    """The first thing to mend, as a sentence."""
    return next((str(errors[0]) for errors in form.errors.values()), "")


def as_key(value: str) -> UUID | None:
    """The text as a uuid, or None."""
    try:
        return UUID(value)
    except ValueError:
        return None
