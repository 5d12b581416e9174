"""Passes through a model that learn nothing: what frozen parts give, once for the whole run, and logits of
validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lifecycle.runtime.engine import memory
from lifecycle.runtime.engine.batches import Collate, EncodedRows
from lifecycle.runtime.engine.classifier import (
    Classifier,
    TokenClassifier,
    collate,
    length_batches,
    set_batches,
)
from lifecycle.runtime.engine.devices import beside
from lifecycle.runtime.engine.layers import Activations, Lowest


@torch.no_grad()
def frozen_features(
    model: Classifier,
    encoded: Sequence[Sequence[int]],
    batches: Collate,
    cache: Path | None = None,
    at_once: int = memory.EVALUATION_BATCH,
) -> Tensor:
    """Pooled vectors (N, H) of an encoder that does not learn, read from the cache file where it is whole."""
    if cache is not None and cache.exists():
        known: Tensor = load_file(cache)["features"]
        return known
    model.eval()
    features = torch.zeros((len(encoded), model.head.in_features))
    for rows in length_batches([len(each) for each in encoded], at_once):
        batch = collate([encoded[row] for row in rows], batches.pad_id, token_types=batches.token_types)
        features[rows] = model.embed(**beside(model, batch)).float().cpu()
    if cache is not None:
        keep_features(features, cache)
    return features


def keep_features(features: Tensor, cache: Path) -> None:
    """Write them so that the file is whole or not there."""
    cache.parent.mkdir(exist_ok=True)
    temporary = cache.with_suffix(".part")
    save_file({"features": features}, temporary)
    temporary.replace(cache)


def frozen_activations(
    lowest: Lowest, encoded: Sequence[Sequence[int]], batches: Collate, path: Path, at_once: int
) -> Activations:
    """What the lowest layers give to each token of each text, read from the file where it is whole."""
    found = Activations(path, [len(each) for each in encoded], lowest.base.config.hidden_size)

    def gathered(some: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        return beside(lowest.base, collate(some, batches.pad_id, token_types=batches.token_types))

    def run(rows: Sequence[int]) -> Tensor:
        return lowest.run(**gathered([encoded[row] for row in rows]))

    lowest.check(**gathered(encoded[:4]))
    found.fill(length_batches([len(each) for each in encoded], at_once), run)
    return found


@torch.no_grad()
def evaluation_logits(model: Any, rows: EncodedRows, batches: Any, at_once: int) -> np.ndarray[Any, Any]:
    """Logits (N, C) of all rows in order, without dropout, long texts together."""
    model.eval()
    logits = np.zeros((len(rows), model.head.out_features), dtype=np.float32)
    for numbers in length_batches(rows.lengths, at_once):
        batch = batches([rows[number] for number in numbers])
        batch.pop("labels")
        logits[numbers] = model(**beside(model, batch))["logits"].float().cpu().numpy()
    return logits


@torch.no_grad()
def evaluation_scores(model: Any, rows: EncodedRows, batches: Any, at_once: int) -> np.ndarray[Any, Any]:
    """Scores (N, M) of the responses of all rows in order, without dropout; NaN where a row has fewer, and
    infinity where a score is no number. at_once: sequences of a batch.
    """
    model.eval()
    counts = [len(each) for each in rows.encoded.ids]
    scores = np.full((len(rows), max(counts)), np.nan)
    for numbers in set_batches(rows.lengths, counts, at_once):
        batch = batches([rows[number] for number in numbers])
        batch.pop("labels")
        for number, found in zip(
            numbers, model(**beside(model, batch))["logits"].float().cpu().numpy(), strict=True
        ):
            scores[number, : counts[number]] = np.nan_to_num(found[: counts[number]], nan=np.inf)
    return scores


def token_vectors(
    model: TokenClassifier, encoded: Sequence[Sequence[int]], batches: Collate, path: Path, at_once: int
) -> Activations:
    """The vector of each token of an encoder that does not learn, read from the file where it is whole."""
    found = Activations(path, [len(each) for each in encoded], model.head.in_features)
    model.eval()

    @torch.no_grad()
    def run(rows: Sequence[int]) -> Tensor:
        return model.embed(
            **beside(
                model,
                collate([encoded[row] for row in rows], batches.pad_id, token_types=batches.token_types),
            )
        )

    found.fill(length_batches([len(each) for each in encoded], at_once), run)
    return found


@torch.no_grad()
def token_logits(model: Any, rows: EncodedRows, batches: Any, at_once: int) -> list[np.ndarray[Any, Any]]:
    """Logits (T, K) of every token of each row in order, special tokens too, without dropout."""
    model.eval()
    found: list[np.ndarray[Any, Any]] = [np.zeros((0, model.head.out_features), dtype=np.float32)] * len(rows)
    lengths = rows.lengths
    for numbers in length_batches(lengths, at_once):
        batch = batches([rows[number] for number in numbers])
        batch.pop("labels")
        for number, logits in zip(
            numbers, model(**beside(model, batch))["logits"].float().cpu().numpy(), strict=True
        ):
            found[number] = logits[: lengths[number]]
    return found
