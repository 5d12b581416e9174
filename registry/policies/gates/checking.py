"""All gates of a policy, in its order."""

from __future__ import annotations

from collections.abc import Callable

from registry.policies.gates.evidence import Evidence
from registry.policies.gates.finding import Finding, Gate
from registry.policies.gates.limits import fairness, forgetting, limits, robustness, size, verbatim
from registry.policies.gates.load import cost, latency
from registry.policies.gates.records import card, labels, leakage, signature
from registry.policies.gates.scores import calibration, live, membership, quality
from registry.policies.rules import Rules


def check(rules: Rules, evidence: Evidence) -> list[Finding]:
    """One finding for each gate of the policy, in the policy's order."""
    return [_found(rules, name, evidence) for name in rules.gates]


def _found(rules: Rules, name: str, evidence: Evidence) -> Finding:
    settings = rules.settings(name, evidence.task)
    if settings is None:
        return Gate(name, {}).skipped("The policy doesn't apply this gate to this task.")
    return CHECKS[name](Gate(name, settings), evidence)


CHECKS: dict[str, Callable[[Gate, Evidence], Finding]] = {
    "quality": quality,
    "live": live,
    "calibration": calibration,
    "limits": limits,
    "robustness": robustness,
    "fairness": fairness,
    "forgetting": forgetting,
    "membership": membership,
    "verbatim": verbatim,
    "size": size,
    "latency": latency,
    "cost": cost,
    "leakage": leakage,
    "labels": labels,
    "signature": signature,
    "card": card,
}
