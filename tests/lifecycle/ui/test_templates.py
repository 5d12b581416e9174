"""Templates are laid out for their readers; what that adds isn't sent."""

from __future__ import annotations

from django.template import Origin, engines

from lifecycle.ui.templates import Loader

LAID_OUT = """<table>
  <tr>
    <td class="{% if wide > 2 %}wide{% endif %}">
      {% if name %}{{ name }}{% endif %}
    </td>
    <td>a <b>b</b></td>
  </tr>
</table>
"""


def loaded(path, text):
    path.write_text(text)
    engine = engines["django"].engine
    return engine.from_string(Loader(engine).get_contents(Origin(str(path))))


def test_indentation_is_dropped_and_an_empty_cell_is_empty(tmp_path):
    template = loaded(tmp_path / "page.html", LAID_OUT)

    assert template.source.splitlines() == [
        "<table>",
        "<tr>",
        '<td class="{% if wide > 2 %}wide{% endif %}">{% if name %}{{ name }}{% endif %}</td>',
        "<td>a <b>b</b></td>",
        "</tr>",
        "</table>",
    ]


def test_a_plain_text_stays_as_it_is_written(tmp_path):
    assert loaded(tmp_path / "mail.txt", "Hello,\n  - one\n").source == "Hello,\n  - one\n"
