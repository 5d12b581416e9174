"""Acceptance sampling: which samples are accepted, and how often lots of each quality pass. numpy and scipy.

The operating characteristic of ISO 2859-1 (type B: items are wrong independently with one probability, so
samples are binomial). For random samples of a lot it is valid however mistakes cluster; the larger the
sample's share of the lot, the more it overestimates how often a bad lot passes.
"""

from __future__ import annotations

import numpy as np
import scipy  # its parts are loaded when they are first used

MORE = 3  # repeated samples after a rejected one that the figures allow for


def allowed(size: int, tolerated: int, *, judged: int = 0, wrong: int = 0) -> int:
    """The acceptance number: how many items of a sample may be wrong; negative where it can't be accepted.

    size: of the sample, in items; tolerated: percent, 0 to 50. judged, wrong: items of earlier samples of the
    lot. Both the sample and all judged items must be within the tolerance, so that sampling again rarely
    helps.
    """
    return min(tolerated * size // 100, tolerated * (judged + size) // 100 - wrong)


def quality(accepted: float, size: int, most: int) -> float | None:
    """The share of wrong items (0 to 1) at which a sample with at most `most` wrong items allowed is accepted
    with this probability; None if never or always.

    A quantile of the beta distribution, as in the interval of Clopper and Pearson (1934).
    """
    return float(scipy.special.betaincinv(most + 1, size - most, 1 - accepted)) if 0 <= most < size else None


def chance(
    share: float, size: int, tolerated: int, *, judged: int = 0, wrong: int = 0, more: int = 0
) -> float:
    """The probability that a lot with this share of wrong items is accepted, by a sample or, if rejected, by
    one of `more` further ones.

    All of one size, each by `allowed`, counting the earlier ones. judged, wrong: of earlier samples, which
    were rejected.
    """
    binomial = np.asarray(scipy.stats.binom.pmf(np.arange(size + 1), size, share))
    # probability of each number of wrong items so far with no sample accepted
    found, rejected = 0.0, np.ones(1)
    for times in range(more + 1):
        alone = allowed(size, tolerated)
        together = tolerated * (judged + (times + 1) * size) // 100 - wrong
        passed = np.convolve(rejected, binomial[: alone + 1])[: max(0, together + 1)]
        rejected = np.convolve(rejected, binomial)
        rejected[: len(passed)] -= passed
        found += float(passed.sum())
    return found
