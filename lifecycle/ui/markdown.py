"""Escapes user text for Markdown that the product writes: it opens no heading, table, link, code, or HTML.
Pure.

CommonMark renders a backslash before ASCII punctuation as the character itself, so the text reads as typed.
"""

from __future__ import annotations

import re

ACTIVE = re.compile(r"([\\`*_\[\]<>|#~!&$@])")
# texts that GitHub and Hugging Face turn into links
ADDRESS = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=www)\.", re.IGNORECASE)
RULE = re.compile(r"[-=+:\s]*")  # a line of these alone underlines a heading, opens a table, or is a rule


def inline(value: object) -> str:
    """A value that cannot break out of its cell or line: line ends become blanks."""
    return escaped(" ".join(str(value).split()))


def paragraphs(text: str) -> str:
    """User text of several lines. Blank lines separate paragraphs, and lines that begin with "- " or "1. "
    stay lists.
    """
    lines = (escaped(line.strip()) for line in text.strip().splitlines())
    return "\n".join(f"\\{line}" if line and RULE.fullmatch(line) else line for line in lines)


def escaped(line: str) -> str:
    """A line without its markup."""
    return ADDRESS.sub(lambda found: f"\\{found[0]}", ACTIVE.sub(r"\\\1", line))
