"""A scale of colours is explained by its colours, from the page that is shown: what is dark in one theme is
light in the other.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.template.loader import render_to_string

TURNED = re.compile(r"\b(?:deeper|darker|lighter|paler|brighter|fainter)\b", re.IGNORECASE)


def test_the_steps_of_a_scale_are_those_of_the_cells_from_least_to_most():
    page = render_to_string(
        "components/scale.html", {"least": "agree on all", "most": "differ on half or more"}
    )
    css = {
        path.name: " ".join(path.read_text().split())
        for path in (settings.BASE_DIR / "static" / "css").glob("*.css")
    }
    cells = re.findall(r"& \.d(\d) { background: var\(--seq-(\d)\);", css["screens.css"])
    steps = dict(re.findall(r"\.seq-(\d) { --k: var\(--seq-(\d)\); }", css["components.css"]))

    shown = re.findall(r'class="seq-(\d)"', page)

    assert shown == ["0", *(step for _, step in cells)] == sorted(shown)
    assert [steps[step] for step in shown] == shown
    assert all(cell == step for cell, step in cells)
    assert (
        page.index("agree on all")
        < page.index("seq-0")
        < page.index("seq-6")
        < page.index("differ on half or more")
    )


def test_no_page_calls_a_colour_by_what_the_other_theme_turns_round():
    pages = (settings.BASE_DIR / "templates").rglob("*.html")

    assert {
        f"{path.name}: {found[0]}" for path in pages for found in TURNED.finditer(path.read_text())
    } == set()
