"""How every form looks: one renderer, one field template, our classes on the widgets, an error summary whose links lead to the fields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.forms.renderers import DjangoTemplates

from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.ui.addresses import unreadable

BARE = ("checkbox", "radio", "file", "hidden", "range", "color")


class BoundField(forms.BoundField):
    """A field whose text inputs, selects and text areas carry the class `in`. What people write runs in its own direction."""

    def build_widget_attrs(self, attrs: dict[str, Any], widget: forms.Widget | None = None) -> dict[str, Any]:
        """Django's attributes plus our class, kept beside the widget's own."""
        widget = widget or self.field.widget
        built: dict[str, Any] = super().build_widget_attrs(attrs, widget)
        kind = getattr(widget, "input_type", "")
        if kind not in BARE and not isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
            built["class"] = f"{widget.attrs.get('class', '')} in".strip()
        if kind in ("text", "search") or isinstance(widget, forms.Textarea):
            built.setdefault("dir", "auto")
        return built

    @property
    def shape(self) -> str:
        """check, choices, file or line: which form of the field template fits."""
        widget = self.field.widget
        if isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
            return "choices"
        if isinstance(widget, forms.CheckboxInput):
            return "check"
        return "file" if isinstance(widget, forms.FileInput) else "line"


class Renderer(DjangoTemplates):
    """Renders forms with templates/components, and widgets with Django's own templates."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"
    bound_field_class = BoundField

    @cached_property
    def engine(self) -> Any:
        """An engine that finds our components, the rooms' templates and Django's widget templates."""
        own: list[Path] = settings.TEMPLATES[0]["DIRS"]  # type: ignore[assignment]
        folders = [*own, Path(forms.__file__).parent / "templates"]
        return self.backend({"APP_DIRS": True, "DIRS": folders, "NAME": "forms", "OPTIONS": {}})


@dataclass(frozen=True)
class Problem:
    """One thing to fix: its sentence and the id of the field, empty for the form as a whole."""

    field_id: str
    label: str
    text: str


def problems(form: forms.BaseForm) -> list[Problem]:
    """Everything that keeps the form from being accepted, in the order of the page."""
    found = [Problem("", "", str(text)) for text in form.non_field_errors()]
    for field in form:
        found += [Problem(field.id_for_label or f"id_{field.html_name}", str(field.label), str(text)) for text in field.errors]
    return found


def errors_of(form: forms.BaseForm) -> dict[str, list[str]]:
    """The messages of a refused form by field, as a Refusal carries them."""
    return {name: [str(error) for error in errors] for name, errors in form.errors.items()}


def cleaned(form: forms.Form) -> dict[str, Any]:
    """What was sent by a dialog, which has no page to be shown again on. Raises Refused, with the fields, when it is not complete."""
    if not form.is_valid():
        raise Refused("Nothing was changed: the form is incomplete.", next_step=first_problem(form), fields=errors_of(form))
    given: dict[str, Any] = form.cleaned_data
    return given


def filters_in(form: forms.BaseForm) -> dict[str, Any]:
    """What the address asks of a list. Raises Unreadable where a filter does not hold: without it more would be found."""
    if not form.is_valid():
        raise unreadable(errors_of(form))
    asked: dict[str, Any] = form.cleaned_data
    return asked


def add_refusal(form: forms.BaseForm, refusal: Refusal) -> None:
    """Put what an action said no to, and what to do, beside the fields that it names; above the form where it names none of them.

    Of several fields each says for itself what is wrong with it; of one the refusal's own sentence gives the reason why.
    """
    known = [name for name in refusal.fields if name in form.fields]
    why = [refusal.message] if len(refusal.fields) == 1 else []
    for name in known:
        form.add_error(name, sentences(*why, *refusal.fields[name], refusal.next_step))
    if not known:
        form.add_error(None, " ".join(sentences(refusal.message, *chain.from_iterable(refusal.fields.values()), refusal.next_step)))


@contextmanager
def refused_on(form: forms.BaseForm, kind: type[Refusal] = Refused) -> Iterator[None]:
    """A refusal of this kind ends the block and is put on the form, which is then shown again."""
    try:
        yield
    except kind as refusal:
        add_refusal(form, refusal)


def sentences(*said: str) -> list[str]:
    """Each once, without the empty ones."""
    return list(dict.fromkeys(filter(None, said)))


def first_problem(form: forms.Form) -> str:
    """The first thing to mend, as a sentence."""
    return next((str(errors[0]) for errors in form.errors.values()), "")


def as_key(value: str) -> UUID | None:
    """The text as a uuid, or None."""
    try:
        return UUID(value)
    except ValueError:
        return None
