"""docs/statistics.md as a page: each number's definition, assumptions, and checks. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt

MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
ANCHORED = re.compile(r'^\| <a id="([a-z-]+)"></a>')
CELL = re.compile(r"(?<!\\)\|")
WRAPPED = (
    '<div class="tw" tabindex="0" role="region" aria-label="{name}"><table class="tbl">{rows}</table></div>'
)
FOLDED = "<details><summary>{number} rows</summary>{table}</details>"
LONG = 40  # rows of a table from which on it is folded


@dataclass(frozen=True)
class Entry:
    """A number. facts: (column head, cell) of each cell that isn't empty."""

    anchor: str
    name: SafeString
    facts: list[tuple[str, SafeString]]


@dataclass
class Section:
    """anchor, title: of the heading. text: the HTML before its numbers, or all of it without numbers."""

    anchor: str
    title: str
    text: SafeString = SafeString("")
    entries: list[Entry] = field(default_factory=list)


def sections(markdown: str) -> list[Section]:
    """The sections under headings of the second level; first, without a title, the beginning of the page.

    A table whose rows begin with an anchor becomes entries, which a phone shows below each other.
    """
    parts = re.split(r"^## (.+)$", markdown, flags=re.MULTILINE)
    beginning = parts[0].split("\n", 1)[1]  # after the title
    named = zip(parts[1::2], parts[2::2], strict=True)
    return [section("", beginning), *(section(title.strip(), body) for title, body in named)]


def section(title: str, body: str) -> Section:
    """One of them."""
    lines, entries, head = [], list[Entry](), list[str]()
    for line in body.splitlines():
        if anchored := ANCHORED.match(line):
            name, *rest = cells(line.replace(f'<a id="{anchored[1]}"></a>', "", 1))
            entries.append(
                Entry(
                    anchored[1],
                    inline(name),
                    [(top, inline(cell)) for top, cell in zip(head, rest, strict=True) if cell],
                )
            )
            continue
        if line.startswith("| number |"):
            head = [cell[:1].upper() + cell[1:] for cell in cells(line)[1:]]
        elif not (head and line.startswith("|---")):
            lines.append(line)
    # a head without words heads nothing
    html = MARKDOWN.render("\n".join(lines)).replace("<th></th>", "<td></td>")
    names = (escape(f"{title or 'Statistics'}, table {number}") for number in count(1))
    text = re.sub(r"<table>.*?</table>", lambda found: wrapped(found[0], next(names)), html, flags=re.DOTALL)
    return Section(slugify(title), title, mark_safe(text), entries)  # noqa: S308  the product's own file, rendered without raw HTML


def wrapped(table: str, name: str) -> str:
    """A table that scrolls on its own, folded where it is long."""
    shown = WRAPPED.format(name=name, rows=table.removeprefix("<table>").removesuffix("</table>"))
    number = table.count("<tr>") - 1
    return FOLDED.format(number=number, table=shown) if number >= LONG else shown


def cells(line: str) -> list[str]:
    """Of a row of a table in Markdown."""
    return [cell.strip() for cell in CELL.split(line.strip().strip("|"))]


def inline(cell: str) -> SafeString:
    """A cell's content as HTML."""
    return mark_safe(MARKDOWN.renderInline(cell.replace("\\|", "|")))  # noqa: S308  as above
