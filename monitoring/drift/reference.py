"""What a baseline holds, from an evaluation's answers and the texts behind them. Pure but for reading the version's own tokenizer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lifecycle.engine.predictions import Predictions
from monitoring.drift import cbpe
from monitoring.drift.cbpe import Curve
from monitoring.traffic import histogram
from monitoring.traffic.rules import CONFIDENCE_BINS, OOV_BINS, share_bin
from registry.artifacts import actions as artifacts
from registry.artifacts.models import Folder

Histogram = dict[str, int]


# ── Histograms ──────────────────────────────────────────────────────────────
def histograms(answers: Predictions, texts: Sequence[str], oov: Sequence[float] | None) -> dict[str, Histogram | None]:
    """Fine bins as traffic's rollups have them. texts: of the items that are still there; oov: a share for each of them, or None."""
    return {
        "label": counted(answers.labels[at] for at in answers.predicted),
        "confidence": counted(share_bin(float(each), CONFIDENCE_BINS) for each in answers.confidence),
        "chars": counted(histogram.bucket(len(text)) for text in texts if text) or None,
        "oov": counted(share_bin(each, OOV_BINS) for each in oov) if oov else None,
    }


def counted(keys: Any) -> Histogram:
    """How often each key comes, as JSON holds it."""
    return {str(key): count for key, count in sorted(Counter(keys).items())}


# ── Calibration ─────────────────────────────────────────────────────────────
def calibrate(answers: Predictions) -> dict[str, Any]:
    """How to read confidences of this version, learned on labelled rows that it was not trained on.

    expected: of each of the 50 bins of confidence, the mean calibrated confidence. mean: over the reference. accuracy, macro_f1: what they
    are there. spread, f1_spread: deviation of one row's rightness, and of macro-F1 times the root of the rows. curves: a calibration for
    each label against the others. isotonic: whether calibrating lowered the cross-validated ECE.
    """
    best, confidence = answers.predicted, answers.confidence
    right = (best == answers.truth).astype(np.float64)
    curve = cbpe.calibrated(confidence, right)
    read = curve(confidence)
    own = [cbpe.calibrated(answers.probabilities[:, at], answers.truth == at) for at in range(len(answers.labels))]
    return {
        "labels": list(answers.labels),
        "expected": expected(curve, confidence),
        "mean": cbpe.mean(read),
        "accuracy": float(right.mean()),
        "spread": cbpe.spread_over(right),
        "isotonic": curve is not cbpe.IDENTITY,
        "macro_f1": cbpe.f1_of(answers.truth, best, len(answers.labels)),
        "f1_spread": cbpe.f1_spread(answers.truth, best, len(answers.labels)),
        "curves": [{"x": rounded(each.x), "y": rounded(each.y)} for each in own],
    }


def expected(curve: Curve, confidence: NDArray[np.float64]) -> list[float]:
    """The mean calibrated confidence of the rows in each bin; in an empty one, that of its middle."""
    bins = np.array([share_bin(float(each), CONFIDENCE_BINS) for each in confidence])
    middles = curve((np.arange(CONFIDENCE_BINS) + 0.5) / CONFIDENCE_BINS)
    read = curve(confidence)
    return [round(cbpe.mean(read[bins == at]) if (bins == at).any() else float(middles[at]), 6) for at in range(CONFIDENCE_BINS)]


def rounded(values: Sequence[float]) -> list[float]:
    """Six digits are enough of a share."""
    return [round(value, 6) for value in values]


# ── Unknown words ───────────────────────────────────────────────────────────
def oov_shares(folder: Folder, texts: Sequence[str]) -> list[float] | None:
    """For each text the share of its words that the version's vocabulary does not hold as one token; None without a tokenizer to ask.

    Counted as the inference server counts it: of a long text, only the part that the model reads.
    """
    digests = {file["name"]: file["sha256"] for file in folder.files}
    if not {"tokenizer.json", "lifecycle.json"} <= digests.keys() or not texts:
        return None
    with artifacts.local_copy(digests["lifecycle.json"]) as card, artifacts.local_copy(digests["tokenizer.json"]) as path:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.enable_truncation(int(json.loads(card.read_bytes())["max_tokens"]))
    tokenizer.no_padding()
    unknown = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "[UNK]")
    return [oov_share(tokenizer.encode(text), unknown) for text in texts]


def oov_share(encoding: Any, unknown: int | None) -> float:
    """Share of one text's words that are not exactly one token, or are the unknown token; 0 where there is no word."""
    pieces = Counter(word for word in encoding.word_ids if word is not None)
    lost = {word for word, token in zip(encoding.word_ids, encoding.ids, strict=True) if word is not None and token == unknown}
    return sum(count > 1 or word in lost for word, count in pieces.items()) / len(pieces) if pieces else 0.0
