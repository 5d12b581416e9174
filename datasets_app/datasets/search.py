"""The syntax of a text search, and its translation to the full-text index.

    card transfer      both words, anywhere, in any order
    "card transfer"    these words in a row
    -transfer          without this word (also -"card transfer")
    transf*            words that begin so

Words are found as they are written, whatever their case; there is no stemming, so that every language is
treated alike and a match can be seen in the text. Anything but letters and digits parts words: card-transfer
is two words in a row. The first 100,000 characters of a text are searched.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.safestring import SafeString, mark_safe

from lifecycle.runtime.refusals import Refused
from lifecycle.ui.text import boundary, inert

TEXT_SEARCHED = 100_000  # characters
MOST_TERMS = 20
TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))(\*?)')
WORD = re.compile(r"[^\W_]+")
BLANKS = str.maketrans(dict.fromkeys(string.punctuation + "".join(map(chr, range(32))) + "\x7f", " "))
# Characters that PostgreSQL's parser takes for parts of addresses, numbers and tags; the migration's index
# has the same.
SIGNS = "/@.-_<&+~"
VECTOR = (
    f"to_tsvector('simple'::regconfig, translate(\"left\"(text, {TEXT_SEARCHED}), '{SIGNS}'::text,"
    f" '{' ' * len(SIGNS)}'::text))"
)
MATCHES = {
    "postgresql": (
        "SELECT id FROM datasets_item WHERE dataset_id = %s AND id >= %s AND id < %s "  # noqa: S608
        f"AND {VECTOR} @@ to_tsquery('simple'::regconfig, %s)"
    ),
    "sqlite": (
        "SELECT id FROM datasets_item WHERE dataset_id = %s AND id IN "
        "(SELECT rowid FROM datasets_words WHERE rowid >= %s AND rowid < %s AND datasets_words MATCH %s)"
    ),
}
LINE = 140  # characters of a text in a list
LEAD = 40  # of these before the first match


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query: words in a row. prefix: the last one is a prefix. without: must not occur."""

    words: tuple[str, ...]
    prefix: bool = False
    without: bool = False

    @property
    def fts5(self) -> str:
        """As SQLite's FTS5 reads it."""
        return f'"{" ".join(self.words)}"' + ("*" if self.prefix else "")

    @property
    def tsquery(self) -> str:
        """As PostgreSQL's to_tsquery reads it."""
        *first, last = (f"'{word}'" for word in self.words)
        return f"({' <-> '.join([*first, f'{last}:*' if self.prefix else last])})"


@dataclass(frozen=True, slots=True)
class Query:
    """A search query, as returned by `parse`: at least one term that must occur."""

    terms: tuple[Term, ...]

    @property
    def wanted(self) -> list[Term]:
        """The terms that must occur."""
        return [term for term in self.terms if not term.without]

    @property
    def fts5(self) -> str:
        """For MATCH of SQLite's FTS5."""
        unwanted = "".join(f" NOT {term.fts5}" for term in self.terms if term.without)
        return " AND ".join(term.fts5 for term in self.wanted) + unwanted

    @property
    def tsquery(self) -> str:
        """For to_tsquery of PostgreSQL."""
        return " & ".join(f"!{term.tsquery}" if term.without else term.tsquery for term in self.terms)


def parse(text: str) -> Query:
    """Parse a search query. Accepts any syntax; raises Refused for a query without words to include."""
    readable = text.encode("utf-8", "ignore").decode()
    found = [
        Term(words, bool(star) or bool(bare and bare.endswith("*")), without=bool(minus))
        for minus, phrase, bare, star in TERM.findall(readable)
        if (words := words_in(phrase or bare))
    ]
    terms = tuple(dict.fromkeys(found))
    if not any(not term.without for term in terms):
        message = (
            "Enter at least one word to include."
            if terms
            else "Enter at least one word: a word has letters or digits."
        )
        raise Refused(message, fields={"q": [message]})
    if len(terms) > MOST_TERMS:
        message = f"The search has {len(terms)} words; the limit is {MOST_TERMS}."
        raise Refused(message, fields={"q": [message]})
    return Query(terms)


def words_in(piece: str) -> tuple[str, ...]:
    """Tokens between blanks and punctuation, without what has no letter or digit at all."""
    return tuple(
        word for word in piece.translate(BLANKS).split() if any(character.isalnum() for character in word)
    )


def matching(dataset_id: int, query: Query, low: int, high: int) -> list[int]:
    """The keys from `low` up to and without `high` of the items of a dataset that match, ascending; hidden
    items among them.
    """
    expression = query.tsquery if connection.vendor == "postgresql" else query.fts5
    with connection.cursor() as cursor:
        cursor.execute(MATCHES[connection.vendor], [dataset_id, low, high, expression])
        return sorted(key for (key,) in cursor.fetchall())


# ── Excerpts of matches ─────────────────────────────────────────────────────
def pattern(query: Query) -> re.Pattern[str]:
    """A pattern of the included words, as whole words or prefixes."""
    choices = [
        r"[\W_]+".join(map(re.escape, term.words)) + (r"[^\W_]*" if term.prefix else "")
        for term in query.wanted
    ]
    longest = sorted(choices, key=len, reverse=True)
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(longest)})(?![^\W_])", re.IGNORECASE)


def excerpt(text: str, found: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Start and end of the part of a text that a list shows: its beginning, or the part around the first
    match.
    """
    start = 0
    if found and found[0][1] > LINE:
        start = max(0, found[0][0] - LEAD)
        blank = text.find(" ", start, found[0][0])
        start = blank + 1 if blank > 0 else start
    return start, boundary(text, start + LINE)


def marked(text: str, query: Query | None) -> SafeString:
    """An escaped line of a text with the matches in <mark>."""
    found = [each.span() for each in pattern(query).finditer(text[:TEXT_SEARCHED])] if query else []
    start, end = excerpt(text, found)
    parts, at = ["…" if start else ""], start
    for first, last in found:
        if at <= first < end:
            parts += [inert(text[at:first]), "<mark>", inert(text[first : min(last, end)]), "</mark>"]
            at = min(last, end)
    parts += [inert(text[at:end]), "…" if end < len(text) else ""]
    return mark_safe("".join(parts))  # noqa: S308  each part is escaped by inert
