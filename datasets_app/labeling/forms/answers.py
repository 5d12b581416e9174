"""What the bench and the review send."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from datasets_app.labeling import queries
from datasets_app.labeling.masks import unmask
from datasets_app.labeling.models import Queue
from lifecycle.task_types.inputs import clean


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
    """What every answer from a bench carries. have: the slots that the page knows. left: how many of them wait to be answered there."""

    slot = forms.IntegerField()
    client_key = forms.UUIDField()
    seconds = forms.FloatField(required=False, min_value=0)
    have = forms.CharField(required=False, max_length=500)
    left = forms.IntegerField(required=False, min_value=0)

    def clean_slot(self) -> int:
        """The key of the slot."""
        return unmask(self.cleaned_data["slot"], "slot")

    def clean_have(self) -> list[int]:
        """The slots on the page, as it calls them."""
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

    def clean_suggestion(self) -> int | None:
        """The key of the suggestion."""
        masked = self.cleaned_data["suggestion"]
        return unmask(masked, "suggestion") if masked else None

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
    gold = forms.BooleanField(required=False)
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
        name = clean(data.get("other", ""))
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


def first_problem(form: forms.Form) -> str:
    """The first thing to mend, as a sentence."""
    return next((str(errors[0]) for errors in form.errors.values()), "")


def as_key(value: str) -> UUID | None:
    """The text as a uuid, or None."""
    try:
        return UUID(value)
    except ValueError:
        return None
