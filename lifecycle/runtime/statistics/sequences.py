"""Intervals that may be looked at again and again: with 95 % all of them hold, at every look, whoever stops when. numpy and scipy.

An interval for one look holds at that look with 95 %; looked at daily for a quarter, it misses at some look far more often. A confidence
sequence pays for all looks at once and is about half as wide again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import scipy  # its parts are loaded when they are first used

ALPHA = 0.05
BEST_AT = 200  # observations at which intervals are narrowest, for their error; from 30 to 10,000 at most a fifth wider


def share(successes: float, count: float, alpha: float = ALPHA, *, prior: tuple[float, float] = (0.5, 0.5)) -> tuple[float, float]:
    """(low, high) of the chance of a success, from independent trials that are looked at after each one; (0, 1) before the first.

    The shares p at which the beta mixture of likelihood ratios, which is a martingale under p, stays below 1/α: H. Robbins 1970; exact for
    any number of trials (Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of
    Statistics 49(2), 2021, section 3.2). prior: of the mixture; where it lies the sequence is narrowest.
    """
    if count <= 0:
        return 0.0, 1.0

    def told(p: float) -> float:
        """How far the martingale is beyond 1/α: negative inside."""
        return evidence(successes, count, p, prior) - math.log(1 / alpha)

    middle = successes / count
    low = 0.0 if told(0.0) <= 0 else crossing(told, 0.0, middle)
    high = 1.0 if told(1.0) <= 0 else crossing(told, 1.0, middle)
    return low, high


def evidence(successes: float, count: float, expected: float, prior: tuple[float, float]) -> float:
    """The logarithm of the mixture of likelihood ratios against a share, which is a martingale under it."""
    failures = count - successes
    mixed = float(scipy.special.betaln(prior[0] + successes, prior[1] + failures) - scipy.special.betaln(*prior))
    return mixed - float(scipy.special.xlogy(successes, expected) + scipy.special.xlog1py(failures, -expected))


def p_of_share(successes: float, count: float, expected: float, *, prior: tuple[float, float] = (0.5, 0.5)) -> float:
    """The always-valid p-value that the chance of a success is what is expected: the largest α at which `share` leaves it out, else 1.

    Under that chance the smallest p of all looks is below α in at most α.
    """
    return math.exp(min(0.0, -evidence(successes, count, expected, prior)))


def crossing(told: Callable[[float], float], outside: float, inside: float) -> float:
    """Where a function that is positive outside and not inside changes its sign, to within 1e-9; the end that is outside."""
    while abs(outside - inside) > 1e-9:
        between = (outside + inside) / 2
        outside, inside = (between, inside) if told(between) > 0 else (outside, between)
    return outside


def half_width(variance: float, tau: float, alpha: float = ALPHA) -> float:
    """Half the length of the interval of an estimate with this variance, at every look.

    sqrt(V (V + τ²) / τ² · (2 ln(1/α) + ln((V + τ²) / V))), by the mixture sequential probability ratio test (Johari, Koomen, Pekelis and
    Walsh, "Always valid inference", Operations Research 70(3), 2022, eq. 8). With an estimated variance that is the asymptotic confidence
    sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (Annals of Statistics 52(6), 2024, theorem 2.2): it holds from some dozens
    of clusters on, of skewed values from a hundred. tau: the size of the differences that matter most, in the unit of the estimate, fixed
    beforehand.
    """
    if variance <= 0 or math.isinf(variance):
        return math.inf
    both = variance + tau**2
    return math.sqrt(variance * both / tau**2 * (2 * math.log(1 / alpha) + math.log(both / variance)))


def quantile(count: float, alpha: float = ALPHA, *, best_at: float = BEST_AT) -> float:
    """How many standard errors an interval goes to each side after so many observations, in place of 1.96, so that it may be looked at
    again and again: `half_width` in units of the standard error, with the τ that `tau_for` gives for best_at observations.

    For any formula that takes a z (Wilson's, Newcombe's, Student's). count may be any measure of information that grows about as the
    variance falls. Infinite of nothing.
    """
    return half_width(1 / count, tau_for(1.0, best_at), alpha) * math.sqrt(count) if count > 0 else math.inf


def tau_for(variance_of_one: float, count: float, alpha: float = ALPHA) -> float:
    """The τ at which `half_width` is shortest once there are so many clusters; variance_of_one: of one cluster.

    By Waudby-Smith et al. (2024), eq. 16, which approximates the best ρ by sqrt((−2 ln α + ln(−2 ln α + 1)) / count).
    """
    wanted = -2 * math.log(alpha)
    return math.sqrt(variance_of_one * (wanted + math.log(wanted + 1)) / count)
