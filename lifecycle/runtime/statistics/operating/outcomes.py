"""The outcome of thresholds on some rows: their counts, shares, and cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.intervals import Z95
from lifecycle.runtime.statistics.operating.choices import Costs
from lifecycle.runtime.statistics.operating.curves import UNSCORED, Bools, Floats, Ints

RESAMPLES = 1000
PER = 1000  # rows that a cost refers to
KINDS = ("hit", "false", "missed", "passed", "person", "positives", "unscored")  # of rows in an Outcome


@dataclass(frozen=True)
class Outcome:
    """Rows of each kind: hit and false are called, missed and passed aren't, person: handed over. unscored:
    missed rows without a score, which can't be called. clusters: the same counts of each cluster of rows (G,
    7); None where rows are independent.
    """

    hit: int
    false: int
    missed: int
    passed: int
    person: int
    positives: int
    unscored: int = 0
    clusters: Ints | None = field(default=None, repr=False, compare=False)

    @property
    def rows(self) -> int:
        """Number of all rows."""
        return self.hit + self.false + self.missed + self.passed + self.person

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows of each kind."""
        return {name: getattr(self, name) for name in KINDS}

    def share(self, of: str) -> tuple[float | None, float, float]:
        """(share, low, high) with its 95 % Wilson interval, at the effective number of rows for clusters;
        share is None where its denominator is 0. of: precision; recall; called or person, of the rows with a
        score.
        """
        parts = self.counts if self.clusters is None else dict(zip(KINDS, self.clusters.T, strict=True))
        called = parts["hit"] + parts["false"]
        scored = called + parts["missed"] + parts["passed"] + parts["person"] - parts["unscored"]
        above, below = {
            "precision": (parts["hit"], called),
            "recall": (parts["hit"], parts["positives"]),
            "called": (called, scored),
            "person": (parts["person"], scored),
        }[of]
        found = clustered.alone(above, below) if self.clusters is None else clustered.sums(above, below)
        interval = clustered.share(found)
        return (interval.value if found.below else None, interval.low, interval.high)

    def cost(self, costs: Costs, *, seed: int = 1) -> tuple[float | None, float, float]:
        """(mean, low, high) of the cost of 1,000 rows; None without rows.

        low, high: 95 %, from a Dirichlet posterior of the kinds of rows with half a row of each added (the
        prior of H. Jeffreys 1946; its coverage: Brown, Cai and DasGupta 2001). Valid from 30 rows, also where
        an expensive kind was never observed: a bootstrap, which then has cost 0, covers the true cost in only
        36 to 92 % for 30 rows. Rows in clusters are weighted by `_worth`.
        """
        if not self.rows:
            return None, 0.0, 0.0
        kinds: dict[float, int] = {0.0: self.hit + self.passed}  # rows of equal price are one kind
        for price, count in (
            (costs.false, self.false),
            (costs.missed, self.missed),
            (costs.person, self.person),
        ):
            if price is not None:
                kinds[price] = kinds.get(price, 0) + count
        prices, counts = (np.array(list(each), dtype=np.float64) for each in (kinds, kinds.values()))
        mean = float(counts @ prices / self.rows * PER)
        spread = float(counts @ prices**2 / self.rows - (mean / PER) ** 2)
        drawn = (
            np.random.default_rng(seed).dirichlet(counts * self._worth(costs, spread) + 0.5, size=RESAMPLES)
            @ prices
            * PER
        )
        low, high = np.percentile(drawn, (2.5, 97.5))
        return mean, min(mean, float(low)), max(mean, float(high))

    def _worth(self, costs: Costs, spread: float) -> float:
        """The effective share of an independent row that each counts for the mean cost, 0 to 1: by the larger
        of two design effects, reduced for few clusters; at least the value if all rows of a cluster are
        alike. spread: variance of one row's cost.

        One is the variance of the mean over clusters. Where expensive rows are rare it is imprecise, so the
        other is 1 + (m − 1) ρ, as in `clustered.design_effect`, with ρ by the kinds of rows: how much more
        often two rows of a cluster are of one kind than by chance.
        """
        if self.clusters is None:
            return 1.0
        kinds = self.clusters[:, :5].astype(np.float64)
        sizes, shares = kinds.sum(axis=1), kinds.sum(axis=0) / self.rows
        found = clustered.sums(kinds @ [0.0, costs.false, costs.missed, 0.0, costs.person or 0.0], sizes)
        least = found.equal / found.below
        if found.equal <= 1 or spread <= clustered.ROUNDING:
            return least
        within = (kinds * (sizes[:, None] - kinds) / sizes[:, None]).sum()
        rho = 1 - float(within / (shares * (1 - shares)).sum()) / (found.below - found.clusters)
        effect = max(
            1.0, found.variance / spread * found.below, 1 + (found.squares[2] / found.below - 1) * rho
        )
        return max(least, (Z95 / clustered.quantile(found.equal - 1)) ** 2 / effect)


def outcome(
    scores: Floats, positive: Bools, low: float, high: float, clusters: Ints | None = None
) -> Outcome:
    """The outcome on these rows of calling from high on, not calling below low, and handing over in between.
    clusters: as for `curve`.
    """
    called, person = scores >= high, (scores >= low) & (scores < high)
    return outcome_of(positive, called, person, unscored=scores == UNSCORED, clusters=clusters)


def outcome_of(
    positive: Bools,
    called: Bools,
    person: Bools | None = None,
    *,
    unscored: Bools | None = None,
    clusters: Ints | None = None,
) -> Outcome:
    """The outcome for rows called, and handed over, in any other way, such as by the likeliest class."""
    none = np.zeros(len(positive), dtype=np.bool_)
    person, unscored = none if person is None else person, none if unscored is None else unscored
    rest = ~called & ~person
    kinds = (
        called & positive,
        called & ~positive,
        rest & positive,
        rest & ~positive,
        person,
        positive,
        unscored,
    )
    parts = None
    if clusters is not None and len(np.unique(clusters)) < len(clusters):
        _, codes = np.unique(clusters, return_inverse=True)
        parts = np.stack([np.bincount(codes, weights=kind) for kind in kinds], axis=1).astype(np.int64)
    hit, false, missed, passed, handed, positives, without = (int(kind.sum()) for kind in kinds)
    return Outcome(hit, false, missed, passed, handed, positives, without, parts)
