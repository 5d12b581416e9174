import re

import pytest
from django import forms
from django.conf import settings
from django.template import Context, Template

from lifecycle.ui.text import boundary, breakable, inert, initials, shortened, spelt
from tests.support.pages import as_shown


class Choosing(forms.Form):
    one = forms.ChoiceField(choices=[("x", "<a>\u202eb")])


def test_markup_in_text_is_escaped():
    assert inert('<b onclick="x">&') == "&lt;b onclick=&quot;x&quot;&gt;&amp;"


def test_a_bidi_override_is_shown_and_does_nothing():
    assert inert("a\u202eb") == 'a<span class="unseen" title="Right-to-left override">U+202E</span>b'


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x07",
        "\x1b",
        "\x7f",
        "\x85",
        "\u200b",
        "\u200e",
        "\u2066",
        "\u2069",
        "\ufeff",
        "\u061c",
        "\u00ad",
        "\U000e0041",
    ],
)
def test_no_invisible_character_passes(character):
    shown = inert(f"a{character}b")

    assert character not in shown
    assert f"U+{ord(character):04X}" in shown


def test_where_markup_is_not_allowed_a_bidi_override_is_spelled_out():
    assert spelt("<a>\u202eb\r\n") == "&lt;a&gt;U+202Eb\n"
    assert spelt(spelt("&")) == "&amp;"


def test_the_title_of_a_page_and_the_options_of_a_form_hold_no_raw_bidi_character():
    page = Template('{% extends "skeleton.html" %}{% block title %}{{ name }}{% endblock %}')
    shown = page.render(Context({"name": "<a>\u202eb"}))
    options = as_shown(str(Choosing()))

    assert "<title>&lt;a&gt;U+202Eb · Lifecycle</title>" in shown
    assert '<option value="x">&lt;a&gt;U+202Eb</option>' in options


def test_no_template_writes_markup_where_only_text_is_allowed():
    """inert makes a mark of what it finds; in a title, an option or an attribute that would be read as text,
    or end the attribute.
    """
    places = re.compile(
        r'{% block title %}[^\n]*?{% endblock %}|<option.*?</option>|[a-z]="[^"<>]*"', re.DOTALL
    )
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


JOINED = ["👨🏻‍🚒", "👩‍❤️‍👨", "❤️‍🔥", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "می‌خواهم", "क्‍ष"]  # by U+200D, tags, U+200C


@pytest.mark.parametrize("text", JOINED)
def test_what_joins_one_character_or_word_is_left_alone(text):
    assert inert(text) == text
    assert spelt(text) == text


@pytest.mark.parametrize(
    "text", ["a\u200db", "👍\u200d", "\u200d👍", "a\u200cb", "\U0001f3f4\U000e0067", "م\u200ca"]
)
def test_a_joiner_that_joins_nothing_is_shown(text):
    assert 'class="unseen"' in inert(text)


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("👨🏻‍🚒" * 4, 3, "👨🏻‍🚒" * 2 + "…"),
        ("e\u0301" * 3, 3, "e\u0301" * 3),
        ("ab", 1, "…"),
        ("", 2, ""),
    ],
)
def test_a_shortened_text_ends_between_two_characters(text, most, shown):
    assert shortened(text, most) == shown
    assert (
        Template("{% load lifecycle %}{{ text|truncatechars:most }}").render(
            Context({"text": text, "most": most})
        )
        == shown
    )


@pytest.mark.parametrize(("at", "begins"), [(0, 0), (1, 1), (2, 1), (5, 1), (6, 6), (7, 7), (99, 7)])
def test_no_boundary_is_within_a_character(at, begins):
    assert boundary("a👩\u200d👩\u200d👧b", at) == begins


def test_every_text_of_people_runs_in_its_own_direction():
    """User text is in an element of its own that takes its direction from it: dir="auto", or bdi."""
    written = re.compile(
        r"(?:text|content|prompt|response|explanation|definition|passage|reference|excerpt)(?:\|[^{}]+)*\|(?:inert|said)\b"
    )
    markup = re.compile(r"{%.*?%}|{#.*?#}|{{.*?}}", re.DOTALL)
    found = set()
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        source = path.read_text()
        bare = markup.sub(lambda each: "\0" * len(each.group()), source)
        for place in re.finditer(r"{{ ?[\w.]*" + written.pattern + "[^{}]*}}", source):
            tags = re.findall(r"<[^<>]*>", bare[: place.start()])
            if (
                not any('dir="auto"' in tag or re.fullmatch(r"<bdi\s*>", tag) for tag in tags[-3:])
                and path.name != "shaded.html"
            ):
                found.add(f"{path.name}: {place.group()}")

    assert found == set()


def test_windows_line_ends_become_plain_ones():
    assert inert("a\r\nb") == "a\nb"
    assert "U+000D" in inert("a\rb")


def test_class_names_may_break_after_underscores_and_stay_inert():
    assert breakable("card_arrival") == "card_<wbr>arrival"
    assert breakable("<_>") == "&lt;_<wbr>&gt;"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Mia Trainer", "MT"), ("ravi", "RA"), ("Ana Lucia de Souza", "AS"), ("", "?"), ("—", "?")],
)
def test_initials(name, letters):
    assert initials(name) == letters
