"""Gates on a score: its value, its difference to the live version, calibration, membership inference."""

from __future__ import annotations

import math

from lifecycle.runtime.statistics.intervals import Interval, low_if_worse, rows_for_margin
from lifecycle.runtime.statistics.significance import rows_needed
from lifecycle.runtime.statistics.verdicts import Verdict, verdict
from lifecycle.runtime.task_types.by_key.measures import NAMED
from lifecycle.ui.numbers import count, decimals, signed
from registry.policies.gates.evidence import Evidence, Live
from registry.policies.gates.finding import NOT_RUN, Finding, Gate, Outcome, unreported, with_interval

# where a policy asks for no number: of so many, a model that is wrong in 1 of 10 has one wrong in 96 of 100
# splits
LEAST_ROWS = 30
UNEVEN = 0.5  # of the rows, if all labels had as few as the rarest: below it the finding mentions it
JUDGED_BY = {"ece": "ece_debiased"}  # an ECE on its own grows as rows get fewer


def quality(gate: Gate, evidence: Evidence) -> Finding:
    """The metric on the frozen test split, or the lower end of its interval, reaches the threshold, and there
    are enough rows to show it: `at_least_rows` of the policy, each group of near duplicates counted once
    where groups are known.
    """
    metric, bound, limit = gate.settings["metric"], gate.settings["bound"], float(gate.settings["at_least"])
    what = f"Lower bound of {NAMED[metric].words}" if bound == "low" else NAMED[metric].heading
    title, threshold = f"{what} at least {decimals(limit)}", f"≥ {decimals(limit)}"
    measure = evidence.metrics.get(metric)
    if measure is None or evidence.rows is None:
        return gate.found(title, Outcome.FAILED, unreported(metric), threshold=threshold)
    if bound == "low" and measure.low is None:
        problem = f"the evaluation has no interval for {NAMED[metric].words}"
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem), threshold=threshold)
    counted = measure.low if bound == "low" and measure.low is not None else measure.value
    outcome = Outcome.FAILED if counted < limit else Outcome.PASSED
    if outcome is Outcome.PASSED and measure.low is not None and measure.low < limit:
        outcome = Outcome.WATCH
    detail = f"{with_interval(measure, unlike=(limit,))}, {count(evidence.rows)} test rows."
    least, known = (
        int(gate.settings.get("at_least_rows", LEAST_ROWS)),
        (evidence.rows if evidence.groups is None else evidence.groups),
    )
    if known < least:
        outcome = Outcome.FAILED
        differing = (
            "" if known == evidence.rows else f", counting near duplicates once; there are {count(known)}"
        )
        detail += f" Not enough data: the gate needs {count(least)} test rows{differing}."
    value, threshold = decimals(counted, unlike=(limit,)), f"≥ {decimals(limit, unlike=(counted,))}"
    return gate.found(title, outcome, detail, value=value, threshold=threshold, source=evidence.evaluation)


def live(gate: Gate, evidence: Evidence) -> Finding:
    """The paired difference to the live version is not worse than the limit: its lower end, or its value
    where the policy has `point`. A first version has nothing to compare, and passes.

    The score test counts a group of near duplicates as one row, groups of unequal size as fewer of one size:
    what a row of it is worth is not known of a score such as macro-F1, and where all rows of a group turn
    together it is worth no more. Where they do not, the gate asks for more than it has to. The interval is by
    groups already. Of macro-F1 it counts rows by `Live.independent`.
    """
    metric, bound, worse = (
        gate.settings["metric"],
        gate.settings["bound"],
        float(gate.settings["at_most_worse"]),
    )
    title, threshold = (
        f"{NAMED[metric].heading} not worse than live by more than {decimals(worse)}",
        f"≥ {signed(-worse)}",
    )
    known = evidence.live
    if known is None:
        return gate.found(
            title, Outcome.FAILED, NOT_RUN.format("the live version is unknown"), threshold=threshold
        )
    if not known.name:
        return gate.found(
            title,
            Outcome.PASSED,
            "First version, nothing to compare.",
            value="first version",
            threshold=threshold,
        )
    difference = known.differences.get(metric)
    if difference is None:
        problem = known.problem or f"no paired comparison with {known.name}"
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem.rstrip(".")), threshold=threshold)
    found = (
        None
        if difference.low is None or difference.high is None
        else Interval(difference.value, difference.low, difference.high)
    )
    if bound == "low" and found is None:
        problem = f"the comparison with {known.name} has no interval for {NAMED[metric].words}"
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem), threshold=threshold)
    low = low_if_worse(found, worse, known.independent(metric)) if found else difference.value
    counted = low if bound == "low" else difference.value
    outcome = Outcome.FAILED if counted < -worse else Outcome.WATCH if low < -worse else Outcome.PASSED
    words = (
        by_the_bound(found, low, worse, known, metric)
        if found and bound == "low"
        else "The value counts, not its interval."
    )
    detail = (
        f"{with_interval(difference, signed, (-worse,))} against {known.name}, {known.counted}, paired."
        f" {words}"
    )
    value, threshold = signed(counted, unlike=(-worse,)), f"≥ {signed(-worse, unlike=(counted,))}"
    return gate.found(title, outcome, detail, value=value, threshold=threshold, source=known.source)


def by_the_bound(found: Interval, low: float, worse: float, known: Live, metric: str) -> str:
    """What counts where the lower end does; where it is beyond the limit, whether the version is shown to be
    worse, or too little is known.

    low: as `low_if_worse` has it.
    """
    detail = "The lower end counts" + (
        f", by a score test {signed(low, unlike=(-worse,))}." if low < found.low else "."
    )
    if low >= -worse:
        return detail
    if verdict(found, matters=worse) is Verdict.WORSE:
        return f"{detail} Shown to be worse than {known.name} by more than {decimals(worse)}."
    detail += (
        f" Not enough data: whether it is worse by more than {decimals(worse)} is neither shown nor ruled"
        " out."
    )
    if metric == "macro_f1" and known.evenness < UNEVEN:
        detail += (
            f" All {count(known.labels)} labels count equally, and the rarest has {count(known.rarest)} test"
            " rows."
        )
    if found.value <= -worse:
        return detail
    least = math.ceil(rows_for_margin(worse) * known.rows / known.independent(metric)) if worse else 0
    needed = max(rows_needed(known.rows, found.value + worse, found.low, found.high) or 0, least)
    more = f" If the difference stays the same, about {count(rounded(needed))} test rows would rule it out."
    return detail + more if needed > known.rows else detail


def calibration(gate: Gate, evidence: Evidence) -> Finding:
    """The debiased calibration error on the frozen test split stays below the limit. Of few rows chance may
    put it above; then the finding reports too little data.
    """
    metric, limit = JUDGED_BY[gate.settings["metric"]], float(gate.settings["at_most"])
    title, threshold = f"{NAMED[metric].heading} at most {decimals(limit)}", f"≤ {decimals(limit)}"
    measure = evidence.metrics.get(metric)
    if measure is None or evidence.rows is None:
        return gate.found(title, Outcome.FAILED, unreported(metric), threshold=threshold)
    outcome = Outcome.FAILED if measure.value > limit else Outcome.PASSED
    if outcome is Outcome.PASSED and measure.high is not None and measure.high > limit:
        outcome = Outcome.WATCH
    detail = f"{with_interval(measure, unlike=(limit,))}, {count(evidence.rows)} test rows."
    if measure.low is not None and measure.low <= limit < measure.value:
        detail += (
            f" Not enough data: whether it is above {decimals(limit)} is neither shown nor ruled out. Use a"
            " larger test split."
        )
    value, threshold = (
        decimals(measure.value, unlike=(limit,)),
        f"≤ {decimals(limit, unlike=(measure.value,))}",
    )
    return gate.found(title, outcome, detail, value=value, threshold=threshold, source=evidence.evaluation)


def membership(gate: Gate, evidence: Evidence) -> Finding:
    """The loss doesn't separate training rows from held-out ones: the whole interval of the attack's AUC
    stays at or below the limit.

    Where it reaches beyond, a leak is not shown, and neither is that there is none: too few rows were
    compared.
    """
    limit = float(gate.settings["at_most"])
    title, threshold = f"Membership-inference AUC at most {decimals(limit)}", f"≤ {decimals(limit)}"
    measure = evidence.membership
    if measure is None or measure.low is None or measure.high is None:
        detail = NOT_RUN.format("run the membership-inference test on the evaluation’s page")
        return gate.found(title, Outcome.FAILED, detail, threshold=threshold)
    outcome = Outcome.PASSED if measure.high <= limit else Outcome.FAILED
    value, threshold = decimals(measure.high, unlike=(limit,)), f"≤ {decimals(limit, unlike=(measure.high,))}"
    detail = f"{with_interval(measure, unlike=(limit,))}; the upper end counts, 0.5 is guessing."
    if measure.low <= limit < measure.high:
        detail += (
            " Not enough data: a leak is neither shown nor ruled out. Compare more rows, which takes a larger"
            " test split."
        )
    return gate.found(title, outcome, detail, value=value, threshold=threshold, source=evidence.analysis)


def rounded(number: int) -> int:
    """To two digits, upwards: 1,234 is 1,300."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return -(-number // unit) * unit
