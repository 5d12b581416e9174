"""fastText: __label__ and label names, then the text, one row per line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lifecycle.runtime.task_types.exports import Entry, Tally, count_bare

PREFIX = "__label__"
BREAK = re.compile(r"[\r\n]+|^\ufeff+")  # a mark at the start of a file isn't read as text
SPACE = re.compile(r"\s+")


def lines(entry: Entry, names: Sequence[str], tally: Tally) -> Iterator[str]:
    """The line of a row with these labels; empty, and counted, if the text itself starts like a label."""
    text = BREAK.sub(" ", entry.text).lstrip()
    if text.startswith(PREFIX):
        tally.losses["like_label"] += 1
        return
    tally.losses["breaks"] += text != entry.text
    tally.losses["names"] += any(SPACE.search(name) for name in names)
    tally.losses["no_class"] += not names
    tally.losses["joined"] += bool(entry.content)
    count_bare(entry, tally)
    yield "".join(f"{PREFIX}{SPACE.sub('_', name)} " for name in names) + text + "\n"
