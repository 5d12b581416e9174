"""The text of an answer while its tokens come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

BROKEN = "�"  # what a decoder puts for bytes that aren't a whole character yet


class Reply:
    """Text in pieces: the same as that of all tokens at once, without blanks around it. What may still change
    is held back: part of a character, blanks that may be the last, and what may begin a stop text.

    decode: ids to text. stops: texts that end the answer, and aren't part of it.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self.text = ""
        self.is_stopped = False
        self._decode, self._stops = decode, tuple(stops)
        self._ids: list[int] = []
        self._from = self._done = 0  # ids that decode together with the next; ids in the text
        self._held = ""

    def add(self, token: int) -> str:
        """The text that is certain with one more token."""
        self._ids.append(token)
        known = self._decode(self._ids[self._from : self._done])
        found = self._decode(self._ids[self._from :])
        if found.endswith(BROKEN) or len(found) <= len(known):
            return ""
        self._from, self._done = self._done, len(self._ids)
        return self._put(found[len(known) :])

    def end(self) -> str:
        """The rest, once no token comes any more."""
        rest = self._decode(self._ids[self._from :])[len(self._decode(self._ids[self._from : self._done])) :]
        self._done = self._from = len(self._ids)
        given = self._put(rest)
        last = "" if self.is_stopped else self._held.rstrip()
        self._held = ""
        self.text += last
        return given + last

    def _put(self, piece: str) -> str:
        if self.is_stopped:
            return ""
        held = self._held + piece
        if not self.text:
            held = held.lstrip()
        found = [at for stop in self._stops if (at := held.find(stop)) >= 0]
        if found:
            self.is_stopped = True
            certain, self._held = held[: min(found)].rstrip(), ""
        else:
            size = len(held.rstrip())
            size = min([size, *(len(held) - _begun(held, stop) for stop in self._stops)])
            certain = held[:size].rstrip()
            self._held = held[len(certain) :]
        self.text += certain
        return certain


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of a text begin the stop text."""
    return next(
        (size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0
    )
