"""Drift: of counts, of texts, and of accuracy, expected without feedback or measured with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from scipy import special

from benchmarks.statistics.table import Case, Draw, Row, covers, cries, finds
from benchmarks.statistics.worlds import (
    PARETO,
    THIRD,
    Floats,
    Ints,
    alike_within,
    as_its_cluster,
    codes_of,
    oracle,
    rate,
    sizes,
)
from lifecycle.runtime.statistics import clustered
from monitoring.drift import comparing, reference
from monitoring.drift import statistics as drift
from monitoring.drift.measuring import accuracy, shifts
from monitoring.drift.measuring.measured import Measured, Reference
from monitoring.drift.rules import ALPHA, Monitor
from monitoring.drift.senders import Senders
from monitoring.traffic.counts import Counts
from monitoring.traffic.rules import CONFIDENCE_BINS, share_bin

WITHIN = 0.9973  # three standard errors to each side


# ── Counts ──────────────────────────────────────────────────────────────────
def population(draw: Draw) -> Iterator[Row]:
    """PSI of 1,000 predictions against 3,000 of the reference; nothing changed. Predictions of one sender
    resemble each other.
    """
    shares, alpha = np.arange(1, 11) / 55, 0.01
    for senders, alike in ((1000, 0.0), (200, 0.3), (50, 0.3), (20, 0.3)):
        runs = draw.runs(2000)
        found = np.zeros((2, runs))
        for run in range(runs):
            who = draw.random.integers(0, senders, 1000)
            favourite = draw.random.choice(10, senders, p=shares)[who]
            label = np.where(
                draw.random.random(1000) < alike**0.5, favourite, draw.random.choice(10, 1000, p=shares)
            )
            before = draw.random.multinomial(3000, shares).tolist()
            bins = drift.Bins(
                tuple(map(str, range(10))), tuple(before), tuple(np.bincount(label, minlength=10).tolist())
            )
            tries = drift.shift(bins, alpha, clustered.design(label, who, 1000)), drift.shift(bins, alpha)
            found[:, run] = [each is not None and each.p <= alpha for each in tries]
        world = f"{senders:,} senders, ICC {alike:g}"
        yield cries(
            ("PSI", world, "1,000 answers"),
            runs,
            found[0].mean(),
            found[1].mean(),
            "chi-square of rows",
            alpha,
        )


def population_of_uneven_senders(draw: Draw) -> Iterator[Row]:
    """As `population` through the monitor of predicted labels, with senders of unequal size, or with the rows
    of the reference in groups of five near duplicates.
    """
    for name, shape, senders, alike, within in (
        ("one of 200 senders has a third, ICC 0.3", THIRD, 200, 0.3, 0.0),
        ("200 senders, Pareto sizes, ICC 0.3", PARETO, 200, 0.3, 0.0),
        ("one of 20 senders has a third, ICC 0.3", THIRD, 20, 0.3, 0.0),
        ("reference in groups of five, ICC 0.8", "", 1000, 0.0, 0.8),
    ):
        runs = draw.runs(2000)
        found = np.zeros((2, runs))
        for run in range(runs):
            who, groups = codes_of(draw, shape, senders, 1000), np.repeat(np.arange(600), 5)
            known, now = (labels_of(draw, codes, icc) for codes, icc in ((groups, within), (who, alike)))
            kept = (
                asdict(clustered.sums(draw.random.binomial(5, 0.9, 600), np.full(600, 5))) if within else None
            )
            calibration = {"labels": [str(at) for at in range(10)], "groups": kept}
            base = Reference(len(known), {"label": reference.counted(known)}, calibration)
            counts = Counts(answers=len(now), labels=reference.counted(now))
            tries = (
                shifts.measure(Monitor.LABEL, base, counts, each)
                for each in (Senders(who, senders, {"label": now}), None)
            )
            found[:, run] = [alarmed(each) for each in tries]
        yield cries(
            ("PSI", name, "1,000 answers"),
            runs,
            found[0].mean(),
            found[1].mean(),
            "chi-square of rows",
            ALPHA,
        )


def labels_of(draw: Draw, codes: Ints, icc: float) -> list[str]:
    """The label of each row (N,), one of ten, the k-th as frequent as k."""
    luck = as_its_cluster(draw, codes, icc)()
    return [str(each) for each in np.searchsorted(np.arange(1, 11).cumsum() / 55, luck).tolist()]


def alarmed(found: Measured) -> bool:
    """Whether a monitor exceeds its 1 % limit."""
    return found.p is not None and found.p <= ALPHA


# ── Texts ───────────────────────────────────────────────────────────────────
WORDS = tuple(
    f"{a}{b}"
    for a in ("ba", "do", "ki", "lu", "me")
    for b in ("ra", "le", "mi", "no", "kus", "tix", "wen", "zor")
)


def drift_of_texts(draw: Draw) -> Iterator[Row]:
    """The monitor of words on 100 texts of the reference and of a window, six words each; nothing changed, or
    two in five texts of the window have two more words. Writers with a word of their own use it for three in
    ten words; on both sides or neither, since texts with such words differ from those without, for any number
    of writers.
    """
    for name, shape, senders, authors, taste in (
        ("independent", "", 100, 100, 0.0),
        ("all with words of their own, 20 senders", "", 20, 100, 0.3),
        ("all with words of their own, one of 20 senders has a third", THIRD, 20, 100, 0.3),
        ("all with words of their own, reference by 20 writers", "", 100, 20, 0.3),
    ):
        runs, found = draw.runs(250), {}
        for world, more in (("null", ""), ("effect", " parcel locker")):
            alarms, values = [], []
            for _ in range(runs):
                who, wrote = codes_of(draw, shape, senders, 100), codes_of(draw, "", authors, 100)
                known = texts_of(draw, wrote, taste)
                now = [text + more * (at % 5 < 2) for at, text in enumerate(texts_of(draw, who, taste))]
                measured = by_words(known, wrote, now, [f"sender {each}" for each in who])
                alarms.append(alarmed(measured))
                values.append(measured.value)
            found[world] = rate(alarms), np.array(values, dtype=float)
        named = ("drift of texts", name, "100 texts against 100")
        fixed = (found["null"][1] > 0.55).mean()
        yield cries(named, runs, found["null"][0], fixed, "AUC above .55", ALPHA)
        yield finds(
            named, runs, found["effect"][0], oracle(found["null"][1] - 0.5, found["effect"][1] - 0.5, ALPHA)
        )


def texts_of(draw: Draw, codes: Ints, taste: float) -> list[str]:
    """A text of each writer's number (N,): six words, the k-th of forty as frequent as 1/k, or the writer's
    own word of choice.
    """
    often = 1 / np.arange(1, len(WORDS) + 1)
    own = draw.random.integers(0, len(WORDS), int(codes.max()) + 1)[codes]
    drawn = draw.random.choice(len(WORDS), (len(codes), 6), p=often / often.sum())
    picked = np.where(draw.random.random(drawn.shape) < taste, own[:, None], drawn)
    return [" ".join(WORDS[at] for at in row) for row in picked.tolist()]


def by_words(before: list[str], wrote: Ints, now: list[str], keys: list[str]) -> Measured:
    """The monitor of words, as the check of a window calls it. wrote: the group of each text of the reference
    (N,).
    """
    known, kept = comparing.once(before), comparing.once(now)
    sides = [before[at] for at in known], [now[at] for at in kept]
    asked = [keys[at] for at in kept], "Not part of this benchmark.", lambda _: None, wrote[known].tolist()
    return comparing.compare(*sides, *asked).found[0]


# ── Accuracy ────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Trust:
    """Confidences. groups: of the evaluation's 500 rows; senders: of the window's 2,000 predictions; 0: each
    row has its own. The shapes of both, and the ICC within. apart: whether senders differ only in their
    accuracy at equal confidence.
    """

    name: str
    groups: int = 0
    group_shape: str = ""
    senders: int = 0
    sender_shape: str = ""
    icc: float = 0.3
    apart: bool = False

    def codes(self, draw: Draw) -> tuple[Ints, Ints]:
        """The group of each row of the evaluation, and the sender of each answer."""
        return tuple(
            codes_of(draw, shape, number, rows) if number else np.arange(rows)
            for shape, number, rows in (
                (self.group_shape, self.groups, 500),
                (self.sender_shape, self.senders, 2000),
            )
        )


TRUSTS = (
    Trust("independent"),
    Trust("evaluation in groups of five, ICC .8", groups=100),
    Trust("one of 100 groups of the evaluation has a third", groups=100, group_shape=THIRD),
    Trust("100 senders, ICC .3", senders=100),
    Trust("one of 100 senders has a third, ICC .3", senders=100, sender_shape=THIRD),
    Trust("100 senders differ at equal confidence, ICC .3", senders=100, apart=True),
)


def expected_accuracy(draw: Draw) -> Iterator[Row]:
    """Accuracy without feedback, where nothing changed: whether the band of three standard errors covers the
    actual accuracy, and whether a fall is reported. Confidences are 15 points too high.
    """
    for trust in TRUSTS:
        runs = draw.runs(250)
        inside, alarms = np.zeros((2, runs)), np.zeros((2, runs))
        for run in range(runs):
            groups, who = trust.codes(draw)
            sure, right = confidences(draw, groups, 0.8)
            asked, hits = confidences(draw, who, trust.icc, apart=trust.apart)
            bins = [share_bin(float(each), CONFIDENCE_BINS) for each in asked]
            counts = Counts(answers=len(asked), confidence=reference.counted(bins))
            senders = Senders(who, trust.senders, {"confidence": bins}) if trust.senders else None
            for rule, (by, sent) in enumerate(((groups if trust.groups else None, senders), (None, None))):
                base = Reference(len(sure), {}, reference.of_accuracy(sure, right, by))
                band, fall = (
                    accuracy.expected_accuracy(base, counts, sent),
                    accuracy.measure_accuracy(base, counts, sent),
                )
                inside[rule, run] = band is None or band.low <= hits.mean() <= band.high
                alarms[rule, run] = alarmed(fall)
        named = (trust.name, "500 rows, 2,000 answers")
        yield covers(("expected accuracy", *named), runs, *inside.mean(axis=1), "rows as independent", WITHIN)
        yield cries(
            ("expected accuracy falls", *named), runs, *alarms.mean(axis=1), "rows as independent", ALPHA
        )


def confidences(draw: Draw, codes: Ints, icc: float, *, apart: bool = False) -> tuple[Floats, Floats]:
    """The confidence of each row, from .5 to 1, and whether it is right (N,): with that probability less 15
    points. Both are alike within a cluster; apart: only whether it is right.
    """
    luck = as_its_cluster(draw, codes, icc)
    sure = 0.5 + 0.5 * (draw.random.random(len(codes)) if apart else luck()) ** 0.5
    return sure, (luck() < sure - 0.15).astype(np.float64)


def accuracy_by_feedback(draw: Draw) -> Iterator[Row]:
    """Accuracy by feedback where nothing changed: 90 % of 500 rows of the evaluation, in groups of five, and
    of 2,000 predictions for 100 customers. reported: the share of correct and of wrong predictions with
    feedback; too small a share gives no verdict.
    """
    for name, shape, within, icc, reported in (
        ("100 customers, ICC .3", "", 0.0, 0.3, (1.0, 1.0)),
        ("one of 100 customers has a third, ICC .3", THIRD, 0.0, 0.3, (1.0, 1.0)),
        ("100 customers, Pareto sizes, ICC .3", PARETO, 0.0, 0.3, (1.0, 1.0)),
        ("evaluation in groups of five, ICC .8", "", 0.8, 0.0, (1.0, 1.0)),
        ("people report wrong ones, and two thirds of the rest", "", 0.0, 0.0, (0.66, 1.0)),
        ("people report wrong ones, and a tenth of the rest", "", 0.0, 0.0, (0.1, 1.0)),
    ):
        runs = draw.runs(3000)
        found = np.zeros((2, runs))
        for run in range(runs):
            tested = draw.random.binomial(5, alike_within(draw, (1, 100), 0.9, within)[0])
            asked = sizes(draw, shape, 100, 2000)[0]
            correct = draw.random.binomial(asked, alike_within(draw, (1, 100), 0.9, icc)[0])
            good, bad = (
                draw.random.binomial(each, share)
                for each, share in zip((correct, asked - correct), reported, strict=True)
            )
            sides = {
                f"{at}{sign}": int(n)
                for sign, side in (("+", good), ("-", bad))
                for at, n in enumerate(side.tolist())
            }
            counts = Counts(
                answers=int(asked.sum()), right=int(good.sum()), wrong=int(bad.sum()), by_sender=sides
            )
            groups = asdict(clustered.sums(tested, np.full(100, 5))) if within else None
            base = Reference(500, {}, {"accuracy": tested.sum() / 500, "groups": groups})
            found[0, run] = accuracy.has_enough_feedback(counts) and alarmed(
                accuracy.measure_realised(base, counts)
            )
            found[1, run] = (
                by_rows(base.calibration["accuracy"], 500, counts.right, counts.right + counts.wrong) <= ALPHA
            )
        yield cries(
            ("accuracy by feedback falls", name, "500 rows, 2,000 answers"),
            runs,
            *found.mean(axis=1),
            "z of rows",
            ALPHA,
        )


def by_rows(known: float, rows: int, right: int, judged: int) -> float:
    """The one-sided p of a share that fell, by the normal distribution of independent rows."""
    now = right / judged
    pooled = (known * rows + right) / (rows + judged)
    return float(special.ndtr((now - known) / (pooled * (1 - pooled) * (1 / rows + 1 / judged)) ** 0.5))


CASES: tuple[Case, ...] = (
    population,
    population_of_uneven_senders,
    drift_of_texts,
    expected_accuracy,
    accuracy_by_feedback,
)
