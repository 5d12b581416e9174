"""Templates are read line by line: `make check` keeps them as the formatter lays them out, and here is what
it cannot break.
"""

from __future__ import annotations

import re
from pathlib import Path

from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template

TEMPLATES = Path(__file__).parents[2] / "templates"
WIDTH = 120
# lines of several tags that the formatter may not part, since white space would be shown between them; fewer
# is better
LONGER = 50


def test_a_line_longer_than_the_width_is_one_tag_or_one_comment():
    longer = [
        f"{path.relative_to(TEMPLATES)}:{number}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > WIDTH and len(re.findall(r"\{[%#]", line)) > 1  # Django reads a tag from one line
    ]

    assert len(longer) <= LONGER, "\n".join(longer)


def test_every_template_is_one_that_django_reads():
    """Also those that no fast test shows: a tag library that has another name would fail its page alone."""
    broken = {}
    for path in sorted(TEMPLATES.rglob("*.html")):
        try:
            get_template(path.relative_to(TEMPLATES).as_posix())
        except (TemplateSyntaxError, TemplateDoesNotExist) as error:
            broken[path.name] = str(error).splitlines()[0]

    assert not broken
