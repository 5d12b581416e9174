"""What analyses of a version's evaluation found, and what its rows show, as the gates read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation import slices
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.slices import METADATA, Column
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.groups import LEAST
from lifecycle.runtime.task_types.generation import verbatim
from registry.ground.ledger import accounts
from registry.ground.ledger.rules import digest_of, plain
from registry.ground.ledger.verbs import Verb
from registry.policies.gates.evidence import Fairness, Forgetting, Measure, Robustness

CONTACT = "Contact an auditor: the record doesn't match the audit log."
PARITY = "demographic_parity_difference"  # which needs no row of the label
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
    Runs that ended before the audit log had this measurement count as without one. Raises Refused for another
    measurement than the audit log has.
    """
    before = run.base.run
    if before is None:
        return None
    found, ended = run.result.get("forgetting"), accounts.events_about(run.uuid, {Verb.RUN_ENDED})
    known = {event.payload.get("forgetting") for event in ended} - {None}
    if not found or not known:
        return Forgetting(str(before))
    digest = digest_of(plain(found))
    if digest not in known:
        raise Refused(f"What {run} forgot isn't what the audit log has.", next_step=CONTACT)
    by = found["by"]
    return Forgetting(str(before), by, loss(found["metrics"][by]), found["rows"], digest)


def loss(change: Mapping[str, Any]) -> Measure | None:
    """A paired difference, where more is better whatever the score, as what it costs; None where no row
    determines it.
    """
    if change["difference"] is None:
        return None
    return Measure(-change["difference"], -change["high"], -change["low"])


def copied(evaluation: Evaluation) -> Measure | None:
    """The share of responses with a run of words from a training response, by groups of near duplicates; None
    where the evaluation didn't look for such runs.
    """
    if not evaluation.report.get("copied"):
        return None
    rows = evaluations.rows_of(evaluation)
    found = [float(each.words >= verbatim.COPIED) for each in rows.copied]
    codes = range(len(found)) if rows.clusters is None else rows.clusters
    return Measure.of(clustered.share(clustered.by_cluster(found, np.asarray(codes))))


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
    """The largest difference of a label's rates between two slices. Its upper end is the highest of all pairs
    of slices, whichever differ most in these rows.
    """
    names = {each["number"]: each["name"] for each in found["groups"]}
    gap = next(each for each in found["fairness"]["measures"] if each["name"] == measure)
    left_out = found["fairness"]["left_out"]
    if gap["value"] is None:
        problem = f"fewer than two slices have {LEAST} rows and the rates that are compared"
        return Fairness(measure, left_out=left_out, problem=problem)
    between = f"{names[gap['highest']]} and {names[gap['lowest']]}"
    if measure != PARITY:
        left_out += sum(each["true_positive"] is None for each in found["fairness"]["rates"])
    return Fairness(measure, {between: Measure(gap["value"], gap["low"], gap["most"])}, left_out)
