"""Confidence sequences: intervals that hold at all looks at once with 95 %, under any stopping rule. numpy
and scipy.

An interval for one look holds at that look with 95 %; checked daily for a quarter, it misses at some look far
more often. A confidence sequence covers all looks at once and is about half as wide again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import scipy  # its parts are loaded when they are first used

ALPHA = 0.05
# observations at which intervals are narrowest relative to their error; from 30 to 10,000 at most a fifth
# wider
BEST_AT = 200


def share(
    successes: float, count: float, alpha: float = ALPHA, *, prior: tuple[float, float] = (0.5, 0.5)
) -> tuple[float, float]:
    """(low, high) of the probability of a success, from independent trials checked after each one; (0, 1)
    before the first.

    The shares p at which the beta mixture of likelihood ratios, which is a martingale under p, stays below
    1/α: H. Robbins 1970; exact for any number of trials (Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform,
    nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2), 2021, section 3.2). prior:
    of the mixture; near its mean the sequence is narrowest.
    """
    if count <= 0:
        return 0.0, 1.0

    def beyond(p: float) -> float:
        """How far the martingale is above 1/α, as a logarithm: negative inside the interval."""
        return evidence(successes, count, p, prior) - math.log(1 / alpha)

    middle = successes / count
    low = 0.0 if beyond(0.0) <= 0 else crossing(beyond, 0.0, middle)
    high = 1.0 if beyond(1.0) <= 0 else crossing(beyond, 1.0, middle)
    return low, high


def evidence(successes: float, count: float, expected: float, prior: tuple[float, float]) -> float:
    """The logarithm of the mixture of likelihood ratios against a share, which is a martingale under it."""
    failures = count - successes
    mixed = float(
        scipy.special.betaln(prior[0] + successes, prior[1] + failures) - scipy.special.betaln(*prior)
    )
    return mixed - float(
        scipy.special.xlogy(successes, expected) + scipy.special.xlog1py(failures, -expected)
    )


def p_of_share(
    successes: float, count: float, expected: float, *, prior: tuple[float, float] = (0.5, 0.5)
) -> float:
    """The always-valid p-value for the expected probability of a success: the largest α at which `share`
    excludes it, else 1.

    Under the expected probability, the smallest p of all looks is below α with a probability of at most α.
    """
    return math.exp(min(0.0, -evidence(successes, count, expected, prior)))


def crossing(function: Callable[[float], float], outside: float, inside: float) -> float:
    """The zero of a function that is positive outside and not inside, to within 1e-9, on the outer side."""
    while abs(outside - inside) > 1e-9:
        between = (outside + inside) / 2
        outside, inside = (between, inside) if function(between) > 0 else (outside, between)
    return outside


def half_width(variance: float, tau: float, alpha: float = ALPHA) -> float:
    """Half the length of the interval of an estimate with this variance, at every look.

    sqrt(V (V + τ²) / τ² · (2 ln(1/α) + ln((V + τ²) / V))), by the mixture sequential probability ratio test
    (Johari, Koomen, Pekelis and Walsh, "Always valid inference", Operations Research 70(3), 2022, eq. 8).
    With an estimated variance that is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha,
    Kennedy and Ramdas (Annals of Statistics 52(6), 2024, theorem 2.2): valid from some dozens of clusters,
    for skewed values from a hundred. tau: the size of the most relevant differences, in the unit of the
    estimate, fixed in advance.
    """
    if variance <= 0 or math.isinf(variance):
        return math.inf
    both = variance + tau**2
    return math.sqrt(variance * both / tau**2 * (2 * math.log(1 / alpha) + math.log(both / variance)))


def quantile(count: float, alpha: float = ALPHA, *, best_at: float = BEST_AT) -> float:
    """The multiple of the standard error after so many observations, in place of 1.96, for an interval valid
    at every look: `half_width` in units of the standard error, with τ from `tau_for` for best_at
    observations.

    For any formula that takes a z (Wilson's, Newcombe's, Student's). count may be any measure of information
    that grows roughly as the variance falls. Infinite for 0.
    """
    return half_width(1 / count, tau_for(1.0, best_at), alpha) * math.sqrt(count) if count > 0 else math.inf


def tau_for(variance_of_one: float, count: float, alpha: float = ALPHA) -> float:
    """The τ at which `half_width` is shortest with so many clusters; variance_of_one: of one cluster.

    By Waudby-Smith et al. (2024), eq. 16, which approximates the best ρ by sqrt((−2 ln α + ln(−2 ln α + 1)) /
    count).
    """
    wanted = -2 * math.log(alpha)
    return math.sqrt(variance_of_one * (wanted + math.log(wanted + 1)) / count)
