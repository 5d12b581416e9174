"""Answers in progress: one thread, one row of the cache each, joined and left at any token.

Continuous batching as of Orca (Yu et al., OSDI 2022), without paging: rows of the cache are as long as the
longest answer may become. A prompt is read in pieces between the tokens of the others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from lifecycle.runtime.generation import sampling
from lifecycle.runtime.generation.network import Network
from lifecycle.runtime.generation.rules import Ended, Finish, Full, Listener, Prefix, Prompt, Sampling, Token

MAX_ROWS = 8
MAX_WAITING = 64
CACHE_BYTES = 1_000_000_000
PIECE = 256  # tokens of a prompt that are read between two tokens of the others
log = logging.getLogger("lifecycle.runtime.inference")

T = TypeVar("T")


class Row:
    """An answer in progress. length: tokens in the cache, those of its prefix too; read: ids of the prompt
    among them.
    """

    def __init__(self, prompt: Prompt, wanted: Sampling, listener: Listener) -> None:
        self.prompt, self.wanted, self._listener = prompt, wanted, listener
        self.is_cancelled = False
        self.length = self.read = self.made = self.last = 0
        self.chance: torch.Generator | None = None
        self.cpu_seconds = 0.0
        self._entered = time.perf_counter()
        self._began = self._first = 0.0

    @property
    def needs(self) -> int:
        """Tokens of the cache, without those of a prefix."""
        return len(self.prompt.ids) + self.wanted.max_tokens

    def cancel(self) -> None:
        """End it before its next token. From any thread, and as often as one likes."""
        self.is_cancelled = True

    def begin(self, length: int) -> None:
        """It has a row of the cache. length: of its prefix."""
        self._began, self.length = time.perf_counter(), length
        self.chance = sampling.generator(self.wanted)

    def take(self, logits: torch.Tensor) -> Finish | None:
        """Choose the next token, and report it unless it ends the answer. Whatever fails here ends this
        answer alone.
        """
        try:
            if not bool(torch.isfinite(logits).all()):
                return Finish.FAILED
            token = sampling.choose(logits, self.wanted, self.chance)
        except Exception:
            log.exception("token_not_chosen version=%s", self.prompt.version)
            return Finish.FAILED
        self._first = self._first or time.perf_counter()
        self.made, self.last = self.made + 1, token.id
        if token.id in self.prompt.ends:
            return Finish.STOP
        self._report(token)
        return Finish.LENGTH if self.made >= self.wanted.max_tokens else None

    def end(self, finish: Finish) -> None:
        """Report the end."""
        now = time.perf_counter()
        first = self._first - self._entered if self._first else None
        waited = (self._began or now) - self._entered
        self._report(Ended(finish, self.made, now - self._entered, waited, first, self.cpu_seconds))

    def _report(self, event: Token | Ended) -> None:
        """To a listener that may be gone: its event loop was closed."""
        try:
            self._listener(event)
        except RuntimeError:
            self.cancel()


class Batcher:
    """Answers prompts with one network. adapt: loads what a prompt's version needs, in the batcher's thread,
    and returns its virtual tokens, or None; may raise anything, which fails that answer alone.
    """

    def __init__(
        self,
        network: Network,
        adapt: Callable[[str, frozenset[str]], Prefix | None] = lambda version, used: None,
        *,
        max_rows: int = MAX_ROWS,
        max_waiting: int = MAX_WAITING,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.network, self._adapt = network, adapt
        self._max_rows, self._max_waiting = max_rows, max_waiting
        self._max_tokens = max(1, cache_bytes // network.rows.bytes_per_token)  # of all rows
        self._waiting: deque[Row] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._reading: Row | None = None
        self._rows: list[Row] = []
        self._seconds_per_answer = 1.0
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    @property
    def limit(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return min(self.network.limit, self._max_tokens) if self.network.limit else self._max_tokens

    @property
    def active(self) -> int:
        """Answers in progress or waiting."""
        return len(self._rows) + len(self._waiting) + (self._reading is not None)

    def submit(self, prompt: Prompt, wanted: Sampling, listener: Listener) -> Row:
        """Begin an answer. listener: called in the batcher's thread, with each token and then once with the
        end; it must not block. Raises Full.
        """
        row = Row(prompt, wanted, listener)
        with self._changed:
            if len(self._waiting) >= self._max_waiting:
                raise Full(len(self._waiting) / self._max_rows * self._seconds_per_answer)
            if self._stopped:
                raise RuntimeError("The batcher was stopped.")
            self._waiting.append(row)
            self._changed.notify()
        return row

    def call(self, work: Callable[[], T]) -> T:
        """The result of work in the batcher's thread, between two tokens."""
        return self.post(work).result()

    def post(self, work: Callable[[], T]) -> Future[T]:
        """As `call`, without waiting."""
        future: Future[T] = Future()
        with self._changed:
            if self._stopped:
                raise RuntimeError("The batcher was stopped.")
            self._calls.append((work, future))
            self._changed.notify()
        return future

    def stop(self) -> None:
        """End the answers in progress as cancelled, and then the thread, which `join` waits for."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    def _run(self) -> None:
        torch.set_num_threads(1)  # the other cores are those of other servers, and of other requests
        with torch.inference_mode():
            while self._is_wanted():
                try:
                    self._step()
                except Exception:
                    log.exception("generation_failed rows=%d", len(self._rows))
                    self._end_all(Finish.FAILED)
        self._end_all(Finish.CANCELLED)
        for _, future in self._calls:
            future.cancel()

    def _is_wanted(self) -> bool:
        """Wait for work; False to end."""
        with self._changed:
            while not (self._stopped or self._calls or self._waiting or self._rows or self._reading):
                self.network.rows.drop()
                self._changed.wait()
            return not self._stopped

    def _step(self) -> None:
        while self._calls:
            work, future = self._calls.popleft()
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
        self._drop_cancelled()
        if self._reading is None:
            self._join()
        if self._reading is not None:
            self._read(self._reading)
        if self._rows:
            self._continue()

    def _join(self) -> None:
        """Give the answer that waits the longest a row, if there is room."""
        with self._changed:
            if not self._waiting or len(self._rows) >= self._max_rows:
                return
            row = self._waiting[0]
        try:
            prefix = self._adapt(row.prompt.version, frozenset(each.prompt.version for each in self._rows))
        except Exception:
            log.exception("version_not_adapted version=%s", row.prompt.version)
            self._waiting.popleft()
            row.end(Finish.FAILED)
            return
        before = len(prefix) if prefix else 0
        cached = self.network.rows
        if not self._rows:
            cached.drop()
        capacity = max(cached.capacity, row.needs + before)
        if self._rows and (len(self._rows) + 1) * capacity > self._max_tokens:
            return
        self._waiting.popleft()
        cached.grow(len(self._rows) + 1, row.needs + before)
        if prefix:
            cached.begin(len(self._rows), prefix)
        row.begin(before)
        self._reading = row

    def _read(self, row: Row) -> None:
        """Read the next piece of its prompt, which is in the cache's last row."""
        piece = row.prompt.ids[row.read : row.read + PIECE]
        with costing([row]):
            logits = self.network.read(len(self._rows), piece, row.length, row.prompt.version)
        row.read, row.length = row.read + len(piece), row.length + len(piece)
        if row.read < len(row.prompt.ids):
            return
        self._reading = None
        if finish := row.take(logits):
            self._end(row, finish)
        else:
            self._rows.append(row)

    def _continue(self) -> None:
        rows = self._rows
        with costing(rows):
            logits = self.network.continue_(
                [row.last for row in rows],
                [row.length for row in rows],
                [row.prompt.version for row in rows],
            )
        finished = []
        for row, each in zip(rows, logits, strict=True):
            row.length += 1
            if finish := row.take(each):
                finished.append((row, finish))
        for row, finish in finished:
            self._leave(row)
            self._end(row, finish)

    def _drop_cancelled(self) -> None:
        with self._changed:
            waiting = [row for row in self._waiting if row.is_cancelled]
            for row in waiting:
                self._waiting.remove(row)
        for row in waiting:
            row.end(Finish.CANCELLED)
        for row in [row for row in self._rows if row.is_cancelled]:
            self._leave(row)
            row.end(Finish.CANCELLED)
        if self._reading and self._reading.is_cancelled:
            row, self._reading = self._reading, None
            row.end(Finish.CANCELLED)

    def _leave(self, row: Row) -> None:
        """Close the gap in the cache: the last row moves into it, and the one that is being read after it."""
        at, last = self._rows.index(row), len(self._rows) - 1
        if at != last:
            self._rows[at] = self._rows[last]
            self.network.rows.move(last, at, self._rows[at].length)
        self._rows.pop()
        if self._reading is not None:
            self.network.rows.move(last + 1, last, self._reading.length)

    def _end(self, row: Row, finish: Finish) -> None:
        took = time.perf_counter() - row._began
        self._seconds_per_answer += 0.1 * (took - self._seconds_per_answer)
        row.end(finish)

    def _end_all(self, finish: Finish) -> None:
        with self._changed:
            rows = [*self._rows, *([self._reading] if self._reading else [])]
            if finish is Finish.CANCELLED:
                rows += self._waiting
                self._waiting.clear()
        self._rows, self._reading = [], None
        self.network.rows.drop()
        for row in rows:
            row.end(finish)


@contextmanager
def costing(rows: Sequence[Row]) -> Iterator[None]:
    """Divide what the thread takes of the processor among these rows."""
    began = time.thread_time()
    yield
    for row in rows:
        row.cpu_seconds += (time.thread_time() - began) / len(rows)
