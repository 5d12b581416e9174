"""What analyses of a version's evaluation found, and what its rows show, as the gates read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation import slices
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.slices import METADATA, Column
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import intervals
from lifecycle.runtime.statistics.groups import LEAST
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from registry.ground.ledger import accounts
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.policies.gates.evidence import Fairness, Forgetting, Measure, Robustness

CONTACT = "Contact an auditor: the record doesn't match the audit log."
DEFAULT_MEASURE = "equalized_odds_difference"


def recorded(evaluation: Evaluation, kind: Analysis.Kind) -> Analysis | None:
    """The analysis of this kind, if there is one. Raises Refused for one that the audit log does not know."""
    found = evaluations.analysis(evaluation, kind)
    if found and not evaluations.is_analysis_recorded(found):
        text = f"The {kind.label} test of {evaluation.run} isn't the one in the audit log."
        raise Refused(text, next_step=CONTACT)
    return found


def robustness(evaluation: Evaluation) -> Robustness | None:
    """The loss of the leading score by perturbation; None where the test wasn't run."""
    found = recorded(evaluation, Analysis.Kind.ROBUSTNESS)
    if found is None:
        return None
    leading = found.report["scores"][0]
    losses = {name: loss(each["change"][leading]) for name, each in found.report["probes"].items()}
    return Robustness(leading, losses, digest_of(found.report))


def forgetting(run: Run) -> Forgetting | None:
    """What a run that continued another run's model has lost on that one's rows; None for one that didn't.
    Raises Refused for a measurement that the audit log does not know.
    """
    before = run.base.run
    if before is None:
        return None
    found = run.result.get("forgetting")
    if not found:
        return Forgetting(str(before))
    ended = accounts.events_about(run.uuid, {Verb.RUN_ENDED})
    if digest_of(found) not in {event.payload.get("forgetting") for event in ended}:
        raise Refused(f"What {run} forgot isn't what the audit log has.", next_step=CONTACT)
    by, change = found["by"], found["metrics"][found["by"]]
    worse = metrics_of(run.task)[by].lower_is_better
    lost = Measure(change["difference"], change["low"], change["high"]) if worse else loss(change)
    return Forgetting(str(before), by, lost, found["rows"], digest_of(found))


def loss(change: Mapping[str, Any]) -> Measure | None:
    """A paired difference as what it costs; None where no row determines it."""
    if change["difference"] is None:
        return None
    return Measure(-change["difference"], -change["high"], -change["low"])


def copied(report: Mapping[str, Any]) -> Measure | None:
    """The share of responses with a run of words from a training response, by Wilson, each group of near
    duplicates counted as one; None where the evaluation has none.
    """
    if not (found := report.get("copied")):
        return None
    groups = report.get("clusters") or report["rows"]
    return Measure.of(intervals.share(found["share"] * groups, groups))


def fairness(evaluation: Evaluation, settings: Mapping[str, Any] | None) -> Fairness | None:
    """The slices that a gate's settings ask about; None where there is no such gate."""
    if settings is None:
        return None
    key, label = settings["metadata"], settings.get("label", "")
    try:
        rows = evaluations.grouped_of(evaluation)
        if label and rows.classes is None:
            return Fairness(problem="this task has no labels to compare rates of")
        found = slices.report(evaluation, rows, Column(METADATA + key, key), label=label, anew=True)
    except Refused as refusal:
        return Fairness(problem=refusal.message.rstrip("."))
    named = [each for each in found["groups"] if not each["missing"]]
    if not named:
        return Fairness(problem=f"no test row has {key} in its metadata")
    return rates(found, settings.get("measure", DEFAULT_MEASURE)) if label else scores(found)


def scores(found: Mapping[str, Any]) -> Fairness:
    """How much lower each slice scores than all other rows."""
    gaps = {
        each["name"]: Measure(-each["difference"], -each["difference_high"], -each["difference_low"])
        for each in found["groups"]
        if each["difference"] is not None
    }
    return Fairness(found["measure"], gaps, len(found["groups"]) - len(gaps))


def rates(found: Mapping[str, Any], measure: str) -> Fairness:
    """The largest difference of a label's rates between two slices."""
    names = {each["number"]: each["name"] for each in found["groups"]}
    gap = next(each for each in found["fairness"]["measures"] if each["name"] == measure)
    left_out = found["fairness"]["left_out"]
    if gap["value"] is None:
        problem = f"fewer than two slices have {LEAST} rows and the rates that are compared"
        return Fairness(measure, left_out=left_out, problem=problem)
    between = f"{names[gap['highest']]} and {names[gap['lowest']]}"
    return Fairness(measure, {between: Measure(gap["value"], gap["low"], gap["high"])}, left_out)
