"""The paired comparison of two models on the same rows: how much better one is, and whether by chance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from lifecycle.runtime.statistics.bootstrap import BLOCK_CELLS, Together, counted, percentiles, resamples
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.statistics.metrics import TIED, Countable, Floats, Ints, point_estimates
from lifecycle.runtime.statistics.significance import Name, holm
from lifecycle.runtime.statistics.verdicts import verdict

Done = Callable[[int, int], None]  # (done, total)
SWAPS, MOST_SWAPS, FEW_LABELS = 1000, 10_000, 15


def no_op(done: int, of: int) -> None:
    """Report no progress."""


def paired_rows(
    one: Countable,
    two: Countable,
    compared: Sequence[str],
    *,
    labels: Sequence[str] | None,
    count: int,
    seed: int,
    lower: Collection[str] = (),
    clusters: Ints | None = None,
    progress: Done = no_op,
    swaps: int = 0,
) -> dict[str, dict[str, Any]]:
    """How much better `two` is than `one` on the same rows; positive is always better for `two`.

    Returns for each of `compared`: baseline, candidate, difference (signed so that positive is better), low,
    high (95 %, the same resampled rows for both), verdict better | worse | unclear. With labels also
    "per_class": {label: {...}} on F1 for labels with support. lower: those of `compared` where less is
    better. clusters: as for `resamples`. progress: called with the resamples done and their total before each
    block; it may raise to stop. swaps: where above 0, each score has the p of `swapped`.
    """
    points = point_estimates(one), point_estimates(two)
    drawn: dict[str, list[Floats]] = {name: [] for name in compared}
    signs = {name: -1.0 if name in lower else 1.0 for name in compared}
    samples = 2 * count if labels else count
    rounds = samples + swaps
    for weights, done in counted(resamples(len(one), count, seed, clusters)):
        progress(done, rounds)
        before, after = one.aggregate(weights), two.aggregate(weights)
        for name in compared:
            drawn[name].append(signs[name] * (after[name] - before[name]))
    together = Together.of(len(one), clusters)
    found = {
        name: _verdict(
            points[0][name],
            points[1][name],
            signs[name],
            np.concatenate(drawn[name]) if drawn[name] else np.zeros(0),
            together,
        )
        for name in compared
    }
    if labels:
        found["per_class"] = paired_per_class(
            one, two, labels, count, seed, clusters, lambda done, _: progress(count + done, rounds)
        )
    if swaps:
        p_values = swapped(
            one,
            two,
            compared,
            count=swaps,
            seed=seed,
            clusters=clusters,
            progress=lambda done, _: progress(samples + done, rounds),
        )
        for name, p in p_values.items():
            found[name]["p"] = p
    return found


Scores = TypeVar("Scores", bound=Countable)


def swapped(
    one: Countable,
    two: Countable,
    compared: Sequence[str],
    *,
    count: int,
    seed: int,
    clusters: Ints | None = None,
    progress: Done = no_op,
) -> dict[str, float]:
    """The two-sided p of each score's difference, by a permutation test over clusters (R. A. Fisher 1935).

    The predictions of the two are swapped at random in whole clusters; p is the share of draws, including the
    observed one, in which the scores differ as much (B. Phipson and G. Smyth 2010). For a share of rows that
    is McNemar's exact test, up to the draws. Valid for any number of rows: where fewer than six clusters
    differ none is below 0.05, up to the draws. An undefined score counts as large. clusters, progress: as for
    `paired_rows`.
    """

    def scores(rows: Countable, weights: Floats) -> Floats:
        every = rows.aggregate(weights)
        return np.stack([every[name] for name in compared], axis=1)

    p_values = _swapped(one, two, scores, count=count, seed=seed, clusters=clusters, progress=progress)
    return dict(zip(compared, p_values.tolist(), strict=True))


def swapped_per_class(
    one: Countable,
    two: Countable,
    labels: Sequence[str],
    *,
    count: int,
    seed: int,
    clusters: Ints | None = None,
) -> dict[str, float]:
    """As `swapped`, for the F1 of each label with support. count: draws for every FEW_LABELS of them,
    MOST_SWAPS at most, so that the smallest p stays below 0.05 after its correction.
    """
    support = one.by_class(np.ones((1, len(one)))).true[0] > 0
    draws = min(MOST_SWAPS, count * -(-int(support.sum()) // FEW_LABELS))
    found = _swapped(
        one,
        two,
        lambda rows, weights: rows.by_class(weights).f1[:, support],
        count=draws,
        seed=seed,
        clusters=clusters,
    )
    return dict(
        zip((label for label, held in zip(labels, support, strict=True) if held), found.tolist(), strict=True)
    )


def _swapped(
    one: Countable,
    two: Countable,
    scores: Callable[[Countable, Floats], Floats],
    *,
    count: int,
    seed: int,
    clusters: Ints | None,
    progress: Done = no_op,
) -> Floats:
    """p of each of K scores (K,). scores: of rows under each weighting (B, K)."""
    both, random, whole = one_after_other(one, two), np.random.default_rng([seed, 2]), np.ones((1, len(one)))
    places = np.arange(len(one)) if clusters is None else clusters
    units, size = int(places.max()) + 1, max(1, BLOCK_CELLS // (4 * len(one)))
    least = np.abs(scores(two, whole) - scores(one, whole))[0]
    large = np.ones(len(least))
    for start in range(0, count, size):
        progress(start, count)
        kept = random.integers(0, 2, size=(min(size, count - start), units)).astype(np.float64)[:, places]
        mine, other = np.split(scores(both, np.block([[kept, 1 - kept], [1 - kept, kept]])), 2)
        large += (~(np.abs(other - mine) < least - TIED)).sum(axis=0)
    p: Floats = large / (count + 1)
    return p


def judged(
    entries: Mapping[Name, Mapping[str, Any]], alone: Mapping[Name, float]
) -> dict[Name, dict[str, Any]]:
    """Entries of `paired_rows` with p, p_holm, adjusted for all of them, and the verdict by
    `verdicts.verdict`. alone: p of each.
    """
    together = holm(alone)
    return {
        name: (
            {**each, "p": alone[name], "p_holm": together[name]}
            | {
                "verdict": (
                    verdict(Interval(each["difference"], each["low"], each["high"]), p=together[name]).value
                )
            }
        )
        for name, each in entries.items()
    }


def one_after_other(one: Scores, two: Scores) -> Scores:
    """The rows of one, then those of the other (2N). Fields other than arrays, or tuples of them, are taken
    from the first.
    """

    def joined(mine: Any, other: Any) -> Any:
        if isinstance(mine, tuple):
            return tuple(joined(*each) for each in zip(mine, other, strict=True))
        return np.concatenate([mine, other]) if isinstance(mine, np.ndarray) else mine

    parts: Any = (one, two)
    return replace(
        parts[0],
        **{each.name: joined(*(getattr(part, each.name) for part in parts)) for each in fields(parts[0])},
    )


def apart(
    before: tuple[float, Floats],
    after: tuple[float, Floats],
    clusters: Ints,
    *,
    lower_is_better: bool = False,
) -> dict[str, Any]:
    """How much better the second is, as an entry of `paired_rows`. before, after: a model's score and its
    resamples by `drawn` (B,).
    """
    sign = -1.0 if lower_is_better else 1.0
    differences = sign * (after[1] - before[1])
    return _verdict(before[0], after[0], sign, differences, Together.of(len(clusters), clusters))


def _verdict(
    before: float, after: float, sign: float, differences: Floats, together: Together
) -> dict[str, Any]:
    difference = sign * (after - before)
    low, high = (
        percentiles(differences, difference, together) if len(differences) else (float("nan"), float("nan"))
    )
    word = verdict(Interval(difference, low, high)).value
    return {
        "baseline": before,
        "candidate": after,
        "difference": difference,
        "low": low,
        "high": high,
        "verdict": word,
    }


def as_change(found: Mapping[str, Any], *, lower_is_better: bool) -> dict[str, Any]:
    """An entry of `paired_rows` for pages: difference, low and high are candidate minus baseline, and better
    is the good direction, "up" or "down".
    """
    if not lower_is_better or found["difference"] is None:
        return dict(found) | {"better": "down" if lower_is_better else "up"}
    low, high = (None if found[end] is None else -found[end] for end in ("high", "low"))
    return dict(found) | {"difference": -found["difference"], "low": low, "high": high, "better": "down"}


def paired_per_class(
    one: Countable,
    two: Countable,
    labels: Sequence[str],
    count: int,
    seed: int,
    clusters: Ints | None = None,
    progress: Done = no_op,
) -> dict[str, Any]:
    """F1 of each label with support under both models, and the interval of its difference."""
    blocks = []
    for weights, done in counted(resamples(len(one), count, seed, clusters)):
        progress(done, count)
        blocks.append(two.by_class(weights).f1 - one.by_class(weights).f1)
    drawn = np.concatenate(blocks)
    whole = np.ones((1, len(one)))
    counts = one.by_class(whole)
    together = Together.of(len(one), clusters)
    before, after, support = counts.f1[0], two.by_class(whole).f1[0], counts.true[0]
    return {
        label: {
            **_verdict(float(before[number]), float(after[number]), 1.0, drawn[:, number], together),
            "support": int(support[number]),
        }
        for number, label in enumerate(labels)
        if support[number]
    }
