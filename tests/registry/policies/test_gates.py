"""Each gate: evidence in, finding out. A gate that could not run has failed."""

from __future__ import annotations

import pytest

from registry.policies import gates, queries, rules
from registry.policies.gates import Evidence, Gate, Live, Measure

RULES = rules.read(queries.STANDARD.read_text())
LOW = {"metric": "macro_f1", "bound": "low", "at_least": 0.8}
POINT = {"metric": "macro_f1", "bound": "point", "at_least": 0.8}
LIVE_POINT = {"metric": "macro_f1", "bound": "point", "at_most_worse": 0.01}
LIVE_LOW = LIVE_POINT | {"bound": "low"}
ECE = {"metric": "ece", "at_most": 0.05}
AUC = {"at_most": 0.55}
CARD = {"fields": ["purpose", "limits"]}


def measured(value, low=None, high=None, name="macro_f1"):
    return Evidence(rows=100, metrics={name: Measure(value, low, high)}, evaluation="e" * 64)


def against(value, low, high):
    return Evidence(live=Live("1.0.0", {"macro_f1": Measure(value, low, high)}, 100, source="l" * 64))


TABLE = [
    ("quality", LOW, measured(0.9, 0.8, 0.95), "passed", "0.800"),
    ("quality", LOW, measured(0.9, 0.799, 0.95), "failed", "0.799"),
    ("quality", POINT, measured(0.8, 0.79, 0.85), "watch", "0.800"),
    ("quality", POINT, measured(0.8, 0.8, 0.85), "passed", "0.800"),
    ("quality", POINT, measured(0.799, 0.7, 0.85), "failed", "0.799"),
    ("quality", POINT, measured(0.9), "passed", "0.900"),
    ("quality", LOW, measured(0.9, 0.79996, 0.95), "failed", "0.79996"),
    ("quality", LOW, measured(0.9), "failed", ""),
    ("quality", LOW, Evidence(), "failed", ""),
    ("live", LIVE_POINT, Evidence(live=Live()), "passed", "first version"),
    ("live", LIVE_POINT, Evidence(), "failed", ""),
    ("live", LIVE_POINT, Evidence(live=Live("1.0.0", problem="It was not evaluated.")), "failed", ""),
    ("live", LIVE_POINT, against(0.02, 0.01, 0.03), "passed", "+0.020"),
    ("live", LIVE_POINT, against(-0.005, -0.03, 0.02), "watch", "\u22120.005"),
    ("live", LIVE_POINT, against(-0.011, -0.02, 0.0), "failed", "\u22120.011"),
    ("live", LIVE_LOW, against(-0.005, -0.03, 0.02), "failed", "\u22120.030"),
    ("live", LIVE_LOW, against(0.005, -0.01, 0.02), "passed", "\u22120.010"),
    ("live", LIVE_LOW, against(0.005, None, None), "failed", ""),
    ("live", LIVE_POINT, against(0.005, None, None), "passed", "+0.005"),
    ("calibration", ECE, measured(0.04, 0.02, 0.05, "ece_debiased"), "passed", "0.040"),
    ("calibration", ECE, measured(0.04, 0.02, 0.06, "ece_debiased"), "watch", "0.040"),
    ("calibration", ECE, measured(0.051, 0.02, 0.06, "ece_debiased"), "failed", "0.051"),
    ("calibration", ECE, measured(0.01, 0.0, 0.02, "ece"), "failed", ""),
    ("calibration", ECE, Evidence(), "failed", ""),
    ("membership", AUC, Evidence(membership=Measure(0.52, 0.5, 0.55)), "passed", "0.550"),
    ("membership", AUC, Evidence(membership=Measure(0.52, 0.48, 0.56)), "failed", "0.560"),
    ("membership", AUC, Evidence(membership=Measure(0.6, 0.551, 0.65)), "failed", "0.650"),
    ("membership", AUC, Evidence(membership=Measure(0.4)), "failed", ""),
    ("membership", AUC, Evidence(), "failed", ""),
    ("leakage", {}, Evidence(leaked=0), "passed", "0"),
    ("leakage", {}, Evidence(leaked=1), "failed", "1"),
    ("leakage", {}, Evidence(), "failed", ""),
    ("labels", {}, Evidence(overruled=0), "passed", "0"),
    ("labels", {}, Evidence(overruled=2), "failed", "2"),
    ("labels", {}, Evidence(), "failed", ""),
    ("signature", {}, Evidence(files=3, signature_problem=""), "passed", "valid"),
    ("signature", {}, Evidence(signature_problem="model.onnx was changed."), "failed", "refused"),
    ("signature", {}, Evidence(), "failed", ""),
    ("card", CARD, Evidence(stated=frozenset({"purpose", "limits"})), "passed", "2 of 2"),
    ("card", CARD, Evidence(stated=frozenset({"purpose"})), "failed", "1 of 2"),
    ("card", CARD, Evidence(), "failed", ""),
]


@pytest.mark.parametrize(("name", "given", "evidence", "outcome", "value"), TABLE)
def test_gate(name, given, evidence, outcome, value):
    found = gates.CHECKS[name](Gate(name, given), evidence)

    assert (found.gate, found.outcome.value, found.value, found.blocking) == (name, outcome, value, True)
    assert found.evidence.endswith(".")


def test_a_leak_that_is_neither_shown_nor_ruled_out_is_told_apart_from_one_that_is_shown():
    told = [gates.membership(Gate("membership", AUC), Evidence(membership=Measure(0.6, low, 0.65))).evidence for low in (0.55, 0.551)]

    assert ["Not enough data" in each for each in told] == [True, False]


def test_nothing_known_fails_every_gate_of_the_standard_policy():
    found = gates.check(RULES, Evidence())

    assert [each.outcome.value for each in found] == ["failed"] * 7
    assert all(each.blocks for each in found)


def test_a_gate_that_does_not_block_still_fails():
    found = gates.CHECKS["card"](Gate("card", CARD | {"blocking": False}), Evidence())

    assert (found.outcome.value, found.blocks) == ("failed", False)


def test_a_first_version_has_nothing_to_compare_with():
    assert gates.CHECKS["live"](Gate("live", LIVE_POINT), Evidence(live=Live())).evidence == "First version, nothing to compare."


@pytest.mark.parametrize(
    ("gate", "limits", "evidence", "value", "threshold"),
    [
        ("quality", LOW, measured(0.9, 0.79996, 0.95), "0.79996", "≥ 0.80000"),
        ("calibration", ECE, measured(0.0504, 0.04, 0.06, name="ece_debiased"), "0.0504", "≤ 0.0500"),
        ("live", LIVE_LOW, against(0.0, -0.0104, 0.01), "−0.0104", "≥ −0.0100"),
        ("membership", AUC, Evidence(membership=Measure(0.52, 0.5, 0.5504)), "0.5504", "≤ 0.5500"),
    ],
)
def test_a_figure_that_failed_does_not_read_as_its_threshold(gate, limits, evidence, value, threshold):
    found = gates.CHECKS[gate](Gate(gate, limits), evidence)

    assert (found.outcome, found.value, found.threshold) == ("failed", value, threshold)
    assert value in found.evidence
