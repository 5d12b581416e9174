"""How often the canary rule rolls back a harmless canary, and how soon a bad one, over 240 looks; with two
usual rules for comparison.

    python -m benchmarks.canary_rule [--paths 4000]

Every window has 400 requests, 20 of them to the canary (5 %), and is checked. The rule is the product's own,
with its default plan: errors, slow responses and predictions with negative feedback, each with its share of
the 5 % error rate. The figures are computed with `rules.log_e` on all paths at once; the first paths are also
played look by look through `rules.decide`, which the controller calls, and must end in the same window. For
comparison, on the same counts of errors: a fixed limit (more than 5 windows with over 1 % errors on the
canary) and a z-test of both arms repeated at every look at 5 %, from the third window on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.rollouts import rules

CANARY, STABLE, SHARE, LOOKS = 20, 380, 0.05, 240
# shares of the responses of either arm: above its p95 by definition, and with negative feedback
SLOW, WRONG = 0.05, 0.01
MINUTES = 5  # of a window, where the plan requires time
ALPHA, WINDOWS = 0.05, 5  # the bars
WALKED = 60
Counted = NDArray[np.int64]
Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """How often either arm fails. loop: the mean number of requests that a failing key sends in its minute,
    retries included.

    customers: how many keys send all requests, each of them evidence once; 0: every request has a key of its
    own.
    """

    name: str
    stable: float
    canary: float
    loop: float = 1.0
    customers: int = 0

    @property
    def harmless(self) -> bool:
        """Whether a rollback is a false one."""
        return self.stable == self.canary


TRUTHS = (
    Truth("harmless, 0.5 %", 0.005, 0.005),
    Truth("harmless, 2 %", 0.02, 0.02),
    Truth("harmless, 0.5 %, retry loops", 0.005, 0.005, 5.0),
    Truth("0.5 -> 1 %", 0.005, 0.01),
    Truth("0.5 -> 1.5 %", 0.005, 0.015),
    Truth("0.5 -> 5 %", 0.005, 0.05),
    Truth("0.5 -> 50 %", 0.005, 0.5),
    Truth("harmless, 2 %, 200 customers", 0.02, 0.02, customers=200),
    Truth("0.5 -> 5 %, 200 customers", 0.005, 0.05, customers=200),
    Truth("0.5 -> 5 %, 40 customers", 0.005, 0.05, customers=40),
)
TENFOLD = "0.5 -> 5 %"


@dataclass(frozen=True)
class Played:
    """Cumulative counts after each window, (paths, 240), by metric: canary and stable. requests: failures
    with retries, of either arm.

    customers: as of the truth.
    """

    counts: dict[str, tuple[Counted, Counted]]
    requests: tuple[Counted, Counted]
    customers: int = 0


def main() -> int:
    """Play it, print the table and the line of figures; 0 when both bars are met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--paths", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    began, plan = time.monotonic(), rules.Plan()
    rows: dict[str, dict[str, Any]] = {}
    for at, truth in enumerate(TRUTHS):
        played = play(truth, np.random.default_rng([given.seed, at]), given.paths)
        rows[truth.name] = {
            **{name: ending(hits) for name, hits in verdicts(played, plan).items()},
            **walk(played, plan),
        }
    table(rows, plan, given.paths)
    false = max(rows[truth.name]["product"]["rolled_back"] for truth in TRUTHS if truth.harmless)
    windows = rows[TENFOLD]["product"]["windows"]
    met = false <= ALPHA and windows is not None and windows <= WINDOWS
    figures = {
        "false_rollback": false,
        "tenfold_rise_windows": windows,
        "paths": given.paths,
        "looks": LOOKS,
        "seed": given.seed,
        "truths": rows,
        "seconds": round(time.monotonic() - began, 1),
    }
    ratio = round(min(ALPHA / max(false, 1 / given.paths), WINDOWS / (windows or np.inf)), 3)
    bar = {"false_rollback": ALPHA, "tenfold_rise_windows": WINDOWS}
    print(
        json.dumps(
            {"benchmark": "canary_rule", "figures": figures, "ratio": ratio, "bar": bar, "met": bool(met)}
        )
    )
    return 0 if met else 1


def play(truth: Truth, rng: np.random.Generator, paths: int) -> Played:
    """Draw the counts of every path and window, and add them up."""
    size = (paths, LOOKS)
    if truth.customers:
        return once_each(truth, rng, size)
    errors = rng.binomial(CANARY, truth.canary, size), rng.binomial(STABLE, truth.stable, size)
    more = tuple(
        rng.negative_binomial(np.maximum(each, 1), 1 / truth.loop) * (each > 0) if truth.loop > 1 else 0
        for each in errors
    )
    slow = rng.binomial(CANARY, SLOW, size), rng.binomial(STABLE, SLOW, size)
    wrong = rng.binomial(CANARY, WRONG, size), rng.binomial(STABLE, WRONG, size)
    counts = {name: total(pair) for name, pair in (("errors", errors), ("slow", slow), ("wrong", wrong))}
    return Played(counts, total((errors[0] + more[0], errors[1] + more[1])))


def once_each(truth: Truth, rng: np.random.Generator, size: tuple[int, int]) -> Played:
    """The same where the same customers send all requests: each stays on its arm and counts when it first
    fails, is slow, is wrong.
    """
    asks = (CANARY + STABLE) / truth.customers  # requests of each in a window
    on_canary = rng.binomial(truth.customers, SHARE, size[0])
    counts: dict[str, tuple[Counted, Counted]] = {}
    for name, chances in (
        ("errors", (truth.canary, truth.stable)),
        ("slow", (SLOW, SLOW)),
        ("wrong", (WRONG, WRONG)),
    ):
        arms = []
        for keys, chance in zip((on_canary, truth.customers - on_canary), chances, strict=True):
            left, new = keys.copy(), np.zeros(size, dtype=np.int64)
            for look in range(size[1]):
                new[:, look] = rng.binomial(left, 1 - (1 - chance) ** asks)
                left -= new[:, look]
            arms.append(new)
        counts[name] = total((arms[0], arms[1]))
    return Played(counts, counts["errors"], truth.customers)


def total(pair: tuple[Counted, Counted]) -> tuple[Counted, Counted]:
    """Both arms, added up over the windows."""
    return pair[0].cumsum(axis=1), pair[1].cumsum(axis=1)


def verdicts(played: Played, plan: rules.Plan) -> dict[str, Hits]:
    """The looks at which each rule would roll it back, (paths, 240)."""
    errors, retried = played.counts["errors"], played.requests
    by_metric = [
        found_out(played.counts[name], plan.alphas[name], plan.rate_ratios[name]) for name in rules.METRICS
    ]
    return {
        "fixed": fixed_limit(errors[0]),
        "z_test": z_test(*errors),
        "errors_alone": found_out(errors, ALPHA),
        "every_retry": found_out(retried, ALPHA),
        "product": np.logical_or.reduce(by_metric),
    }


def found_out(bad: tuple[Counted, Counted], alpha: float, ratio: float = 1.0) -> Hits:
    """Where the evidence reaches its limit; 200 paths at a time, since each takes 20 numbers a look."""
    parts = range(0, len(bad[0]), 200)
    found = [rules.log_e(bad[0][at : at + 200], bad[1][at : at + 200], SHARE, ratio) for at in parts]
    hits: Hits = np.concatenate(found) >= rules.log_limit(alpha)
    return hits


def fixed_limit(canary: Counted) -> Hits:
    """More than five windows with over 1 % of the canary's requests failed."""
    found: Hits = (np.diff(canary, axis=1, prepend=0) / CANARY > 0.01).cumsum(axis=1) > 5
    return found


def z_test(canary: Counted, stable: Counted) -> Hits:
    """The canary fails more often, one-sided at 5 %, pooled variance, from the third window on."""
    asked = np.arange(1, LOOKS + 1)
    pooled = (canary + stable) / (asked * (CANARY + STABLE))
    spread = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / (asked * CANARY) + 1 / (asked * STABLE)))
    found: Hits = (canary / (asked * CANARY) - stable / (asked * STABLE)) / spread > 1.645
    found[:, :2] = False
    return found


def ending(hits: Hits) -> dict[str, float | None]:
    """The share of paths that were ever rolled back, and the median window in which they were; None where
    none was.
    """
    ever = hits.any(axis=1)
    return {
        "rolled_back": float(ever.mean()),
        "windows": float(np.median(hits.argmax(axis=1)[ever] + 1)) if ever.any() else None,
    }


def walk(played: Played, plan: rules.Plan) -> dict[str, float]:
    """The first paths look by look through the controller's own decision: how many it would widen. Raises
    where both ways differ.
    """
    widened = held = 0
    fast = verdicts(played, plan)["product"]
    paths = min(WALKED, len(fast))
    for path in range(paths):
        ends = int(fast[path].argmax()) + 1 if fast[path].any() else None
        kinds = [decision(played, plan, path, look).kind for look in range(ends or LOOKS)]
        taken_back = kinds.index(rules.Kind.ROLLBACK) + 1 if rules.Kind.ROLLBACK in kinds else None
        if taken_back != ends:
            raise SystemExit(
                f"Path {path}: the decision rolls it back in window {taken_back}, the evidence in {ends}."
            )
        widened += rules.Kind.PROMOTE in kinds
        held += rules.Kind.HOLD in kinds and rules.Kind.PROMOTE not in kinds[: kinds.index(rules.Kind.HOLD)]
    return {"walked": paths, "widened": widened / paths, "held": held / paths}


def decision(played: Played, plan: rules.Plan, path: int, look: int) -> rules.Decision:
    """What the controller would decide after this window."""
    bad = {
        name: (int(played.counts[name][0][path, look]), int(played.counts[name][1][path, look]))
        for name in rules.METRICS
    }
    asked = CANARY * (look + 1), STABLE * (look + 1)
    sides = [
        rules.Side(asked[at], asked[at], bad["errors"][at], bad["slow"][at], bad["wrong"][at])
        for at in (0, 1)
    ]
    log_e = {name: float(rules.log_e(*bad[name], SHARE, plan.rate_ratios[name])) for name in rules.METRICS}
    minutes = float(MINUTES * (look + 1))
    return rules.decide(
        plan, rules.Evidence(rules.Counts(*sides), dealt(sides, played.customers), log_e, minutes, minutes)
    )


def dealt(sides: list[rules.Side], customers: int) -> rules.Groups:
    """The units by group of keys: each of a key of its own, or all of these customers, who are equal."""
    groups, rng = rules.Groups(), np.random.default_rng([side.errors for side in sides])
    for arm, side, part in zip(groups.sums, sides, (SHARE, 1 - SHARE), strict=True):
        keys = arm[: min(len(arm), round(customers * part)) if customers else len(arm)]
        keys[:, 0] = rng.multinomial(side.units, np.full(len(keys), 1 / len(keys)))
        keys[:, 1] = rng.multivariate_hypergeometric(keys[:, 0], side.errors)
    return groups


def table(rows: dict[str, dict[str, Any]], plan: rules.Plan, paths: int) -> None:
    """Print the table."""
    chances = ", ".join(f"{name} {alpha}" for name, alpha in plan.alphas.items())
    print(f"{paths:,} paths, {LOOKS} looks, {CANARY} of {CANARY + STABLE} requests a window on the canary")
    print(
        f"share of canaries rolled back (median window). product: three kinds of evidence, {chances}; one"
        " event for each key"
    )
    print("every retry: the same evidence on errors, if each failed request of a key counted\n")
    heads = {
        "fixed": "fixed 1 %",
        "z_test": "z-test",
        "every_retry": "every retry",
        "errors_alone": "errors alone",
        "product": "product",
    }
    print(f"{'truth':30}" + "".join(f"{head:>16}" for head in heads.values()) + f"{'widened to 25 %':>18}")
    for name, row in rows.items():
        print(f"{name:30}" + "".join(f"{cell(row[rule]):>16}" for rule in heads) + f"{row['widened']:>17.0%}")
    print()


def cell(found: dict[str, Any]) -> str:
    """A cell of the table: "0.020", or "1.000 (3)"."""
    window = "" if found["windows"] is None else f" ({found['windows']:.0f})"
    return f"{found['rolled_back']:.3f}{window}"


if __name__ == "__main__":
    sys.exit(main())
