"""Gates of a policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.statistics.membership import attacked
from benchmarks.statistics.scores import answered
from benchmarks.statistics.table import ALPHA, Case, Draw, Row, cries, finds
from benchmarks.statistics.worlds import PARETO, THIRD, Ints, as_its_cluster, codes_of, rate
from lifecycle.runtime.statistics import bootstrap, comparisons, membership, metrics
from registry import policies
from registry.policies import rules as policy
from registry.policies.gates import scores
from registry.policies.gates.evidence import Evidence, Live, Measure
from registry.policies.gates.finding import Gate, Outcome

STANDARD = Path(policies.__file__).with_name("standard.yaml")


def membership_gate(draw: Draw) -> Iterator[Row]:
    """A gate at 0.55: how often a leak of 0.6 passes, and how often a model without one does."""
    gate = Gate("membership", {"at_most": 0.55})
    for n in (50, 300, 1000):
        runs, passed, fixed = draw.runs(3000), {}, {}
        for true in (0.6, 0.5):
            found = []
            for _ in range(runs):
                (low, high), inside, outside = attacked(draw, n, true)
                value = membership.attack(inside, outside)["auc"]
                measure = Measure(value, low, high)
                found.append(
                    (
                        scores.membership(gate, Evidence(membership=measure)).outcome is Outcome.PASSED,
                        value,
                    )
                )
            passed[true], fixed[true] = (np.array(each) for each in zip(*found, strict=True))
        setting = f"2 × {n:,} rows"
        yield cries(
            ("gate: membership", "true AUC .60, limit .55", setting),
            runs,
            passed[0.6].mean(),
            (fixed[0.6] <= 0.55).mean(),
            "value at most .55",
            ALPHA / 2,
        )
        at_limit = [attacked(draw, n, 0.55) for _ in range(runs)]
        areas = np.array([float((inside[:, None] < outside[None]).mean()) for _, inside, outside in at_limit])
        best = (fixed[0.5] < np.quantile(areas, ALPHA / 2)).mean()
        yield finds(
            ("gate: membership passes", "true AUC .50, limit .55", setting), runs, passed[0.5].mean(), best
        )


def live_gate(draw: Draw) -> Iterator[Row]:
    """The standard policy's gate against the live version: how often a version worse by the margin passes,
    and how often an equal one does. 4 % of the rows change, near duplicates together; macro-F1 of four
    labels, paired, 400 resamples instead of the product's 1,000.
    """
    settings = policy.read(STANDARD.read_text(encoding="utf-8")).gates["live"]
    margin, gate = float(settings["at_most_worse"]), Gate("live", settings)
    for name, shape, groups, n, icc in (
        *(("independent", "", n, n, 0.0) for n in (200, 900, 2000)),
        ("groups of five, ICC .3", "", 400, 2000, 0.3),
        ("groups of five, ICC .8", "", 400, 2000, 0.8),
        ("one of 400 groups has a third, ICC .8", THIRD, 400, 2000, 0.8),
        ("400 groups, Pareto sizes, ICC .8", PARETO, 400, 2000, 0.8),
    ):
        runs, passed, values = draw.runs(200 if icc else 600), {}, {}
        for worse in (margin, 0.0):
            found = [compared(draw, codes_of(draw, shape, groups, n), icc, worse) for _ in range(runs)]
            outcomes = [scores.live(gate, Evidence(live=each)).outcome for each in found]
            passed[worse] = rate(each is Outcome.PASSED for each in outcomes)
            values[worse] = np.array([each.differences["macro_f1"].value for each in found])
        named = ("gate: not worse than live", f"worse by the margin, {name}", f"{n:,} rows")
        yield cries(
            named,
            runs,
            passed[margin],
            (values[margin] >= -0.01).mean(),
            "value at most .01 worse",
            ALPHA / 2,
        )
        best = (values[0.0] > np.quantile(values[margin], 1 - ALPHA / 2)).mean()
        yield finds(
            ("gate: not worse than live, passes", f"equal versions, {name}", f"{n:,} rows"),
            runs,
            passed[0.0],
            best,
        )


def compared(
    draw: Draw, codes: Ints, icc: float, worse: float, labels: int = 4, turned: float = 0.04
) -> Live:
    """The gate's evidence on two versions that are right on about nine in ten rows. worse: share of rows
    broken less share fixed; codes: number of each row's group (N,), whose rows have one label.
    """
    truth, luck = (
        draw.random.integers(labels, size=int(codes.max()) + 1)[codes],
        as_its_cluster(draw, codes, icc)(),
    )
    broken, both = luck < (turned + worse) / 2, luck > 0.1 + turned
    fixed = ~broken & (luck < turned)
    one, two = (
        metrics.score_rows(np.eye(labels)[np.where(both | right, truth, (truth + 1) % labels)], truth)
        for right in (broken, fixed)
    )
    seed = int(draw.random.integers(2**31))
    found = comparisons.paired_rows(
        one, two, ["macro_f1"], labels=None, count=400, seed=seed, clusters=codes
    )["macro_f1"]
    difference = Measure(found["difference"], found["low"], found["high"])
    rarest = int(np.bincount(truth, minlength=labels).min())
    together = bootstrap.Together.of(len(codes), codes)
    counted = {"clusters": together.clusters, "effective_clusters": round(together.least, 2)}
    return Live("1.0.0", {"macro_f1": difference}, len(codes), labels=labels, rarest=rarest, **counted)


def membership_gate_of_groups(draw: Draw) -> Iterator[Row]:
    """As `membership_gate` with near duplicates by five on both sides, eight in ten alike."""
    gate = Gate("membership", {"at_most": 0.55})
    for n in (300, 1000):
        runs, passed, areas = draw.runs(2000), {}, {}
        for true in (0.6, 0.55, 0.5):
            found = [attacked(draw, n, true, 0.8) for _ in range(runs)]
            areas[true] = np.array([float(membership.placements(-one, -two).mean()) for _, one, two in found])
            evidence = (
                Evidence(membership=Measure(float(area), *ends))
                for area, (ends, *_) in zip(areas[true], found, strict=True)
            )
            passed[true] = rate(scores.membership(gate, each).outcome is Outcome.PASSED for each in evidence)
        setting = f"2 × {n:,} rows, near duplicates by five"
        fixed = (areas[0.6] <= 0.55).mean()
        yield cries(
            ("gate: membership", "true AUC .60, limit .55", setting),
            runs,
            passed[0.6],
            fixed,
            "value at most .55",
            ALPHA / 2,
        )
        best = (areas[0.5] < np.quantile(areas[0.55], ALPHA / 2)).mean()
        yield finds(("gate: membership passes", "true AUC .50, limit .55", setting), runs, passed[0.5], best)


def quality_gate(draw: Draw) -> Iterator[Row]:
    """The standard policy's quality gate: how often a model with a macro-F1 of four labels exactly at the
    limit passes, and how often one of .85 does, with test rows in groups of near duplicates; 300 resamples
    instead of the product's 1,000.
    """
    settings = policy.read(STANDARD.read_text(encoding="utf-8")).gates["quality"]
    limit, gate = float(settings["at_least"]), Gate("quality", settings)
    for name, shape, groups, n, icc in (
        ("independent", "", 300, 300, 0.0),
        ("groups of five, ICC .8", "", 100, 500, 0.8),
        ("one of 100 groups has a third, ICC .8", THIRD, 100, 500, 0.8),
        ("100 groups, Pareto sizes, ICC .8", PARETO, 100, 500, 0.8),
    ):
        runs, passed, values = draw.runs(600), {}, {}
        for right in (limit, 0.85):
            found = []
            for run in range(runs):
                codes = codes_of(draw, shape, groups, n)
                rows = answered(draw, codes, right, icc)
                measure = Measure(
                    metrics.point_estimates(rows)["macro_f1"],
                    *bootstrap.bootstrap(rows, 300, run, codes)["macro_f1"],
                )
                evidence = Evidence(
                    rows=len(codes), groups=int(codes.max()) + 1, metrics={"macro_f1": measure}
                )
                found.append((scores.quality(gate, evidence).outcome is not Outcome.FAILED, measure.value))
            outcomes, values[right] = (np.array(each) for each in zip(*found, strict=True))
            passed[right] = outcomes.mean()
        fixed, best = (
            (values[limit] >= limit).mean(),
            (values[0.85] > np.quantile(values[limit], 1 - ALPHA / 2)).mean(),
        )
        yield cries(
            ("gate: quality", f"just at the limit, {name}", f"{n} rows"),
            runs,
            passed[limit],
            fixed,
            "value",
            ALPHA / 2,
        )
        yield finds(
            ("gate: quality passes", f"macro-F1 .85, limit .70, {name}", f"{n} rows"),
            runs,
            passed[0.85],
            best,
        )


CASES: tuple[Case, ...] = (membership_gate, membership_gate_of_groups, live_gate, quality_gate)
