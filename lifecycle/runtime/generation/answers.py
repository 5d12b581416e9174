"""Answers on an event loop: text in pieces, log probabilities, and what they cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from lifecycle.runtime.generation.batcher import Batcher
from lifecycle.runtime.generation.reply import Reply
from lifecycle.runtime.generation.rules import Ended, Finish, Prompt, Sampling, Token


@dataclass(slots=True)
class Piece:
    """The next part of an answer. text: may be empty; tokens: that were generated for it."""

    text: str
    tokens: list[Token] = field(default_factory=list)


class Answer:
    """An answer in progress, which begins at once. text: so far; ended: None until it ended. decode: ids to
    text; stops: texts that end it.

    Raises Full.
    """

    def __init__(
        self,
        batcher: Batcher,
        prompt: Prompt,
        sampling: Sampling,
        decode: Callable[[Sequence[int]], str],
        stops: Sequence[str] = (),
    ) -> None:
        loop = asyncio.get_running_loop()
        self.prompt = prompt
        self.ended: Ended | None = None
        self._reply = Reply(decode, stops)
        self._events: asyncio.Queue[Token | Ended] = asyncio.Queue()
        self._row = batcher.submit(
            prompt, sampling, lambda event: loop.call_soon_threadsafe(self._events.put_nowait, event)
        )

    @property
    def text(self) -> str:
        """So far."""
        return self._reply.text

    @property
    def finish(self) -> Finish | None:
        """Why it ended."""
        return (Finish.STOP if self._reply.is_stopped else self.ended.finish) if self.ended else None

    def cancel(self) -> None:
        """End it before its next token."""
        self._row.cancel()

    async def pieces(self) -> AsyncIterator[Piece]:
        """Its parts as they come; what waits comes as one."""
        while self.ended is None:
            piece = Piece("")
            event: Token | Ended | None = await self._events.get()
            while event is not None:
                self._take(event, piece)
                event = None if self._events.empty() else self._events.get_nowait()
            if piece.text or piece.tokens:
                yield piece

    async def whole(self) -> list[Token]:
        """Wait for the end, and return the tokens."""
        return [token for piece in [each async for each in self.pieces()] for token in piece.tokens]

    def _take(self, event: Token | Ended, piece: Piece) -> None:
        if isinstance(event, Ended):
            piece.text += self._reply.end()
            self.ended = event
        elif not self._reply.is_stopped:
            piece.text += self._reply.add(event.id)
            piece.tokens.append(event)
            if self._reply.is_stopped:
                self.cancel()
