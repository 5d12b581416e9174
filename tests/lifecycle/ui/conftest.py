import pytest
from django.template import Context, Template

from lifecycle.ui import navigation, palette


@pytest.fixture
def render():
    """Render a piece of template with the tags loaded."""

    def make(source: str, **context) -> str:
        return Template("{% load lifecycle %}" + source).render(Context(context))

    return make


@pytest.fixture
def empty_registries(monkeypatch):
    """No room has registered anything."""
    monkeypatch.setattr(navigation, "_items", {})
    monkeypatch.setattr(palette, "_pages", {})
    monkeypatch.setattr(palette, "_searches", {})
