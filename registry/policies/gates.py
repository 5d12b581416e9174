"""The gates of a policy: evidence in, finding out. A gate that could not run has failed. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lifecycle.runtime.statistics.intervals import Interval, low_if_worse, rows_for_margin
from lifecycle.runtime.statistics.significance import rows_needed
from lifecycle.runtime.statistics.verdicts import Verdict, verdict
from lifecycle.runtime.task_types.by_key.measures import NAMED
from lifecycle.ui.numbers import NOT_MEASURED, count, decimals, signed, things
from registry.policies.rules import Rules

# where a policy asks for no number: of so many, a model that is wrong in 1 of 10 has one wrong in 96 of 100
# splits
LEAST_ROWS = 30
UNEVEN = 0.5  # of the rows, if all labels had as few as the rarest: below it the finding mentions it
JUDGED_BY = {"ece": "ece_debiased"}  # an ECE on its own grows as rows get fewer


class Outcome(StrEnum):
    """passed; watch: within the limit, but the interval reaches beyond it; failed: beyond it, or not run."""

    PASSED = "passed"
    WATCH = "watch"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric with its 95 % interval; low and high are None where the interval was not computed."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """The version that is live. name: its semver, "" when nothing is live yet.

    differences: this version minus the live one, paired, by metric. problem: why there are none although
    something is live, and what to do. clusters: groups of near duplicates that the rows come in;
    effective_clusters: as how many of one size they count. None where each row is one of its own, or no one
    counted. labels, rarest: how many labels the rows have, and how many rows the rarest of them; 0: unknown.
    """

    name: str = ""
    differences: Mapping[str, Measure] = field(default_factory=dict)
    rows: int = 0
    problem: str = ""
    source: str = ""
    clusters: int | None = None
    effective_clusters: float | None = None
    labels: int = 0
    rarest: int = 0

    def independent(self, metric: str) -> float:
        """The effective number of independent rows, at least. A score to which each label adds equally may
        fall by the rarest label alone: of such, the number of rows if all labels had that few.
        """
        known = float(self.rows) if self.effective_clusters is None else self.effective_clusters
        return known * self.evenness if metric == "macro_f1" else known

    @property
    def evenness(self) -> float:
        """The rows that there were if all labels had as few as the rarest, of all rows; 1 where no one
        counted.
        """
        return min(1.0, self.labels * self.rarest / self.rows) if self.rarest else 1.0

    @property
    def counted(self) -> str:
        """200 test rows; 200 test rows in 40 groups of near duplicates."""
        return f"{count(self.rows)} test rows" + (
            "" if self.clusters is None else f" in {count(self.clusters)} groups of near duplicates"
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found about one version. None always means: could not be found, and the gate that needs it
    fails.

    groups: of near duplicates, in which the test rows come. membership: AUC with which the loss separates
    training rows from others; analysis: digest of what found it. leaked: test rows whose text, normalised
    text or group is in the training split. overruled: test labels decided again since the freeze. files: how
    many were hashed again; signature_problem: "" when every one and the signature hold. stated: card fields
    that are filled.
    """

    rows: int | None = None
    groups: int | None = None
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    evaluation: str = ""
    live: Live | None = None
    membership: Measure | None = None
    analysis: str = ""
    leaked: int | None = None
    snapshot: str = ""
    overruled: int | None = None
    files: int = 0
    signature_problem: str | None = None
    key: str = ""
    stated: frozenset[str] | None = None
    card: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate found. evidence: a sentence; value and threshold: as people read them; source: a digest
    of where it comes from.
    """

    gate: str
    title: str
    outcome: Outcome
    blocking: bool
    evidence: str
    value: str = ""
    threshold: str = ""
    source: str = ""

    @property
    def blocks(self) -> bool:
        """Whether it keeps the request from review."""
        return self.blocking and self.outcome is Outcome.FAILED


def check(rules: Rules, evidence: Evidence) -> list[Finding]:
    """One finding for each gate of the policy, in the policy's order."""
    return [CHECKS[name](Gate(name, settings), evidence) for name, settings in rules.gates.items()]


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate with its settings in one policy."""

    name: str
    settings: Mapping[str, Any]

    def found(self, title: str, outcome: Outcome, evidence: str, **more: str) -> Finding:
        """A finding of this gate."""
        return Finding(self.name, title, outcome, bool(self.settings.get("blocking", True)), evidence, **more)


def unreported(metric: str) -> str:
    """Why a gate on a metric without a value fails."""
    return NOT_RUN.format(f"no test-split evaluation reports {NAMED[metric].words}")


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


def leakage(gate: Gate, evidence: Evidence) -> Finding:
    """No test row, none of its duplicates and none of its group is in the training split; counted again from
    the manifest.
    """
    title = "No test rows in training"
    if evidence.leaked is None:
        return gate.found(
            title,
            Outcome.FAILED,
            NOT_RUN.format("the dataset version's manifest couldn't be read"),
            threshold="0",
        )
    if evidence.leaked:
        found = f"{rows(evidence.leaked)} of the test split {are(evidence.leaked)} also in training."
        detail = f"{found} Create a new dataset version and train on it."
    else:
        detail = "0 exact or normalised duplicates, recounted from the manifest."
    outcome = Outcome.FAILED if evidence.leaked else Outcome.PASSED
    return gate.found(
        title, outcome, detail, value=count(evidence.leaked), threshold="0", source=evidence.snapshot
    )


def labels(gate: Gate, evidence: Evidence) -> Finding:
    """The labels that the version was tested against are still the decided ones."""
    title = "Test labels unchanged"
    if evidence.overruled is None:
        return gate.found(
            title,
            Outcome.FAILED,
            NOT_RUN.format("the decisions behind the test labels couldn't be read"),
            threshold="0",
        )
    if evidence.overruled:
        changed = (
            f"{rows(evidence.overruled)} of the test split {has(evidence.overruled)} a different label now."
        )
        detail = f"{changed} Create a new dataset version and evaluate again."
    else:
        detail = "No test label has changed since the dataset version was created."
    outcome = Outcome.FAILED if evidence.overruled else Outcome.PASSED
    return gate.found(
        title, outcome, detail, value=count(evidence.overruled), threshold="0", source=evidence.snapshot
    )


def signature(gate: Gate, evidence: Evidence) -> Finding:
    """Every file hashed again, and the signature over all of them verified."""
    title = "Files and signature verified"
    if evidence.signature_problem is None:
        return gate.found(title, Outcome.FAILED, NOT_RUN.format("the files weren't re-hashed"))
    if evidence.signature_problem:
        return gate.found(
            title,
            Outcome.FAILED,
            evidence.signature_problem,
            value="refused",
            threshold="valid",
            source=evidence.key,
        )
    detail = f"{things(evidence.files, 'file')} re-hashed, signature valid, key {evidence.key[:12]}."
    return gate.found(title, Outcome.PASSED, detail, value="valid", threshold="valid", source=evidence.key)


def card(gate: Gate, evidence: Evidence) -> Finding:
    """The model card has the fields that the policy requires."""
    wanted = list(gate.settings["fields"])
    title, threshold = "Model card complete", f"{len(wanted)} of {len(wanted)}"
    if evidence.stated is None:
        return gate.found(
            title, Outcome.FAILED, NOT_RUN.format("the version has no card"), threshold=threshold
        )
    missing = [name for name in wanted if name not in evidence.stated]
    filled = f"{len(wanted) - len(missing)} of {len(wanted)}"
    detail = (
        f"{filled} required fields. Missing: {', '.join(missing)}. Edit the card."
        if missing
        else f"{filled} required fields: {', '.join(wanted)}."
    )
    return gate.found(
        title,
        Outcome.FAILED if missing else Outcome.PASSED,
        detail,
        value=filled,
        threshold=threshold,
        source=evidence.card,
    )


NOT_RUN = "Not run: {}."
CHECKS: dict[str, Callable[[Gate, Evidence], Finding]] = {
    "quality": quality,
    "live": live,
    "calibration": calibration,
    "membership": membership,
    "leakage": leakage,
    "labels": labels,
    "signature": signature,
    "card": card,
}


def with_interval(
    measure: Measure,
    write: Callable[[float, int, Sequence[float]], str] = decimals,
    unlike: Sequence[float] = (),
) -> str:
    """0.927 [0.914, 0.939]; the number alone where there is no interval. unlike: limits, as for
    `decimals`.
    """
    if measure.low is None or measure.high is None:
        return f"{write(measure.value, 3, unlike)}, interval {NOT_MEASURED.lower()}"
    return (
        f"{write(measure.value, 3, unlike)} [{write(measure.low, 3, unlike)},"
        f" {write(measure.high, 3, unlike)}]"
    )


def rounded(number: int) -> int:
    """To two digits, upwards: 1,234 is 1,300."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return -(-number // unit) * unit


def rows(number: int) -> str:
    """1 row, 2 rows."""
    return f"{count(number)} row{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """The verb that agrees."""
    return "is" if number == 1 else "are"


def has(number: int) -> str:
    """The verb that agrees."""
    return "has" if number == 1 else "have"
