"""Every number of docs/statistics.md is linked from a page that shows it, and every such link leads to a
line.
"""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

ROOT: Path = settings.BASE_DIR
ANCHORS = re.findall(r'<a id="([a-z-]+)"></a>', (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8"))
TAG = re.compile(r"\{% how_known ((?:\"[a-z-]+\" ?)+)%\}")


def linked() -> dict[str, set[str]]:
    """The templates that link to each anchor."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        tags = TAG.findall(text)
        assert len(tags) == text.count("{% how_known "), (
            f"{path}: anchors are named by constants, so that they can be checked"
        )
        for anchor in re.findall(r'"([a-z-]+)"', " ".join(tags)):
            found.setdefault(anchor, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_every_link_leads_to_a_line_and_every_line_is_linked():
    pages = linked()

    assert len(set(ANCHORS)) == len(ANCHORS)
    assert {anchor: pages[anchor] for anchor in pages.keys() - set(ANCHORS)} == {}
    assert set(ANCHORS) - pages.keys() == set()
