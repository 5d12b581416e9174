"""The training items nearest to a text, in the embedding of the model that predicted. Embeddings of a train
split are cached.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.queries import rows_of, with_items
from lifecycle.ground.compute import warm

BATCH = 256


def find(
    artifact: Path,
    root_digest: str,
    snapshot: Snapshot,
    text: str,
    count: int,
    progress: Callable[[int], None],
) -> list[tuple[str, float]]:
    """The `count` items of the train split nearest to the text by cosine: (item uuid, similarity), best
    first.

    progress: called with the number of embedded training items, only at the first call for a version.
    """
    uuids, vectors = train_embeddings(artifact, root_digest, snapshot, progress)
    query = warm.embed(artifact, [text])[0]
    return [(str(uuids[row]), similarity) for row, similarity in nearest(vectors, query, count)]


def nearest(embeddings: NDArray[Any], query: Sequence[float], count: int = 10) -> list[tuple[int, float]]:
    """The rows of embeddings (N, H) nearest to the query by cosine: (row, similarity), best first."""
    vectors = np.asarray(embeddings, dtype=np.float64)
    wanted = np.asarray(query, dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(wanted)
    similarity = vectors @ wanted / np.maximum(norms, 1e-12)
    order = np.argsort(-similarity, kind="stable")[:count]
    return [(int(row), float(similarity[row])) for row in order]


def train_embeddings(
    artifact: Path, root_digest: str, snapshot: Snapshot, progress: Callable[[int], None]
) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
    """Item uuids (N,) and vectors float32 (N, hidden) of the train split; cached in DATA_DIR/cache."""
    path = Path(settings.DATA_DIR) / "cache" / "embeddings" / f"{root_digest[:16]}-{snapshot.digest[:16]}.npz"
    if not path.exists():
        uuids, vectors = compute(artifact, snapshot, progress)
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, delete=False) as file:
            np.savez(file, uuids=uuids, vectors=vectors)
        os.replace(file.name, path)
    with np.load(path, allow_pickle=False) as kept:
        return kept["uuids"], kept["vectors"]


def compute(
    artifact: Path, snapshot: Snapshot, progress: Callable[[int], None]
) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
    """Embed the whole train split, in batches of 256 texts."""
    uuids: list[str] = []
    parts: list[NDArray[np.float32]] = []
    for batch in batches(snapshot):
        uuids += [uuid for uuid, _ in batch]
        parts.append(np.asarray(warm.embed(artifact, [text for _, text in batch]), dtype=np.float32))
        progress(len(uuids))
    return np.array(uuids), np.concatenate(parts)


def batches(snapshot: Snapshot) -> Iterator[list[tuple[str, str]]]:
    """(item uuid, text) of the train split, 256 at a time."""
    rows = ((row.item_uuid, item.text) for row, item, *_ in with_items(snapshot, rows_of(snapshot, "train")))
    while batch := list(islice(rows, BATCH)):
        yield batch
