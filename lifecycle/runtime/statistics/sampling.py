"""Accepting a lot by a sample of it: which samples are good enough, and how often lots of each quality pass. numpy and scipy.

The operating characteristic of ISO 2859-1 (type B: items are wrong with one chance, each by itself, so that samples are binomial). Of a
lot from which items are drawn by chance it holds however mistakes cluster; the nearer a sample comes to the whole lot, the rarer a bad lot
passes than told here.
"""

from __future__ import annotations

import numpy as np
import scipy  # its parts are loaded when they are first used

MORE = 3  # samples that follow a rejected one: what is told holds for so many


def allowed(size: int, tolerated: int, *, judged: int = 0, wrong: int = 0) -> int:
    """How many of a sample may be wrong for it to be accepted; negative where none could be.

    size: of the sample, in items; tolerated: percent, 0 to 50. judged, wrong: items of earlier samples of the lot. Both the sample and all
    that was judged have to be within what is tolerated, so that drawing again rarely helps.
    """
    return min(tolerated * size // 100, tolerated * (judged + size) // 100 - wrong)


def quality(accepted: float, size: int, most: int) -> float | None:
    """The share of wrong items (0 to 1) at which a sample that may have `most` wrong items is accepted so often; None if never or always.

    The quantile of a beta distribution, as of the interval by Clopper and Pearson (1934).
    """
    return float(scipy.special.betaincinv(most + 1, size - most, 1 - accepted)) if 0 <= most < size else None


def chance(share: float, size: int, tolerated: int, *, judged: int = 0, wrong: int = 0, more: int = 0) -> float:
    """How likely a lot is accepted of which this share is wrong, by a sample or, where it is rejected, by one of `more` further ones.

    All of one size, each by `allowed`, counting the ones before. judged, wrong: of earlier samples, which were rejected.
    """
    binomial = np.asarray(scipy.stats.binom.pmf(np.arange(size + 1), size, share))
    found, rejected = 0.0, np.ones(1)  # chance of each number of wrong items so far, where no sample was accepted
    for times in range(more + 1):
        alone = allowed(size, tolerated)
        together = tolerated * (judged + (times + 1) * size) // 100 - wrong
        passed = np.convolve(rejected, binomial[: alone + 1])[: max(0, together + 1)]
        rejected = np.convolve(rejected, binomial)
        rejected[: len(passed)] -= passed
        found += float(passed.sum())
    return found
