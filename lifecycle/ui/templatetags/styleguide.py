"""{% load styleguide %}: the samples that the style guide shows, so that its template needs no context."""

from __future__ import annotations

from types import SimpleNamespace

from django import template

from lifecycle.ui.samples import everything

register = template.Library()


@register.simple_tag
def samples() -> SimpleNamespace:
    """{% samples as s %}."""
    return everything()


@register.filter
def words(text: str) -> list[str]:
    """The first word and the rest."""
    return text.split(" ", 1)
