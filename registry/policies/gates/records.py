"""Gates on records: leakage, changed labels, files and their signature, the model card."""

from __future__ import annotations

from lifecycle.runtime.words import things
from lifecycle.ui.numbers import count
from registry.policies.gates.evidence import Evidence
from registry.policies.gates.finding import NOT_RUN, Finding, Gate, Outcome


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


def rows(number: int) -> str:
    """1 row, 2 rows."""
    return f"{count(number)} row{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """The verb that agrees."""
    return "is" if number == 1 else "are"


def has(number: int) -> str:
    """The verb that agrees."""
    return "has" if number == 1 else "have"
