"""Embeddings of texts by the installed base model, computed once per text and cached on this machine.

One SQLite file for each base model, below DATA_DIR/embeddings, from the digest of an item to its vector in
half precision. It is a cache: it may be deleted at any time, and workers on other machines have their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from lifecycle.ground.compute import warm
from lifecycle.runtime.engine.base import MINILM, BaseFolder, bundled_minilm, open_base

MAX_TOKENS = 128
ASKED = 1_000  # texts per call of the engine: loading the model costs as much as several hundred of them
LOOKED_UP = 500
TIMEOUT_SECONDS = 600.0


def base_name() -> str:
    """The name of the installed base model; empty if its package is missing."""
    return MINILM if bundled_minilm() else ""


def packaged_base() -> BaseFolder | None:
    """The installed base model; None if its package is missing."""
    folder = bundled_minilm()
    return open_base(folder, MINILM) if folder else None


def vectors(
    base: BaseFolder, rows: Sequence[tuple[str, str]], report: Callable[[int], None]
) -> NDArray[np.float32]:
    """The embeddings (N, H), of length 1, of these texts in their order. rows: (digest of the item, its
    text).

    report: called with the number of vectors so far, before and after each call of the engine; it may raise
    to stop. Raises NotReady if the engine doesn't respond, Refused if it rejects the request.
    """
    found = np.zeros((len(rows), base.hidden_size), dtype=np.float32)
    with closing(connect(base)) as known:
        missing = fill_in(known, rows, found)
        report(len(rows) - len(missing))
        for at in range(0, len(missing), ASKED):
            some = missing[at : at + ASKED]
            texts = [rows[row][1] for row in some]
            made = warm.embed_base(
                base.path, texts, digest=base.digest, max_tokens=MAX_TOKENS, timeout_seconds=TIMEOUT_SECONDS
            )
            fresh = np.asarray(made, dtype=np.float16)
            found[some] = fresh
            kept = [(rows[row][0], vector.tobytes()) for row, vector in zip(some, fresh, strict=True)]
            with known:
                known.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", kept)
            report(len(rows) - len(missing) + at + len(some))
    return found


def connect(base: BaseFolder) -> sqlite3.Connection:
    """Open the cache file of a base model, creating it at first use."""
    path = Path(settings.DATA_DIR) / "embeddings" / f"{base.digest[:16]}-{MAX_TOKENS}.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS vectors (item TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
    )
    return connection


def fill_in(
    known: sqlite3.Connection, rows: Sequence[tuple[str, str]], found: NDArray[np.float32]
) -> list[int]:
    """Write the cached vectors into `found`. Returns the indices of rows without one."""
    missing: list[int] = []
    for at in range(0, len(rows), LOOKED_UP):
        digests = [digest for digest, _ in rows[at : at + LOOKED_UP]]
        marks = ", ".join("?" * len(digests))
        kept = dict(known.execute(f"SELECT item, vector FROM vectors WHERE item IN ({marks})", digests))  # noqa: S608
        for row, digest in enumerate(digests, start=at):
            if digest in kept:
                found[row] = np.frombuffer(kept[digest], dtype=np.float16)
            else:
                missing.append(row)
    return missing
