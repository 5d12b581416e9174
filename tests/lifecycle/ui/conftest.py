from pathlib import Path

import pytest
from django.template import Context, Template

from lifecycle.ui import navigation, palette
from tests.support.pages import as_shown


@pytest.fixture
def render():
    """Render a piece of template with the tags loaded."""

    def make(source: str, **context) -> str:
        return as_shown(Template("{% load lifecycle %}" + source).render(Context(context)))

    return make


@pytest.fixture
def empty_registries(monkeypatch):
    """No room has registered anything."""
    monkeypatch.setattr(navigation, "_items", {})
    monkeypatch.setattr(palette, "_pages", {})
    monkeypatch.setattr(palette, "_searches", {})


@pytest.fixture
def page_template(settings):
    """A page of no room, found before the project's own templates."""
    options = dict(
        settings.TEMPLATES[0], DIRS=[Path(__file__).parent / "templates", *settings.TEMPLATES[0]["DIRS"]]
    )
    settings.TEMPLATES = [options]
