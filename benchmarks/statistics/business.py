"""Business figures of a model and its hold-out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.statistics.table import Case, Draw, Row, cries, finds
from benchmarks.statistics.worlds import REACH, Floats, Ints, Z, furthest, oracle, rate
from monitoring.traffic import outcomes


@dataclass
class Quarter:
    """Both arms at each look. arms: looks of (model, hold-out); moments: (looks, 2, 3), cases, sum and sum of
    squares, for the peer.
    """

    arms: list[tuple[outcomes.Arm, outcomes.Arm]] = field(default_factory=list)
    moments: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Trade:
    """A world of outcomes. subjects: returning ones; 0: each case has its own. effect: of the model, on the
    mean.
    """

    kind: str
    cases: int
    looks: int
    holdout: float = 0.5
    subjects: int = 0
    icc: float = 0.0
    effect: float = 0.0


def quarter(draw: Draw, trade: Trade) -> Quarter:
    """Draw it, look by look."""
    random, size = draw.random, trade.subjects or trade.cases
    held, group = random.random(size) < trade.holdout, random.integers(0, outcomes.GROUPS, size)
    base = 0.3 + trade.effect * (~held) if trade.kind == outcomes.SHARE else np.full(size, 0.2)
    spread = (1 - trade.icc) / trade.icc if trade.icc else 0.0
    level = random.beta(base * spread, (1 - base) * spread) if trade.icc else base
    found, sums_of, moments = Quarter(), np.zeros((2, 2, outcomes.GROUPS)), np.zeros((2, 3))
    for fresh in np.array_split(np.arange(trade.cases), trade.looks):
        who = random.integers(0, size, len(fresh)) if trade.subjects else fresh
        values = (random.random(len(who)) < level[who]).astype(float)
        if trade.kind != outcomes.SHARE:
            values *= random.lognormal(3, 1, len(who)) * (1 + trade.effect * ~held[who])
        arm = held[who].astype(np.int64)
        place = arm * outcomes.GROUPS + group[who]
        for at, weights in enumerate((None, values)):
            sums_of[:, at] += np.bincount(place, weights, 2 * outcomes.GROUPS).reshape(2, -1)
        moments = moments + np.stack(
            [np.bincount(arm, weights, 2) for weights in (None, values, values**2)], axis=1
        )
        found.arms.append((outcomes.Arm(groups=sums_of[0].copy()), outcomes.Arm(groups=sums_of[1].copy())))
        found.moments.append(moments)
    return found


def welch(found: Quarter) -> Floats:
    """|difference| in standard errors of independent cases, at each look (looks,)."""
    n, total, squares = np.moveaxis(np.array(found.moments), 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / n
        errors = np.sqrt(((squares / n - means**2) / n).sum(axis=1))
        return np.nan_to_num(np.abs(means[:, 0] - means[:, 1]) / errors)


def differences_of(found: Quarter) -> list[float]:
    """The difference at each look; NaN without cases."""
    return [
        (model.mean if model.n else np.nan) - (rest.mean if rest.n else np.nan) for model, rest in found.arms
    ]


def differs(found: Quarter, kind: str, figures: int = 1) -> bool:
    """Whether the product finds a difference at any look."""
    some = (outcomes.compare(kind, *arms, figures) for arms in found.arms)
    return any(each is not None and (each.low > 0 or each.high < 0) for each in some)


TRADES = (
    ("independent, weekly", Trade("share", 2_600, 13), 0.068),
    ("skewed money, weekly", Trade("number", 10_000, 13), 0.30),
    ("400 subjects return, ICC .3, weekly", Trade("share", 5_200, 13, subjects=400, icc=0.3), 0.11),
    ("400 subjects return, ICC .8, weekly", Trade("share", 5_200, 13, subjects=400, icc=0.8), 0.16),
    ("independent, a tenth held out, daily", Trade("share", 9_100, 91, holdout=0.1), 0.065),
)


def business_figures(draw: Draw) -> Iterator[Row]:
    """A quarter of looks: whether any of them has the verdict better or worse."""
    for name, trade, effect in TRADES:
        runs = draw.runs(1500 if trade.looks < 50 else 500)
        null = [quarter(draw, trade) for _ in range(runs)]
        moved = [quarter(draw, Trade(**asdict(trade) | {"effect": effect})) for _ in range(runs)]
        apart, far = (
            np.array([differences_of(each) for each in some], dtype=float) for some in (null, moved)
        )
        setting = f"{trade.cases:,} cases, {trade.looks} looks"
        yield cries(
            (f"business figure, {trade.kind}", name, setting),
            runs,
            rate(differs(each, trade.kind) for each in null),
            rate((welch(each)[min(2, trade.looks - 1) :] > Z).any() for each in null),
            "Welch at each look",
        )
        yield finds(
            (f"business figure, {trade.kind}", name, setting),
            runs,
            rate(differs(each, trade.kind) for each in moved),
            oracle(furthest(apart, apart), furthest(far, apart)),
        )
    yield from five_figures(draw)


def five_figures(draw: Draw) -> Iterator[Row]:
    """Five figures of one endpoint: whether any has the verdict better or worse."""
    runs, trade = draw.runs(500), TRADES[0][1]
    wrong = np.zeros((2, runs))
    for run in range(runs):
        five = [quarter(draw, trade) for _ in range(5)]
        wrong[:, run] = (
            any(differs(each, trade.kind, 5) for each in five),
            any((welch(each)[2:] > Z).any() for each in five),
        )
    yield cries(
        ("business figures, five", "independent, weekly", "5 × 2,600 cases, 13 looks"),
        runs,
        wrong[0].mean(),
        wrong[1].mean(),
        "Welch at each look",
    )


def sample_ratio(draw: Draw) -> Iterator[Row]:
    """A tenth of the subjects is held out: whether a mismatch is reported at any of 13 looks, at p <
    0.001.
    """
    runs, asked = draw.runs(10_000), outcomes.MISMATCH_P
    for n in (300, 1000, 10_000):
        counts = (n * np.arange(1, 14) / 13).round().astype(np.int64)

        def seen(chance: float, counts: Ints = counts) -> Ints:
            return draw.random.binomial(np.diff(counts, prepend=0), chance, (runs, len(counts))).cumsum(
                axis=1
            )

        def alarmed(held: Ints, counts: Ints = counts) -> Floats:
            found = np.zeros(held.shape, dtype=bool)
            for at, count in enumerate(counts.tolist()):
                known = {
                    int(each): outcomes.ratio_p(count - int(each), int(each), 0.1) < asked
                    for each in np.unique(held[:, at])
                }
                found[:, at] = [known[int(each)] for each in held[:, at]]
            return found.any(axis=1)

        null, off = seen(0.1), seen(0.1 + (REACH + 2.5) * (0.09 / n) ** 0.5)
        square = (null - 0.1 * counts) ** 2 / (0.09 * counts)
        setting = f"{n:,} subjects, 13 looks"
        yield cries(
            ("sample ratio off", "repeated looks", setting),
            runs,
            alarmed(null).mean(),
            (stats.chi2.sf(square, 1) < asked).any(axis=1).mean(),
            "chi-square at each look",
            asked,
        )
        limit = np.quantile(np.sqrt(square).max(axis=1), 1 - asked)
        best = (np.abs(off - 0.1 * counts) / np.sqrt(0.09 * counts) > limit).any(axis=1).mean()
        yield finds(("sample ratio off", "repeated looks", setting), runs, alarmed(off).mean(), best)
    yield from ratio_of_subjects(draw, asked)


def ratio_of_subjects(draw: Draw, asked: float) -> Iterator[Row]:
    """400 subjects return: the product counts subjects, the peer their cases."""
    runs, alarms = draw.runs(2000), []
    for _ in range(runs):
        held, cases = (
            draw.random.random(400) < 0.1,
            draw.random.poisson(20 * draw.random.lognormal(0, 1.5, 400)),
        )
        square = (cases[held].sum() - 0.1 * cases.sum()) ** 2 / (0.09 * cases.sum())
        alarms.append(
            (
                outcomes.ratio_p(int((~held).sum()), int(held.sum()), 0.1) < asked,
                stats.chi2.sf(square, 1) < asked,
            )
        )
    ours, peer = np.mean(alarms, axis=0)
    yield cries(
        ("sample ratio off", "subjects return", "400 subjects, 1 look"),
        runs,
        ours,
        peer,
        "chi-square of cases",
        asked,
    )


CASES: tuple[Case, ...] = (business_figures, sample_ratio)
