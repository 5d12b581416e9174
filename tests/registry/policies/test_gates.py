"""Each gate: evidence in, finding out. A gate that can't run counts as failed."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.statistics import comparisons, intervals, metrics
from registry.policies import queries, rules
from registry.policies.gates import checking, scores
from registry.policies.gates.evidence import Evidence, Live, Measure
from registry.policies.gates.finding import Gate, Outcome

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


def all_right(rows, groups=None):
    return Evidence(
        rows=rows, groups=groups, metrics={"macro_f1": Measure(1.0, *intervals.wilson(rows, rows))}
    )


def against(value, low, high, rows=2_000, clusters=None):
    return Evidence(
        live=Live(
            "1.0.0",
            {"macro_f1": Measure(value, low, high)},
            rows,
            source="l" * 64,
            clusters=clusters,
            effective_clusters=clusters,
        )
    )


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
    ("quality", LOW | {"at_least": 0.7}, all_right(9), "failed", "0.701"),
    ("quality", LOW | {"at_least": 0.7}, all_right(29), "failed", "0.883"),
    ("quality", LOW | {"at_least": 0.7}, all_right(30), "passed", "0.886"),
    ("quality", LOW | {"at_least": 0.7}, all_right(200, groups=29), "failed", "0.981"),
    ("quality", LOW | {"at_least": 0.7}, all_right(200, groups=30), "passed", "0.981"),
    ("quality", POINT | {"at_least_rows": 31}, all_right(30), "failed", "1.000"),
    ("quality", LOW | {"at_least": 0.7, "at_least_rows": 9}, all_right(9), "passed", "0.701"),
    ("live", LIVE_POINT, Evidence(live=Live()), "passed", "first version"),
    ("live", LIVE_POINT, Evidence(), "failed", ""),
    ("live", LIVE_POINT, Evidence(live=Live("1.0.0", problem="It was not evaluated.")), "failed", ""),
    ("live", LIVE_POINT, against(0.02, 0.01, 0.03), "passed", "+0.020"),
    ("live", LIVE_POINT, against(-0.005, -0.03, 0.02), "watch", "\u22120.005"),
    ("live", LIVE_POINT, against(-0.011, -0.02, 0.0), "failed", "\u22120.011"),
    ("live", LIVE_LOW, against(-0.005, -0.03, 0.02), "failed", "\u22120.030"),
    ("live", LIVE_LOW, against(0.005, -0.009, 0.019), "passed", "\u22120.009"),
    ("live", LIVE_LOW, against(0.0, 0.0, 0.0, rows=381), "passed", "\u22120.00999"),
    ("live", LIVE_LOW, against(0.0, 0.0, 0.0, rows=380), "failed", "\u22120.010004"),
    ("live", LIVE_POINT, against(0.0, 0.0, 0.0, rows=380), "watch", "0.000"),
    ("live", LIVE_LOW | {"at_most_worse": 0}, against(0.02, 0.001, 0.039), "passed", "+0.001"),
    ("live", LIVE_LOW | {"at_most_worse": 0}, against(0.02, -0.001, 0.04), "failed", "\u22120.001"),
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
    found = checking.CHECKS[name](Gate(name, given), evidence)

    assert (found.gate, found.outcome.value, found.value, found.blocking) == (name, outcome, value, True)
    assert found.evidence.endswith(".")


def test_a_split_that_is_too_small_is_distinguished_from_a_score_that_is_too_low():
    few, low = all_right(29), measured(0.75, 0.6, 0.85)

    assert [
        "Not enough data" in scores.quality(Gate("quality", LOW), each).evidence for each in (few, low)
    ] == [True, False]


def test_a_calibration_error_that_chance_may_explain_is_distinguished_from_one_that_is_shown():
    texts = [
        scores.calibration(Gate("calibration", ECE), measured(0.08, low, 0.1, name="ece_debiased")).evidence
        for low in (0.05, 0.051)
    ]

    assert ["Not enough data" in each for each in texts] == [True, False]


def test_a_leak_that_is_neither_shown_nor_ruled_out_is_distinguished_from_one_that_is_shown():
    texts = [
        scores.membership(Gate("membership", AUC), Evidence(membership=Measure(0.6, low, 0.65))).evidence
        for low in (0.55, 0.551)
    ]

    assert ["Not enough data" in each for each in texts] == [True, False]


@pytest.mark.parametrize(
    ("found", "ending"),
    [
        ((-0.04, -0.06, -0.011), "Shown to be worse than 1.0.0 by more than 0.010."),
        (
            (-0.04, -0.06, -0.010),
            "Not enough data: whether it is worse by more than 0.010 is neither shown nor ruled out.",
        ),
        (
            (0.0, -0.02, 0.02),
            (
                "is neither shown nor ruled out. If the difference stays the same, about 17,000 test rows"
                " would rule it out."
            ),
        ),
        (
            (0.0, 0.0, 0.0, 300),
            (
                "is neither shown nor ruled out. If the difference stays the same, about 390 test rows would"
                " rule it out."
            ),
        ),
        (
            (0.0, 0.0, 0.0, 600, 120),
            (
                "is neither shown nor ruled out. If the difference stays the same, about 2,000 test rows"
                " would rule it out."
            ),
        ),
    ],
)
def test_a_version_that_is_shown_to_be_worse_is_distinguished_from_one_of_which_too_little_is_known(
    found, ending
):
    assert scores.live(Gate("live", LIVE_LOW), against(*found)).evidence.endswith(ending)


def test_a_version_two_points_worse_hardly_ever_passes_and_an_equal_one_usually_does():
    """By the standard policy, of 100 pairs of which 4 rows in 100 turned. The value at a margin of one point
    passed 25 and 9.
    """
    for rows, equal in ((200, 0.2), (900, 0.8)):
        passed = {worse: passed_live(rows, worse, turned=0.04) for worse in (0.02, 0.0)}

        assert (passed[0.02] <= 0.05, passed[0.0] >= equal) == (True, True), passed


def macro_f1(truth, *probabilities, count, seed=1):
    """The paired difference of the second from the first."""
    one, two = (metrics.score_rows(each, truth) for each in probabilities)
    return comparisons.paired_rows(one, two, ("macro_f1",), labels=None, count=count, seed=seed)["macro_f1"]


def passed_live(rows, worse, turned):
    """The share of 150 pairs that passes. worse: broken rows less fixed ones, of all; turned: broken and
    fixed.
    """
    random, labels, kept = np.random.default_rng(14), 4, []
    for _ in range(150):
        truth, kind = random.integers(labels, size=rows), random.random(rows)
        broken, both = kind < (turned + worse) / 2, kind > 0.1 + turned
        fixed = ~broken & (kind < turned)
        answers = [np.where(both | right, truth, (truth + 1) % labels) for right in (broken, fixed)]
        found = macro_f1(truth, *(np.eye(labels)[each] for each in answers), count=200)
        finding = scores.live(
            Gate("live", RULES.gates["live"]), against(found["difference"], found["low"], found["high"], rows)
        )
        kept.append(finding.outcome is Outcome.PASSED)
    return np.mean(kept)


def test_near_duplicates_count_as_one_row_of_the_score_test():
    """Two versions that answer alike, at a margin of 2 points: 189 independent rows rule it out, 600 rows in
    120 groups do not.
    """
    gate = Gate("live", LIVE_LOW | {"at_most_worse": 0.02})
    found = [
        scores.live(gate, against(0.0, 0.0, 0.0, 600, clusters)) for clusters in (None, 600, 189, 188, 120)
    ]

    assert [each.outcome.value for each in found] == ["passed", "passed", "passed", "failed", "failed"]
    assert "600 test rows in 120 groups of near duplicates, paired." in found[-1].evidence


def test_macro_f1_counts_as_if_every_label_had_as_few_rows_as_the_rarest():
    """Two versions that answer alike, at a margin of 2 points: of 1,000 rows of four labels 189 count from 48
    rows of the rarest on.
    """
    gate, by_rows = (
        Gate("live", LIVE_LOW | {"at_most_worse": 0.02}),
        Gate("live", LIVE_LOW | {"metric": "accuracy", "at_most_worse": 0.02}),
    )
    alike = {name: Measure(0.0, 0.0, 0.0) for name in ("macro_f1", "accuracy")}

    def found(which, rarest):
        return scores.live(which, Evidence(live=Live("1.0.0", alike, 1_000, labels=4, rarest=rarest)))

    assert [found(gate, rarest).outcome.value for rarest in (250, 48, 47, 1)] == [
        "passed",
        "passed",
        "failed",
        "failed",
    ]
    assert found(by_rows, 1).outcome.value == "passed"
    finding = found(gate, 40).evidence
    assert "All 4 labels count equally, and the rarest has 40 test rows." in finding
    assert finding.endswith("about 1,200 test rows would rule it out.")


def test_a_version_that_loses_two_points_by_its_rarest_label_hardly_ever_passes():
    """400 rows, 40 of the rarer of two labels, of which it loses 8 in 100: 4 points of its F1, 2 of the mean.
    As rows 7 in 100 passed.
    """
    random, passed = np.random.default_rng(1), {True: 0, False: 0}
    for seed in range(150):
        truth = (random.random(400) < 0.1).astype(int)
        live = np.where(random.random(400) < 0.9, truth, 1 - truth)
        new = np.where((truth == 1) & (random.random(400) < 0.083), 0, live)
        one_hot = [np.eye(2)[each] for each in (live, new)]
        found = macro_f1(truth, *one_hot, count=100, seed=seed)
        differences = {"macro_f1": Measure(found["difference"], found["low"], found["high"])}
        for known in passed:
            counts = {"labels": 2, "rarest": int(truth.sum())} if known else {}
            finding = scores.live(
                Gate("live", RULES.gates["live"]), Evidence(live=Live("1.0.0", differences, 400, **counts))
            )
            passed[known] += finding.outcome is Outcome.PASSED

    assert passed[True] <= 4 < 8 <= passed[False]


def test_nothing_known_fails_every_gate_of_the_standard_policy():
    found = checking.check(RULES, Evidence())

    assert [each.outcome.value for each in found] == ["failed"] * 7
    assert all(each.blocks for each in found)


def test_a_gate_that_does_not_block_still_fails():
    found = checking.CHECKS["card"](Gate("card", CARD | {"blocking": False}), Evidence())

    assert (found.outcome.value, found.blocks) == ("failed", False)


def test_a_first_version_has_nothing_to_compare_with():
    assert (
        checking.CHECKS["live"](Gate("live", LIVE_POINT), Evidence(live=Live())).evidence
        == "First version, nothing to compare."
    )


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
    found = checking.CHECKS[gate](Gate(gate, limits), evidence)

    assert (found.outcome, found.value, found.threshold) == ("failed", value, threshold)
    assert value in found.evidence
