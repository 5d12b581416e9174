"""What a baseline holds, from an evaluation's answers and the texts behind them. Pure but for reading the
version's own tokenizer.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.task_types.watched import Observed, Watched
from monitoring.drift import cbpe
from monitoring.drift.cbpe import Curve, Floats, Ints
from monitoring.drift.measuring.figures import fine_of
from monitoring.traffic import histogram
from monitoring.traffic.rules import CONFIDENCE_BINS, OOV_BINS, share_bin
from registry.ground.artifacts import actions as artifacts
from registry.ground.artifacts.models import Folder

Histogram = dict[str, int]
Texts = tuple[str, ...]  # of an item as servers read it: its text, or the prompt and its candidates


# ── Histograms ──────────────────────────────────────────────────────────────
def histograms(
    watched: Watched[Any], found: Observed, texts: Mapping[str, Texts], oov: Sequence[float] | None
) -> dict[str, Histogram | None]:
    """Fine bins as traffic's rollups have them, and those of the task's figures. texts: by digest, of the
    items that are still there; oov: a share for each of them, or None.
    """
    sure = found.confidence[np.isfinite(found.confidence)]
    chars = {digest: sum(map(len, each)) for digest, each in texts.items()}
    valued = [(value, chars[at]) for at, value in zip(found.ids, found.values, strict=False) if at in chars]
    return {
        watched.labels_as: counted(name for each in found.labels for name in each),
        "confidence": counted(share_bin(float(each), CONFIDENCE_BINS) for each in sure),
        "chars": counted(histogram.bucket(each) for each in chars.values() if each) or None,
        "oov": counted(share_bin(each, OOV_BINS) for each in oov) if oov else None,
    } | {
        figure.name: counted(fine for each in valued if (fine := fine_of(figure, *each)) is not None)
        for figure in watched.figures
    }


def counted(keys: Any) -> Histogram:
    """How often each key comes, as JSON holds it."""
    return {str(key): count for key, count in sorted(Counter(keys).items())}


UNSURE = {"expected": [0.0] * CONFIDENCE_BINS, "mean": 0.0, "accuracy": None, "spread": 0.0, "errors": []}


# ── Calibration ─────────────────────────────────────────────────────────────
def calibrate(found: Observed) -> dict[str, Any]:
    """How to read confidences of this version, learned on labeled rows that it was not trained on, and how
    far chance moves what is read.

    labels, and the results of `of_accuracy` and, where each prediction has exactly one label, of
    `of_macro_f1`; else several: True. Where some predictions have no confidence, accuracy and groups are of
    all, what confidences give of the others, and sure has their rows and accuracy.
    """
    order = np.argsort(found.ids)  # what is drawn by chance below must not hang on the order of the rows
    clusters, right = together(found.clusters, order), found.right[order].astype(np.float64)
    confidence = found.confidence[order]
    sure = np.isfinite(confidence)
    some = None if clusters is None else together(clusters, np.flatnonzero(sure))
    read: dict[str, Any] = {"labels": list(found.names)}
    read |= of_accuracy(confidence[sure], right[sure], some) if sure.any() else UNSURE
    if not sure.all():
        read["sure"] = {"rows": int(sure.sum()), "accuracy": read["accuracy"]}
        read |= {"accuracy": float(right.mean()), "groups": groups_of(right, clusters)}
    if found.probabilities is None or found.truth is None:
        return read | {"several": True}
    number = {name: at for at, name in enumerate(found.names)}
    best = np.array([number[name] for (name,) in found.labels])[order]
    return read | of_macro_f1(
        found.probabilities[order], found.truth[order], best, len(found.names), clusters
    )


def together(clusters: Ints | None, order: Ints) -> Ints | None:
    """Number of each row's cluster, such as near duplicates, in this order; None where each row is one of its
    own, or no one knows.
    """
    if clusters is None:
        return None
    numbers = clustered.numbered(clusters[order].tolist())
    return numbers if int(numbers.max(initial=0)) + 1 < len(numbers) else None


def groups_of(right: Floats, clusters: Ints | None) -> dict[str, Any] | None:
    """Right rows of all rows by cluster, as `clustered.Sums`; None without clusters."""
    return None if clusters is None else asdict(clustered.by_cluster(right, clusters))


def of_accuracy(confidence: Floats, right: Floats, clusters: Ints | None = None) -> dict[str, Any]:
    """expected: of each of the 50 bins of confidence, the mean calibrated confidence. mean: over the
    reference. accuracy: what it is there.

    spread: of one row's rightness, 0 to 0.5. errors: how far chance moves the expected values and the mean,
    from resamples of the rows on which all is fitted again, as `cbpe.factor` gives it (R, 51). groups: right
    rows of all rows, as `clustered.Sums`.

    clusters: as `together` gives them, whole ones are resampled; without any, groups is None.
    """
    bins = np.array([share_bin(float(each), CONFIDENCE_BINS) for each in confidence])

    def read(weight: Floats) -> Floats:
        """The expected value of each bin, and the mean."""
        curve = cbpe.calibrated(confidence, right, weight)
        return np.append(expected(curve, confidence, bins), np.average(curve(confidence), weights=weight))

    known = read(np.ones(len(right)))
    factor = cbpe.factor(cbpe.over_resamples(read, len(right), clusters=clusters))
    return {
        "expected": rounded(known[:-1]),
        "mean": float(known[-1]),
        "accuracy": float(right.mean()),
        "spread": cbpe.spread_over(right),
        "errors": [rounded(each) for each in factor * few(clusters)],
        "groups": groups_of(right, clusters),
    }


def few(clusters: Ints | None) -> float:
    """The factor of `cbpe.wider`; 1 without clusters, and of a single one, from which nothing is
    estimated.
    """
    return cbpe.wider(int(clusters.max()) + 1) if clusters is not None and clusters.any() else 1.0


def of_macro_f1(
    probabilities: Floats, truth: Ints, best: Ints, classes: int, clusters: Ints | None = None
) -> dict[str, Any]:
    """macro_f1: on the reference. curves: a calibration for each label against the others. f1_expected: the
    macro-F1 that they give there.

    f1_spread: deviation of the macro-F1 over resamples of the rows, times the root of their number. f1_error:
    deviation of an expected macro-F1 by curves from a resample, put right by how far they were off on it.
    clusters: as of `of_accuracy`; the spread represents that of a window, whose rows are not in these
    clusters.
    """
    kept = cbpe.best_few(probabilities)

    def curves(weight: Floats) -> list[Curve]:
        return [cbpe.calibrated(kept[:, at], truth == at, weight) for at in range(classes)]

    def f1(weight: Floats) -> Floats:
        """The macro-F1 of a resample; an expected one by its curves, put right."""
        found, real = cbpe.renormalised(curves(weight), kept), cbpe.f1_of(truth, best, classes, weight)
        return np.array([real, cbpe.macro_f1(best, found) + real - cbpe.macro_f1(best, found, weight)])

    own = curves(np.ones(len(truth)))

    def deviations(clusters: Ints | None) -> list[float]:
        found: list[float] = (
            cbpe.over_resamples(f1, len(truth), cbpe.F1_RESAMPLES, clusters).std(axis=0, ddof=1).tolist()
        )
        return found

    spread, error = deviations(None)
    error = error if clusters is None else deviations(clusters)[1] * few(clusters)
    return {
        "macro_f1": cbpe.f1_of(truth, best, classes),
        "f1_expected": cbpe.macro_f1(best, cbpe.renormalised(own, kept)),
        "f1_spread": spread * math.sqrt(len(truth)),
        "f1_error": error,
        "curves": [{"x": rounded(each.x), "y": rounded(each.y)} for each in own],
    }


def expected(curve: Curve, confidence: Floats, bins: Ints) -> Floats:
    """The mean calibrated confidence of the rows in each bin; in an empty one, that of its middle. bins: of
    each row (N,).
    """
    middles = curve((np.arange(CONFIDENCE_BINS) + 0.5) / CONFIDENCE_BINS)
    count = np.bincount(bins, minlength=CONFIDENCE_BINS)
    summed = np.bincount(bins, weights=curve(confidence), minlength=CONFIDENCE_BINS)
    found: Floats = np.where(count > 0, summed / np.maximum(count, 1), middles)
    return found


def rounded(values: Iterable[float]) -> list[float]:
    """Six digits are enough of a share."""
    return [round(float(value), 6) for value in values]


# ── Unknown words ───────────────────────────────────────────────────────────
def oov_shares(folder: Folder, texts: Sequence[Texts]) -> list[float] | None:
    """For each item the share of its words that the version's vocabulary does not hold as one token; None
    without a tokenizer to ask. Raises Refused for one that can't be loaded.

    Counted as the inference server counts it: of a long text, only the part that the model reads; of
    candidates the mean share, each read together with the prompt.
    """
    digests = {file["name"]: file["sha256"] for file in folder.files}
    if not {"tokenizer.json", "lifecycle.json"} <= digests.keys() or not texts:
        return None
    with (
        artifacts.local_copy(digests["lifecycle.json"]) as card,
        artifacts.local_copy(digests["tokenizer.json"]) as path,
    ):
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise Refused("tokenizer.json can't be loaded.", next_step="Export the run again.") from error
        tokenizer.enable_truncation(int(json.loads(card.read_bytes())["max_tokens"]))
    tokenizer.no_padding()
    unknown = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "[UNK]")
    return [
        fmean(oov_share(tokenizer.encode(text, beside), unknown) for beside in (candidates or (None,)))
        for text, *candidates in texts
    ]


def oov_share(encoding: Any, unknown: int | None) -> float:
    """Share of one text's words that are not exactly one token, or are the unknown token; 0 where there is no
    word.
    """
    words = [
        None if word is None else (text, word)
        for text, word in zip(encoding.sequence_ids, encoding.word_ids, strict=True)
    ]
    pieces = Counter(word for word in words if word is not None)
    lost = {
        word for word, token in zip(words, encoding.ids, strict=True) if word is not None and token == unknown
    }
    return sum(count > 1 or word in lost for word, count in pieces.items()) / len(pieces) if pieces else 0.0
