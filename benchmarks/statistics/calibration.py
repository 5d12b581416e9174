"""Calibration, thresholds and their costs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

from benchmarks.statistics.table import ALPHA, COVERAGE, NOMINAL, Case, Draw, Row, covers, finds
from benchmarks.statistics.worlds import holds, oracle, rate
from lifecycle.runtime.statistics import bootstrap, calibration
from lifecycle.runtime.statistics.operating import choices, curves, outcomes
from lifecycle.runtime.statistics.operating.choices import Costs
from lifecycle.runtime.statistics.operating.outcomes import Outcome


def calibration_error(draw: Draw) -> Iterator[Row]:
    """ECE of a calibrated model, and of one that is 8 points overconfident; with 200 resamples instead of the
    product's 1,000.
    """
    bins, resampled = 15, 200
    for n in (100, 1000, 10_000):
        runs, found = draw.runs(1500 if n < 10_000 else 500), {}
        for name, off in (("calibrated", 0.0), ("8 points too sure", 0.08)):
            inside, beside, errors = [], [], []
            for run in range(runs):
                sure = 0.35 + 0.65 * draw.random.beta(4, 1.5, n)
                right = (draw.random.random(n) < sure - off).astype(float)
                number = calibration.bin_of(sure, bins)
                apart = np.zeros((n, bins))
                apart[np.arange(n), number] = right - sure
                eces = np.concatenate(
                    [
                        np.abs(weights @ apart).sum(axis=1) / n
                        for weights in bootstrap.resamples(n, resampled, run)
                    ]
                )
                answers = calibration.binned(sure, right, bins)
                inside.append(calibration.ece_interval(answers, eces))
                beside.append(tuple(np.percentile(eces, (2.5, 97.5))))
                errors.append(answers.ece)
            found[name] = inside, np.array(errors)
            yield covers(
                ("ECE", name, f"{n:,} rows"),
                runs,
                holds(inside, off).mean(),
                holds(beside, off).mean(),
                "percentile bootstrap",
            )
        inside, errors = found["8 points too sure"]
        yield finds(
            ("ECE above 0", "8 points too sure", f"{n:,} rows"),
            runs,
            rate(low > 0 for low, _ in inside),
            oracle(found["calibrated"][1], errors, ALPHA / 2),
        )


def cost_of_rows(draw: Draw) -> Iterator[Row]:
    """The cost of 1,000 rows at an operating point: 5 for a wrong call, 20 for a missed row, 1 for a
    person.
    """
    costs, prices = Costs(5.0, 20.0, 1.0), np.array([0, 5, 20, 0, 1])
    for name, chances in (
        ("independent", (0.3, 0.04, 0.02, 0.54, 0.1)),
        ("independent, dear rows rare", (0.3, 0.01, 0.005, 0.685, 0.0)),
    ):
        truth = float(prices @ chances) * outcomes.PER
        for n in (30, 100, 1000, 10_000):
            runs = draw.runs(2000)
            counts = draw.random.multinomial(n, chances, runs)
            found = [
                Outcome(*map(int, each), positives=int(each[0] + each[2])).cost(costs, seed=run)[1:]
                for run, each in enumerate(counts)
            ]
            drawn = (
                draw.random.multinomial(n, each / n, 1000) @ prices * outcomes.PER / n for each in counts
            )
            peer = [np.percentile(each, (2.5, 97.5)).tolist() for each in drawn]
            named = ("cost of 1,000 rows", name, f"{n:,} rows")
            yield covers(
                named, runs, holds(found, truth).mean(), holds(peer, truth).mean(), "percentile bootstrap"
            )


def threshold_at_precision(draw: Draw) -> Iterator[Row]:
    """Whether a threshold for a precision of .9, chosen on validation, truly has it, or none is promised.

    Scores are true probabilities, except for the most confident 2 % of rows of one world, which are wrong
    half of the time; in another each text is repeated five times, and the procedure knows the clusters. It
    doesn't claim to be valid in the first of these two.
    """
    for world, centre, spread, copies, wrong in (
        ("15 % positive", -2.0, 2.0, 1, 0.0),
        ("50 % positive", 0.0, 2.0, 1, 0.0),
        ("80 % positive", 2.0, 1.5, 1, 0.0),
        ("80 % positive, surest 2 % wrong", 2.0, 1.5, 1, 0.02),
        ("80 % positive, each text five times", 2.0, 1.5, 5, 0.0),
    ):
        many = np.sort(special.expit(draw.random.normal(centre, spread, 400_000)))
        sure = float(np.quantile(many, 1 - wrong)) if wrong else 1.0
        chances = np.where(many > sure, 0.5, many)
        precision = chances[::-1].cumsum()[::-1] / np.arange(len(many), 0, -1)  # from each score on
        for n in (200, 1000, 10_000):
            # 400 runs distinguish 95 % from 92.8 at best
            runs = draw.runs(2000 if n // copies < 10_000 else 400)
            ours, peer = np.ones(runs), np.ones(runs)
            for run in range(runs):
                scores = special.expit(draw.random.normal(centre, spread, n // copies))
                positive = draw.random.random(len(scores)) < np.where(scores > sure, 0.5, scores)
                codes = np.repeat(np.arange(len(scores)), copies)
                found = curves.curve(np.repeat(scores, copies), np.repeat(positive, copies), codes)
                for kept, rule in ((ours, choices.promised), (peer, choices.reached)):
                    allowed = rule(found, "precision", 0.9)
                    if allowed.any():
                        kept[run] = (
                            precision[min(np.searchsorted(many, found.thresholds[allowed][0]), len(many) - 1)]
                            >= 0.9
                        )
            named = ("threshold at precision .9", world, f"{n:,} rows")
            yield Row(*named, COVERAGE, runs, ours.mean(), NOMINAL, peer.mean(), "lowest that has it")


CASES: tuple[Case, ...] = (calibration_error, cost_of_rows, threshold_at_precision)
