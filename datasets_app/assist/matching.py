"""Patterns of labeling functions: words and phrases, or a regular expression that runs in linear time.
Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn
from uuid import UUID

import re2
from django.db.models import TextChoices

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.spans.answers import LIMIT

TEXT_READ = 10_000  # characters of a text that are searched, from its beginning
PATTERN_LIMIT = 1_000  # characters of a regular expression
# instructions of a compiled expression: then a text takes at most about a tenth of a second
PROGRAM_LIMIT = 10_000
MEMORY = 1 << 20  # bytes that an expression may take
WORDS_LIMIT = 200
WORD_LIMIT = 100
SPANS_SHOWN = 20
AROUND = 60  # characters shown before the first hit
SHOWN = 240

Span = tuple[int, int]
Find = Callable[[str, int], list[Span]]


class Kind(TextChoices):
    """The kind of a pattern."""

    WORDS = "words", "Words and phrases"
    REGEX = "regex", "Regular expression"


class Mode(TextChoices):
    """How many of the words a text must contain."""

    ANY = "any", "Any"
    ALL = "all", "All"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A compiled pattern. find: the first `limit` matches in a text, as (start, end) in code points, in
    order, without overlap.
    """

    find: Find

    def spans(self, text: str) -> list[Span]:
        """The first 20 matches in the searched part of the text."""
        return self.find(readable(text), SPANS_SHOWN)

    def hits(self, text: str) -> bool:
        """Whether the text has a match."""
        return bool(self.find(readable(text), 1))

    def marks(self, text: str) -> list[Span]:
        """All matches as annotation spans: at most 1,000, without surrounding white space, and none that
        reaches the cut.
        """
        text = readable(text)
        found = [trimmed(text, span) for span in self.find(text, LIMIT)]
        return [(start, end) for start, end in found if start < end and end < TEXT_READ]


def readable(text: str) -> str:
    """The searched part of a text; unpaired surrogates, which UTF-8 can't encode, become question marks."""
    return text[:TEXT_READ].encode("utf-8", "replace").decode("utf-8")


def trimmed(text: str, span: Span) -> Span:
    """The span without white space at its ends."""
    start, end = span
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


def clean_pattern(kind: str, pattern: str) -> str:
    """The pattern in stored form: words one per line, unique ignoring case, with single blanks; an expression
    without outer blanks.
    """
    if kind == Kind.REGEX:
        return pattern.strip()
    kept: dict[str, str] = {}
    for line in pattern.splitlines():
        word = " ".join(line.split())
        if word:
            kept.setdefault(word.casefold(), word)
    return "\n".join(kept.values())


@lru_cache(maxsize=512)
def matcher(kind: str, pattern: str, mode: str) -> Matcher:
    """Compile a pattern from `clean_pattern`. Raises Refused, naming the field `pattern`, with the fix."""
    if not pattern:
        refuse(
            "Enter a pattern." if kind == Kind.REGEX else "Enter words or phrases.",
            "Enter what a text must contain.",
        )
    return regex(pattern) if kind == Kind.REGEX else words(pattern.split("\n"), mode)


def refuse(message: str, todo: str) -> NoReturn:
    """Raise Refused for a pattern. todo: the fix."""
    raise Refused(message, next_step=todo, fields={"pattern": [message]})


def regex(pattern: str) -> Matcher:
    """An RE2 regular expression, which reads each character once, so no pattern is slow."""
    if len(pattern) > PATTERN_LIMIT:
        refuse(
            f"The expression has {len(pattern):,} characters; the limit is {PATTERN_LIMIT:,}.",
            "Split it into two labeling functions.",
        )
    options = re2.Options()
    options.max_mem, options.log_errors = MEMORY, False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        refuse(f"Invalid expression: {reason}.", "Fix it; RE2 has no look-around and no backreferences.")
    if compiled.programsize > PROGRAM_LIMIT:
        refuse(
            "The expression is too large once its repetitions are expanded.",
            "Use fewer repetitions or smaller character classes.",
        )
    if compiled.search("") is not None:
        refuse(
            "The expression matches the empty text, so it would match every item.",
            "Require at least one character, for example with + instead of *.",
        )

    def find(text: str, limit: int) -> list[Span]:
        found: list[Span] = []
        for match in compiled.finditer(text):
            if match.end() > match.start():
                found.append(match.span())
            if len(found) == limit:
                break
        return found

    return Matcher(find)


def words(lines: Sequence[str], mode: str) -> Matcher:
    """Whole words, ignoring case; any white space may separate the words of a phrase."""
    if len(lines) > WORDS_LIMIT:
        refuse(
            f"There are {len(lines)} words; the limit is {WORDS_LIMIT}.",
            "Split them into two labeling functions.",
        )
    if long := next((line for line in lines if len(line) > WORD_LIMIT), ""):
        refuse(f"{long[:20]!r}… has {len(long)} characters; the limit is {WORD_LIMIT}.", "Shorten it.")
    each = [whole(line) for line in lines]
    one = re.compile("|".join(f"(?:{part})" for part in sorted(each, key=len, reverse=True)))
    needed = [re.compile(part) for part in each] if mode == Mode.ALL else []

    def find(text: str, limit: int) -> list[Span]:
        folded, places = fold(text)
        if any(part.search(folded) is None for part in needed):
            return []
        found: list[Span] = []
        for match in one.finditer(folded):
            found.append((places(match.start()), places(match.end())))
            if len(found) == limit:
                break
        return found

    return Matcher(find)


def whole(line: str) -> str:
    """A word or phrase as an expression on folded text; not next to another letter if it starts or ends with
    one.
    """
    folded = line.casefold()
    before = r"(?<!\w)" if re.match(r"\w", folded) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", folded) else ""
    return before + r"\s++".join(re.escape(part) for part in folded.split()) + after


def fold(text: str) -> tuple[str, Callable[[int], int]]:
    """The case-folded text, and a function from its offsets to those of the text: ß becomes two letters."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded, lambda place: place
    origin = [at for at, character in enumerate(text) for _ in character.casefold()]
    return folded, lambda place: origin[place] if place < len(origin) else len(text)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text as the page shows it."""

    text: str
    hit: bool


def pieces(text: str, spans: Sequence[Span]) -> list[Piece]:
    """About 240 characters around the first match, cut where matches begin and end. Omitted text is shown as
    dots.
    """
    start = max(0, spans[0][0] - AROUND) if spans else 0
    end = min(len(text), max(start + SHOWN, spans[0][1] + AROUND if spans else 0), start + 4 * SHOWN)
    found: list[Piece] = [Piece("… ", hit=False)] if start else []
    at = start
    for low, high in spans:
        if low >= end:
            break
        found += [Piece(text[at:low], hit=False), Piece(text[low : min(high, end)], hit=True)]
        at = min(high, end)
    found.append(Piece(text[at:end], hit=False))
    found += [Piece(" …", hit=False)] if end < len(text) else []
    return [piece for piece in found if piece.text]


def function_digest(
    *,
    dataset: UUID,
    stable_id: UUID,
    version: int,
    label: UUID,
    kind: str,
    pattern: str,
    mode: str,
    retired: bool,
) -> str:
    """sha256, in hex, over all fields of one version of a labeling function: the source digest of its
    pre-labels.
    """
    document: dict[str, Any] = {
        "dataset": str(dataset),
        "function": str(stable_id),
        "version": version,
        "label": str(label),
        "kind": kind,
        "pattern": pattern,
        "mode": mode,
        "retired": retired,
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
