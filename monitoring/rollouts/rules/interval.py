"""How much more often the canary fails, or answers wrongly, than the stable arm, and how often its version
disagreed as a shadow, with bounds that hold at every look. Pure.
"""

from __future__ import annotations

from lifecycle.runtime.statistics import clustered, sequences
from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.runtime.statistics.intervals import Interval
from registry.promotions.plans import MIN_KEYS, MIN_PER_ARM


def difference(
    canary: Sums, stable: Sums, *, alpha: float, tau: float, judged: float = 1.0
) -> Interval | None:
    """Canary minus stable, as shares from −1 to 1; low and high hold together at all looks with probability 1
    − alpha.

    canary, stable: bad units / units of each group of sticky keys. tau: the size of the differences that
    matter most, as a share. None with fewer than 100 units or 30 groups of an arm, from which the normal
    approximation holds.

    judged: the share of the units of both arms with feedback, for answers called wrong: the difference is
    that of the units that were called wrong, divided by it. Where an answer is as likely to be judged
    whichever arm gave it, and whether or not it is wrong, that is the difference of the shares of wrong
    answers. Where only complaints come it is larger, never smaller, unlike the share of the judged answers
    that were called wrong, which is then 100 % on either arm.
    """
    if min(canary.below, stable.below) < MIN_PER_ARM or min(canary.clusters, stable.clusters) < MIN_KEYS:
        return None
    apart, variance = clustered.dealt(canary, stable)
    apart, half = apart / judged, sequences.half_width(variance / judged**2, tau, alpha)
    return Interval(apart, max(-1.0, apart - half), min(1.0, apart + half))


def disagreement(agreeing: Sums, *, alpha: float) -> Interval | None:
    """The share of a shadow's predictions that differ from what clients got, 0 to 1, at every look: people
    look before they begin.

    agreeing: predictions that agree / all that were compared, by group of sticky keys. alpha: the chance that
    the upper end, or the lower one, is ever beyond the truth: one of them alone is what is asked. None with
    fewer than 100 predictions or 30 groups.
    """
    if agreeing.below < MIN_PER_ARM or agreeing.clusters < MIN_KEYS:
        return None
    found = clustered.at_every_look(agreeing, 2 * alpha)
    return Interval(1 - found.value, 1 - found.high, 1 - found.low)
