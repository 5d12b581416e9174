"""Gates of a policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.statistics.membership import attacked
from benchmarks.statistics.table import ALPHA, Case, Draw, Row, cries, finds
from benchmarks.statistics.worlds import rate
from lifecycle.statistics import membership, metrics
from registry.policies import gates
from registry.policies import rules as policy

STANDARD = Path(gates.__file__).with_name("standard.yaml")


def membership_gate(draw: Draw) -> Iterator[Row]:
    """A gate at 0.55: how often a leak of 0.6 passes, and how often a model without one does."""
    gate = gates.Gate("membership", {"at_most": 0.55})
    for n in (50, 300, 1000):
        runs, passed, fixed = draw.runs(3000), {}, {}
        for true in (0.6, 0.5):
            found = []
            for _ in range(runs):
                (low, high), inside, outside = attacked(draw, n, true)
                value = membership.attack(inside, outside)["auc"]
                measure = gates.Measure(value, low, high)
                found.append((gates.membership(gate, gates.Evidence(membership=measure)).outcome is gates.Outcome.PASSED, value))
            passed[true], fixed[true] = (np.array(each) for each in zip(*found, strict=True))
        told = f"2 × {n:,} rows"
        yield cries(
            ("gate: membership", "true AUC .60, limit .55", told),
            runs,
            passed[0.6].mean(),
            (fixed[0.6] <= 0.55).mean(),
            "value at most .55",
            ALPHA / 2,
        )
        at_limit = [attacked(draw, n, 0.55) for _ in range(runs)]
        areas = np.array([float((inside[:, None] < outside[None]).mean()) for _, inside, outside in at_limit])
        best = (fixed[0.5] < np.quantile(areas, ALPHA / 2)).mean()
        yield finds(("gate: membership passes", "true AUC .50, limit .55", told), runs, passed[0.5].mean(), best)


def live_gate(draw: Draw) -> Iterator[Row]:
    """The standard policy's gate against the live version: how often one that is worse by the margin passes, and how often an equal one
    does. Four rows in 100 turn; macro-F1 of four labels, paired."""
    settings = policy.read(STANDARD.read_text(encoding="utf-8")).gates["live"]
    margin, gate = float(settings["at_most_worse"]), gates.Gate("live", settings)
    for n in (200, 900, 2000):
        runs, told = draw.runs(600), f"{n:,} rows"
        passed, values = {}, {}
        for worse in (margin, 0.0):
            found = [compared(draw, n, worse) for _ in range(runs)]
            lives = [gates.Evidence(live=gates.Live("1.0.0", {"macro_f1": each}, n)) for each in found]
            passed[worse] = rate(gates.live(gate, each).outcome is gates.Outcome.PASSED for each in lives)
            values[worse] = np.array([each.value for each in found])
        named = ("gate: not worse than live", f"worse by the margin, {margin:g}", told)
        yield cries(named, runs, passed[margin], (values[margin] >= -0.01).mean(), "value at most .01 worse", ALPHA / 2)
        best = (values[0.0] > np.quantile(values[margin], 1 - ALPHA / 2)).mean()
        yield finds(("gate: not worse than live, passes", "equal versions", told), runs, passed[0.0], best)


def compared(draw: Draw, n: int, worse: float, labels: int = 4, turned: float = 0.04) -> gates.Measure:
    """The paired difference of macro-F1 of two versions, right on about nine rows of ten. worse: share of rows broken less share fixed."""
    truth, luck = draw.random.integers(labels, size=n), draw.random.random(n)
    broken, both = luck < (turned + worse) / 2, luck > 0.1 + turned
    fixed = ~broken & (luck < turned)
    one, two = (np.eye(labels)[np.where(both | right, truth, (truth + 1) % labels)] for right in (broken, fixed))
    found = metrics.paired(truth, one, two, count=400, seed=int(draw.random.integers(2**31)))["macro_f1"]
    return gates.Measure(found["difference"], found["low"], found["high"])


CASES: tuple[Case, ...] = (membership_gate, live_gate)
