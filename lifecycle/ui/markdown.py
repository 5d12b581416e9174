"""What people wrote, as it stands in Markdown that the product writes: words alone, which open no heading, table, link, code or HTML. Pure.

CommonMark takes a backslash before any ASCII punctuation for the character itself, so the words read on as they were typed.
"""

from __future__ import annotations

import re

ACTIVE = re.compile(r"([\\`*_\[\]<>|#~!&$@])")
ADDRESS = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=www)\.", re.IGNORECASE)  # what GitHub and Hugging Face make links of on their own
RULE = re.compile(r"[-=+:\s]*")  # a line of these alone underlines a heading, opens a table, or is a rule


def inline(value: object) -> str:
    """A value that cannot break out of its cell or line: line ends become blanks."""
    return escaped(" ".join(str(value).split()))


def paragraphs(text: str) -> str:
    """What someone wrote in several lines. Blank lines part paragraphs and lines that begin with "- " or "1. " stay lists."""
    lines = (escaped(line.strip()) for line in text.strip().splitlines())
    return "\n".join(f"\\{line}" if line and RULE.fullmatch(line) else line for line in lines)


def escaped(line: str) -> str:
    """A line without its markup."""
    return ADDRESS.sub(lambda found: f"\\{found[0]}", ACTIVE.sub(r"\\\1", line))
