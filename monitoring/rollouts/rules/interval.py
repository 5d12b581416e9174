"""How much more often the canary fails than the stable arm, with bounds that hold at every look. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from registry.promotions.plans import MIN_PER_ARM


@dataclass(frozen=True)
class Interval:
    """Canary minus stable, as shares from −1 to 1. low and high hold together at all looks with probability 1 − alpha."""

    difference: float
    low: float
    high: float


def difference(bad: tuple[int, int], of: tuple[int, int], *, alpha: float = 0.05, tau: float = 0.01) -> Interval | None:
    """The difference of two failure shares with an always-valid interval; None with fewer than 100 requests in either arm.

    bad, of: (canary, stable) counts. The bounds are those of the mixture sequential probability ratio test with a normal mixture of
    variance τ² over the difference (Johari, Koomen, Pekelis and Walsh, "Always valid inference: continuous monitoring of A/B tests",
    Operations Research 70(3), 2022, eq. 8):
        d ± sqrt( V(V+τ²)/τ² · (2 ln(1/α) + ln((V+τ²)/V)) ),   V = p₁(1−p₁)/n₁ + p₀(1−p₀)/n₀.
    τ: the size of the differences that matter most, as a share. The variances use (bad+2)/(of+4) for p (A. Agresti and B. Coull,
    "Approximate is better than exact for interval estimation of binomial proportions", American Statistician 52(2), 1998): an arm without
    a failure would else have none, and with rare failures the bounds would miss more often than α. This widens the interval and never
    moves d.
    """
    if min(of) < MIN_PER_ARM:
        return None
    shares = [count / total for count, total in zip(bad, of, strict=True)]
    moved = [(count + 2) / (total + 4) for count, total in zip(bad, of, strict=True)]
    variance = sum(share * (1 - share) / total for share, total in zip(moved, of, strict=True))
    half = half_width(variance, alpha, tau)
    found = shares[0] - shares[1]
    return Interval(found, max(-1.0, found - half), min(1.0, found + half))


def half_width(variance: float, alpha: float, tau: float) -> float:
    """Half the length of the always-valid interval of a difference with this variance."""
    both = variance + tau**2
    return math.sqrt(variance * both / tau**2 * (2 * math.log(1 / alpha) + math.log(both / variance)))
