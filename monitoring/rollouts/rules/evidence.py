"""The evidence that a canary fails more often than it should, as an e-process that may be looked at as often
as one likes. Pure.

A request reaches the canary with probability s, its share, decided by a hash and not by what the request is.
So, if the canary is harmless, every failure that happens on either arm comes from the canary with probability
exactly s, whatever the failure rate is and however it moves over the day. For failures x_1, x_2, … (1: from
the canary) and any q > s, the likelihood ratio Π (q/s)^x_i · ((1−q)/(1−s))^(1−x_i)
is then a martingale that starts at 1, and so is its mean over several q. By Ville's inequality (J. Ville,
Étude critique de la notion de collectif, 1939; as in Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic
statistics and safe anytime-valid inference", Statistical Science 38(4), 2023) the chance that it ever reaches
1/α is at most α, at any number of looks.

The same holds for every event that says nothing about the arm but through the arm's own behaviour: a slow
answer, where "slow" is decided by a bound that was known before; an answer that someone called wrong, where
anyone who calls does not know the arm.

Mixing over q follows H. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals
of Mathematical Statistics 41(5), 1970: one need not know beforehand how much worse a canary is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

RATIOS: NDArray[np.float64] = np.geomspace(1.2, 20.0, 20)


def tolerated_share(share: float, ratio: float = 1.0) -> float:
    """The share of the failures that a canary may have whose rate of failures is ρ times that of the stable
    version: s·ρ/(s·ρ + 1 − s).

    share: 0 to 1, both excluded; ratio: ρ, at least 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"A share between 0 and 1 is compared, not {share}.")
    if ratio < 1:
        raise ValueError(
            f"The canary's rate of failures may be at least the stable version's, not {ratio} of it."
        )
    return share * ratio / (share * ratio + 1 - share)


def log_e(canary: ArrayLike, stable: ArrayLike, share: float, ratio: float = 1.0) -> NDArray[np.float64]:
    """The natural logarithm of the e-value after so many failures on either arm; 0 before the first.

    canary, stable: counts, numbers or arrays of one shape (…); the answer has that shape. The two counts are
    the whole state: the order of the failures does not matter. share: the canary's part of the traffic while
    they happened. ratio: of the canary's rate of failures to the stable version's, up to which it counts as
    harmless. Evidence of stretches with different shares adds up (e-values multiply), since each is 1 in
    expectation given everything before it.
    """
    fair = tolerated_share(share, ratio)
    # (20,) shares of the failures if the canary is that much worse
    biased = RATIOS * fair / (RATIOS * fair + 1 - fair)
    x, y = np.asarray(canary, dtype=float)[..., None], np.asarray(stable, dtype=float)[..., None]
    terms = x * np.log(biased / fair) + y * np.log((1 - biased) / (1 - fair))  # (…, 20)
    peak = terms.max(axis=-1)
    summed: NDArray[np.float64] = peak + np.log(np.exp(terms - peak[..., None]).mean(axis=-1))
    return summed


def log_limit(alpha: float) -> float:
    """What the logarithm of the e-value must reach for a rollback: ln(1/α)."""
    return math.log(1 / alpha)
