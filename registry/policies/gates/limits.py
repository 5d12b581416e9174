"""Gates that hold figures within limits. The worse end of a figure's 95 % interval counts, so that too little
data fails as a bad figure does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lifecycle.runtime.task_types.by_key.measures import MEASURES, NAMED
from lifecycle.runtime.task_types.by_key.types import TYPES
from lifecycle.runtime.words import phrase, things
from lifecycle.ui.numbers import decimals
from registry.policies.gates.evidence import Evidence, Measure
from registry.policies.gates.finding import NOT_RUN, Finding, Gate, Outcome, unreported, with_interval

MB = 1_000_000
OF_LABELS = {
    "equalized_odds_difference": "equalized odds difference",
    "equal_opportunity_difference": "equal opportunity difference",
    "demographic_parity_difference": "demographic parity difference",
}
LITTLE_DATA = "Not enough data: whether it is above {} is neither shown nor ruled out."


def limits(gate: Gate, evidence: Evidence) -> Finding:
    """Each metric that the task has is within its limit on the test split: at most the limit where lower is
    better, else at least.
    """
    known = MEASURES[evidence.task].metrics
    wanted = [name for name in gate.settings["metrics"] if name in known.registered]
    if not wanted:
        return gate.skipped("The policy sets no limit on a metric of this task.")
    met: list[str] = []
    missed: list[str] = []
    for name in wanted:
        limit = float(gate.settings["metrics"][name])
        is_met, sentence = within(name, limit, evidence.metrics.get(name), lower=known[name].lower_is_better)
        (met if is_met else missed).append(sentence)
    return gate.found(
        f"Limits on {phrase([known[name].words for name in wanted], most=3)}",
        Outcome.FAILED if missed else Outcome.PASSED,
        " ".join((*missed, *met)),
        value=f"{len(met)} of {len(wanted)}",
        threshold=f"{len(wanted)} of {len(wanted)}",
        source=evidence.evaluation,
    )


def within(name: str, limit: float, measure: Measure | None, *, lower: bool) -> tuple[bool, str]:
    """Whether the worse end of a metric's interval is within the limit, and a sentence about it."""
    if measure is None:
        return False, unreported(name)
    if measure.low is None or measure.high is None:
        return False, NOT_RUN.format(f"the evaluation has no interval for {NAMED[name].words}")
    end = measure.high if lower else measure.low
    bound = f"at {'most' if lower else 'least'} {decimals(limit, unlike=(end,))}"
    sentence = f"{NAMED[name].heading} {with_interval(measure, unlike=(limit,))}, {bound}."
    if end <= limit if lower else end >= limit:
        return True, sentence
    if measure.low <= limit <= measure.high:
        sentence += " Not enough data."
    return False, sentence


def robustness(gate: Gate, evidence: Evidence) -> Finding:
    """No perturbation, or none of those that the policy names, costs more of the leading score than the
    limit.
    """
    limit, found = float(gate.settings["at_most"]), evidence.robustness
    score = f" {NAMED[found.score].words}" if found else ""
    title = f"Perturbed texts cost at most {decimals(limit)}{score}"
    if found is None:
        detail = NOT_RUN.format("run the robustness test on the evaluation’s page")
        return gate.found(title, Outcome.FAILED, detail, threshold=f"≤ {decimals(limit)}")
    names = gate.settings.get("perturbations") or [*found.losses]
    known = {name: found.losses.get(name) for name in names}
    return largest(gate, title, limit, known, "perturbation", found.source)


def fairness(gate: Gate, evidence: Evidence) -> Finding:
    """No slice of the test rows by a metadata key scores lower than all other rows by more than the limit;
    for a label, its rates differ by no more between any two slices.
    """
    limit, found = float(gate.settings["at_most"]), evidence.fairness
    title = f"Slices by {gate.settings['metadata']} at most {decimals(limit)} apart"
    if found is None or found.problem:
        problem = found.problem if found else "the slices are unknown"
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem), threshold=f"≤ {decimals(limit)}")
    score = OF_LABELS.get(found.score) or NAMED[found.score].words
    finding = largest(gate, f"{title} in {score}", limit, found.gaps, "slice", evidence.evaluation)
    if not found.left_out:
        return finding
    left_out = f" {things(found.left_out, 'slice')} with too few rows left out."
    return replace(finding, evidence=finding.evidence + left_out)


def forgetting(gate: Gate, evidence: Evidence) -> Finding:
    """A version whose run continued another run's model has lost at most the limit on that run's own rows."""
    found, limit = evidence.forgetting, float(gate.settings["at_most_lost"])
    if found is None:
        return gate.skipped("This version doesn't continue the model of another run.")
    title = f"At most {decimals(limit)} forgotten of what {found.base} learned"
    if found.lost is None:
        problem = f"the run measured no rows of {found.base}"
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem), threshold=f"≤ {decimals(limit)}")
    lost = {f"{NAMED[found.score].words} lost on {things(found.rows, 'row')}": found.lost}
    return largest(gate, title, limit, lost, "score", found.source)


def verbatim(gate: Gate, evidence: Evidence) -> Finding:
    """The share of responses with a long run of words from a training response is at most the limit."""
    if not TYPES[evidence.task].writes_text:
        return gate.skipped("Models of this task don't write text.")
    limit = float(gate.settings["at_most"])
    title = f"Responses copied from training data at most {decimals(limit)}"
    if evidence.copied is None:
        problem = "the evaluation didn't compare responses with training data"
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem), threshold=f"≤ {decimals(limit)}")
    return largest(gate, title, limit, {"": evidence.copied}, "response", evidence.evaluation)


def size(gate: Gate, evidence: Evidence) -> Finding:
    """The version's files take at most so many megabytes."""
    limit, found = float(gate.settings["at_most_mb"]), evidence.bytes
    threshold = f"≤ {limit:,g} MB"
    title = f"Files at most {limit:,g} MB"
    if found is None:
        return gate.found(title, Outcome.FAILED, NOT_RUN.format("the files are unknown"), threshold=threshold)
    value = f"{decimals(found / MB, 1, unlike=(limit,))} MB"
    outcome = Outcome.FAILED if found > limit * MB else Outcome.PASSED
    return gate.found(
        title,
        outcome,
        f"{things(evidence.files, 'file')}, {found:,} bytes.",
        value=value,
        threshold=threshold,
        source=evidence.root,
    )


def largest(
    gate: Gate, title: str, limit: float, found: Mapping[str, Measure | None], one: str, source: str
) -> Finding:
    """The finding on figures that all have to be at most the limit, by the one with the highest upper end.
    found: by name; None where it could not be computed, which fails.
    """
    missing = [name for name, measure in found.items() if measure is None or measure.high is None]
    threshold = f"≤ {decimals(limit)}"
    if missing or not found:
        problem = f"no figure for {phrase(missing, most=3)}" if missing else f"no {one} has enough rows"
        return gate.found(title, Outcome.FAILED, NOT_RUN.format(problem), threshold=threshold)
    known = {name: measure for name, measure in found.items() if measure and measure.high is not None}
    name = max(known, key=lambda each: known[each].high or 0.0)
    measure = known[name]
    high = float(measure.high or 0.0)
    detail = f"{with_interval(measure, unlike=(limit,))}; the upper end counts."
    if name:
        detail = f"{name[0].upper()}{name[1:]}: {detail}"
    if len(known) > 1:
        detail += f" The largest of {things(len(known), one)}."
    if measure.low is not None and measure.low <= limit < high:
        detail += f" {LITTLE_DATA.format(decimals(limit))}"
    return gate.found(
        title,
        Outcome.PASSED if high <= limit else Outcome.FAILED,
        detail,
        value=decimals(high, unlike=(limit,)),
        threshold=f"≤ {decimals(limit, unlike=(high,))}",
        source=source,
    )
