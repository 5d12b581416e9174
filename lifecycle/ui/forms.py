"""Rendering of all forms: one renderer, one field template, our widget classes, and an error summary with
links to the fields.
"""

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
    """A field whose text inputs, selects, and text areas have the class `in`. User text has dir="auto"."""

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
        """The variant of the field template: check, choices, file, or line."""
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
        found += [
            Problem(field.id_for_label or f"id_{field.html_name}", str(field.label), str(text))
            for text in field.errors
        ]
    return found


def errors_of(form: forms.BaseForm) -> dict[str, list[str]]:
    """The messages of a refused form by field, as a Refusal carries them."""
    return {name: [str(error) for error in errors] for name, errors in form.errors.items()}


def cleaned(form: forms.Form) -> dict[str, Any]:
    """The cleaned data of a dialog's form, which isn't shown again. Raises Refused, with the fields, when it
    is invalid.
    """
    if not form.is_valid():
        raise Refused(
            "Nothing was changed: the form is incomplete.",
            next_step=first_problem(form),
            fields=errors_of(form),
        )
    given: dict[str, Any] = form.cleaned_data
    return given


def filters_in(form: forms.BaseForm) -> dict[str, Any]:
    """The filters of a list. Raises Unreadable for an invalid one: without it more would be found."""
    if not form.is_valid():
        raise unreadable(errors_of(form))
    filters: dict[str, Any] = form.cleaned_data
    return filters


def add_refusal(form: forms.BaseForm, refusal: Refusal) -> None:
    """Add a refusal and its next step to the fields that it names, or to the form where it names none of
    them.

    With several fields each has its own error; with one, the refusal's message gives the reason.
    """
    known = [name for name in refusal.fields if name in form.fields]
    reasons = [refusal.message] if len(refusal.fields) == 1 else []
    for name in known:
        form.add_error(name, sentences(*reasons, *refusal.fields[name], refusal.next_step))
    if not known:
        form.add_error(
            None,
            " ".join(
                sentences(refusal.message, *chain.from_iterable(refusal.fields.values()), refusal.next_step)
            ),
        )


@contextmanager
def refused_on(form: forms.BaseForm, kind: type[Refusal] = Refused) -> Iterator[None]:
    """A context manager that adds a refusal of this kind to the form, which is then shown again."""
    try:
        yield
    except kind as refusal:
        add_refusal(form, refusal)


def sentences(*texts: str) -> list[str]:
    """The texts without duplicates and empty ones."""
    return list(dict.fromkeys(filter(None, texts)))


def first_problem(form: forms.Form) -> str:
    """The first error of a form, as a sentence."""
    return next((str(errors[0]) for errors in form.errors.values()), "")


def as_key(value: str) -> UUID | None:
    """The text as a uuid, or None."""
    try:
        return UUID(value)
    except ValueError:
        return None
