import re

import pytest
from django import forms
from django.conf import settings
from django.template import Context, Template

from lifecycle.ui.text import breakable, inert, initials, spelt


class Choosing(forms.Form):
    one = forms.ChoiceField(choices=[("x", "<a>\u202eb")])


def test_markup_in_text_is_escaped():
    assert inert('<b onclick="x">&') == "&lt;b onclick=&quot;x&quot;&gt;&amp;"


def test_a_bidi_override_is_shown_and_does_nothing():
    assert inert("a\u202eb") == 'a<span class="unseen" title="Right-to-left override">U+202E</span>b'


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u200b", "\u200e", "\u2066", "\u2069", "\ufeff", "\u061c", "\u00ad", "\U000e0041"],
)
def test_no_invisible_character_passes(character):
    shown = inert(f"a{character}b")

    assert character not in shown
    assert f"U+{ord(character):04X}" in shown


def test_where_no_markup_may_stand_a_bidi_override_is_spelt():
    assert spelt("<a>\u202eb\r\n") == "&lt;a&gt;U+202Eb\n"
    assert spelt(spelt("&")) == "&amp;"


def test_the_title_of_a_page_and_the_options_of_a_form_hold_no_raw_bidi_character():
    page = Template('{% extends "skeleton.html" %}{% block title %}{{ name }}{% endblock %}')
    shown = page.render(Context({"name": "<a>\u202eb"}))
    options = str(Choosing())

    assert "<title>&lt;a&gt;U+202Eb · Lifecycle</title>" in shown
    assert '<option value="x">&lt;a&gt;U+202Eb</option>' in options


def test_no_template_writes_markup_where_text_alone_may_stand():
    """inert makes a mark of what it finds; in a title, an option or an attribute that would be read as text, or end the attribute."""
    places = re.compile(r'{% block title %}[^\n]*?{% endblock %}|<option.*?</option>|[a-z]="[^"<>]*"', re.DOTALL)
    found = {
        f"{path.name}: {place}"
        for path in (settings.BASE_DIR / "templates").rglob("*.html")
        for place in places.findall(path.read_text())
        if re.search(r"\|(inert|label|breakable)\b", place)
    }

    assert found == set()


@pytest.mark.parametrize("text", ["Grüße, 你好 🙂", "tab\there", "line\nbreak", "naïve", "नमस्ते"])
def test_ordinary_text_is_left_alone(text):
    assert inert(text) == text


def test_windows_line_ends_become_plain_ones():
    assert inert("a\r\nb") == "a\nb"
    assert "U+000D" in inert("a\rb")


def test_class_names_may_break_after_underscores_and_stay_inert():
    assert breakable("card_arrival") == "card_<wbr>arrival"
    assert breakable("<_>") == "&lt;_<wbr>&gt;"


@pytest.mark.parametrize(("name", "letters"), [("Mia Trainer", "MT"), ("ravi", "RA"), ("Ana Lucia de Souza", "AS"), ("", "?"), ("—", "?")])
def test_initials(name, letters):
    assert initials(name) == letters
