"""User names mentioned in comments. Pure: who they are is looked up elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

# An @ outside a word (an e-mail address) and without a backquote before it (a quoted name), and a user name.
MENTION = re.compile(r"(?<![\w`.+-])@([\w.@+-]+)")
ENDS = ".-+@"  # a sentence may end with them, and so may a user name


def readings(text: str) -> list[list[str]]:
    """The possible readings of each name in the text, in lower case, longest first: "@ana." is "ana." or
    "ana".
    """
    found: dict[str, list[str]] = {}
    for name in MENTION.findall(text):
        shorter = [name.lower()]
        while shorter[-1] and shorter[-1][-1] in ENDS:
            shorter.append(shorter[-1][:-1])
        if options := [each for each in shorter if each]:
            found.setdefault(options[0], options)
    return list(found.values())


def match(found: Iterable[list[str]], known: Collection[str]) -> tuple[list[str], list[str]]:
    """The mentioned user names, each once, and the unknown names. known: user names in lower case."""
    meant: list[str] = []
    unknown = []
    for options in found:
        name = next((each for each in options if each in known), None)
        if name is None:
            unknown.append(options[-1])
        elif name not in meant:
            meant.append(name)
    return meant, unknown


def closest(name: str, known: Iterable[str]) -> str:
    """The most similar user name; empty without one."""
    return next(iter(get_close_matches(name, list(known), n=1)), "")


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it's a mentioned name; punctuation at the end of a sentence isn't
    part of a name.
    """
    after = 0
    for found in MENTION.finditer(text):
        end = found.start() + len(found[0].rstrip(ENDS))
        if end > found.start():
            yield text[after : found.start()], False
            yield text[found.start() : end], True
            after = end
    yield text[after:], False
