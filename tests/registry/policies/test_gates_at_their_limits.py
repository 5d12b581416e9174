"""What each gate does exactly at its limit, with a part of its evidence missing, and where its figures come
from.
"""

from __future__ import annotations

import pytest

from registry.policies.gates.checking import CHECKS
from registry.policies.gates.evidence import Evidence, Live, Measure
from registry.policies.gates.finding import Finding, Gate, Outcome, with_interval
from registry.policies.gates.scores import rounded

SOURCE = {
    "evaluation": "e" * 64,
    "snapshot": "s" * 64,
    "analysis": "a" * 64,
    "card": "c" * 64,
    "key": "k" * 64,
}
QUALITY = {"metric": "macro_f1", "bound": "point", "at_least": 0.8}
LOW = QUALITY | {"bound": "low"}
LIVE = {"metric": "macro_f1", "bound": "point", "at_most_worse": 0.01}
LIVE_LOW = LIVE | {"bound": "low"}
ECE = {"metric": "ece", "at_most": 0.05}
AUC = {"at_most": 0.55}
CARD = {"fields": ["purpose", "limits"]}


def score(*measure: float | None, name: str = "macro_f1", rows: int | None = 100, **more) -> Evidence:
    return Evidence(rows=rows, metrics={name: Measure(*measure)}, **SOURCE, **more)


def error(*measure: float | None, rows: int | None = 100) -> Evidence:
    return score(*measure, name="ece_debiased", rows=rows)


def compared(*measure: float | None, metric: str = "macro_f1", rows: int = 2_000, **more) -> Evidence:
    return Evidence(live=Live("1.0.0", {metric: Measure(*measure)}, rows, source="l" * 64, **more))


def attack(*measure: float | None) -> Evidence:
    return Evidence(membership=Measure(*measure), **SOURCE)


def found(name: str, limits: dict, evidence: Evidence) -> Finding:
    return CHECKS[name](Gate(name, limits), evidence)


# outcome, value, threshold, and the letter of the digest that it comes from
RAN = [
    ("quality", QUALITY, score(0.8), ("passed", "0.800", "≥ 0.800", "e")),
    ("quality", QUALITY, score(0.9, None, 0.95), ("passed", "0.900", "≥ 0.800", "e")),
    ("quality", QUALITY, score(0.9, 0.8, 0.95), ("passed", "0.900", "≥ 0.800", "e")),
    ("quality", LOW, score(0.9, 0.8, None), ("passed", "0.800", "≥ 0.800", "e")),
    ("quality", LOW, score(0.9, 0.79, 0.95), ("failed", "0.790", "≥ 0.800", "e")),
    ("quality", QUALITY, score(0.8, rows=30), ("passed", "0.800", "≥ 0.800", "e")),
    ("quality", QUALITY, score(0.8, rows=29), ("failed", "0.800", "≥ 0.800", "e")),
    ("quality", QUALITY, score(0.8, rows=100, groups=0), ("failed", "0.800", "≥ 0.800", "e")),
    ("live", LIVE, compared(-0.01), ("passed", "−0.010", "≥ −0.010", "l")),
    ("live", LIVE, compared(-0.02), ("failed", "−0.020", "≥ −0.010", "l")),
    ("live", LIVE, compared(0.0, None, 0.1), ("passed", "0.000", "≥ −0.010", "l")),
    ("live", LIVE, compared(0.0, -0.1, None), ("passed", "0.000", "≥ −0.010", "l")),
    ("live", LIVE, compared(-0.01, -0.02, 0.0), ("watch", "−0.010", "≥ −0.010", "l")),
    ("calibration", ECE, error(0.05), ("passed", "0.050", "≤ 0.050", "e")),
    ("calibration", ECE, error(0.05, 0.02, 0.05), ("passed", "0.050", "≤ 0.050", "e")),
    ("calibration", ECE, error(0.06), ("failed", "0.060", "≤ 0.050", "e")),
    ("membership", AUC, attack(0.5, 0.45, 0.55), ("passed", "0.550", "≤ 0.550", "a")),
    ("membership", AUC, attack(0.5, 0.45, 0.56), ("failed", "0.560", "≤ 0.550", "a")),
    ("leakage", {}, Evidence(leaked=0, **SOURCE), ("passed", "0", "0", "s")),
    ("leakage", {}, Evidence(leaked=1, **SOURCE), ("failed", "1", "0", "s")),
    ("labels", {}, Evidence(overruled=0, **SOURCE), ("passed", "0", "0", "s")),
    ("labels", {}, Evidence(overruled=1, **SOURCE), ("failed", "1", "0", "s")),
    ("signature", {}, Evidence(signature_problem="", **SOURCE), ("passed", "valid", "valid", "k")),
    ("signature", {}, Evidence(signature_problem="No.", **SOURCE), ("failed", "refused", "valid", "k")),
    ("card", CARD, Evidence(stated=frozenset(CARD["fields"]), **SOURCE), ("passed", "2 of 2", "2 of 2", "c")),
    ("card", CARD, Evidence(stated=frozenset({"risks"}), **SOURCE), ("failed", "0 of 2", "2 of 2", "c")),
]


@pytest.mark.parametrize(("name", "limits", "evidence", "expected"), RAN)
def test_a_gate_that_ran_gives_its_figure_its_threshold_and_where_it_comes_from(
    name, limits, evidence, expected
):
    finding = found(name, limits, evidence)

    assert (finding.outcome.value, finding.value, finding.threshold, finding.source[:1]) == expected
    assert (finding.gate, finding.blocks) == (name, expected[0] == "failed")
    assert not finding.evidence.startswith("Not run")


NOT_RUN = [
    ("quality", QUALITY, score(0.9, rows=None), "≥ 0.800"),
    ("quality", QUALITY, Evidence(rows=100), "≥ 0.800"),
    ("quality", QUALITY, score(0.9, name="accuracy"), "≥ 0.800"),
    ("quality", LOW, score(0.9, None, 0.95), "≥ 0.800"),
    ("live", LIVE, Evidence(), "≥ −0.010"),
    ("live", LIVE, compared(0.0, metric="accuracy"), "≥ −0.010"),
    ("live", LIVE_LOW, compared(0.0, None, 0.1), "≥ −0.010"),
    ("live", LIVE_LOW, compared(0.0, -0.001, None), "≥ −0.010"),
    ("calibration", ECE, error(0.01, rows=None), "≤ 0.050"),
    ("calibration", ECE, Evidence(rows=100), "≤ 0.050"),
    ("membership", AUC, attack(0.5, 0.45, None), "≤ 0.550"),
    ("membership", AUC, attack(0.5, None, 0.51), "≤ 0.550"),
    ("leakage", {}, Evidence(), "0"),
    ("labels", {}, Evidence(), "0"),
    ("signature", {}, Evidence(files=3, key="k"), ""),
    ("card", CARD, Evidence(card="c"), "2 of 2"),
]


@pytest.mark.parametrize(("name", "limits", "evidence", "threshold"), NOT_RUN)
def test_a_gate_without_all_of_its_evidence_did_not_run_and_failed(name, limits, evidence, threshold):
    finding = found(name, limits, evidence)

    assert (finding.outcome, finding.value, finding.threshold, finding.source) == (
        Outcome.FAILED,
        "",
        threshold,
        "",
    )
    assert (finding.blocks, finding.evidence.startswith("Not run")) == (True, True)


def test_why_there_is_no_comparison_is_what_the_live_version_says_or_that_there_is_none():
    texts = [
        found("live", LIVE, Evidence(live=Live("1.0.0", problem=problem))).evidence
        for problem in ("It was not evaluated.", "")
    ]

    assert texts == ["Not run: It was not evaluated.", "Not run: no paired comparison with 1.0.0."]


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_failed_and_blocks_keeps_a_request_from_review(outcome):
    blocks = [Finding("card", "Card", outcome, blocking, "Text.").blocks for blocking in (True, False)]

    assert blocks == [outcome is Outcome.FAILED, False]


@pytest.mark.parametrize(
    ("live", "macro_f1", "accuracy"),
    [
        (Live(rows=100), 100.0, 100.0),
        (Live(rows=100, effective_clusters=50.0), 50.0, 50.0),
        (Live(rows=100, labels=4, rarest=25), 100.0, 100.0),
        (Live(rows=100, labels=4, rarest=30), 100.0, 100.0),
        (Live(rows=100, labels=4, rarest=10), 40.0, 100.0),
        (Live(rows=100, labels=4, rarest=10, effective_clusters=50.0), 20.0, 50.0),
        (Live(rows=100, labels=4, rarest=0), 100.0, 100.0),
    ],
)
def test_rows_count_as_their_groups_and_for_macro_f1_by_the_rarest_label(live, macro_f1, accuracy):
    assert (live.independent("macro_f1"), live.independent("accuracy")) == (macro_f1, accuracy)


def test_groups_of_near_duplicates_are_mentioned_where_they_were_counted():
    assert [Live(rows=200, clusters=each).counted for each in (None, 40)] == [
        "200 test rows",
        "200 test rows in 40 groups of near duplicates",
    ]
    texts = [
        found("quality", QUALITY, score(0.9, rows=rows, groups=groups)).evidence
        for rows, groups in ((29, None), (29, 29), (200, 29))
    ]
    assert ["counting near duplicates once; there are 29" in text for text in texts] == [False, False, True]


@pytest.mark.parametrize(
    ("metric", "rarest", "mentioned"),
    [("macro_f1", 125, False), ("macro_f1", 124, True), ("accuracy", 1, False)],
)
def test_the_rarest_label_is_mentioned_where_it_more_than_halves_what_the_rows_count(
    metric, rarest, mentioned
):
    evidence = compared(0.0, -0.03, 0.03, metric=metric, rows=1_000, labels=4, rarest=rarest)
    finding = found("live", LIVE_LOW | {"metric": metric}, evidence)

    assert ("the rarest has" in finding.evidence) is mentioned


@pytest.mark.parametrize(
    ("measure", "worse", "rows", "needed"),
    [
        ((0.01, -0.03, 0.05), 0, 100, "3,300"),
        ((0.0, -0.03, 0.03), 0, 100, None),  # no number of rows tells two equal ones apart
        ((-0.01, -0.03, 0.01), 0.01, 2_000, None),
        ((-0.01, -0.03, 0.01), 0.01, 100, None),
        ((0.005, -0.0101, 0.02), 0.01, 2_000, "4,200"),
    ],
)
def test_how_many_rows_would_rule_it_out_is_said_where_more_rows_would(measure, worse, rows, needed):
    finding = found("live", LIVE_LOW | {"at_most_worse": worse}, compared(*measure, rows=rows))

    assert finding.outcome is Outcome.FAILED
    assert "Not enough data" in finding.evidence
    assert (f"about {needed} test rows" in finding.evidence) if needed else ("about" not in finding.evidence)


def test_the_lower_end_of_a_score_test_counts_where_it_is_lower_than_that_of_the_interval():
    wide, narrow = (
        found("live", LIVE_LOW | {"at_most_worse": 0.1}, compared(0.0, -end, end, rows=500))
        for end in (0.09, 0.0)
    )

    assert ("by a score test" in wide.evidence, wide.value) == (False, "−0.090")
    assert ("by a score test" in narrow.evidence, narrow.outcome) == (True, Outcome.PASSED)


@pytest.mark.parametrize(
    ("name", "limits", "evidence", "mentioned"),
    [
        ("calibration", ECE, error(0.06, 0.05, 0.07), True),
        ("calibration", ECE, error(0.06, 0.051, 0.07), False),
        ("calibration", ECE, error(0.06, None, 0.07), False),
        ("calibration", ECE, error(0.05, 0.04, 0.05), False),
        ("membership", AUC, attack(0.5, 0.55, 0.551), True),
        ("membership", AUC, attack(0.5, 0.551, 0.56), False),
        ("membership", AUC, attack(0.5, 0.5, 0.55), False),
    ],
)
def test_too_little_data_is_mentioned_where_the_interval_has_the_limit_inside(
    name, limits, evidence, mentioned
):
    assert ("Not enough data" in found(name, limits, evidence).evidence) is mentioned


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (Measure(0.9, 0.8, 0.95), "0.900 [0.800, 0.950]"),
        (Measure(0.9, None, 0.95), "0.900, interval not measured"),
        (Measure(0.9, 0.8, None), "0.900, interval not measured"),
    ],
)
def test_an_interval_is_shown_where_both_of_its_ends_are_known(measure, text):
    assert with_interval(measure) == text


def test_a_number_of_rows_is_rounded_up_to_two_digits():
    given = (1, 9, 10, 99, 100, 101, 110, 111, 999, 1_200, 1_201, 12_345)

    assert [rounded(number) for number in given] == [
        1,
        9,
        10,
        99,
        100,
        110,
        110,
        120,
        1_000,
        1_200,
        1_300,
        13_000,
    ]


@pytest.mark.parametrize(
    ("number", "words"), [(1, "1 row of the test split"), (2, "2 rows of the test split")]
)
def test_a_finding_counts_the_rows_that_are_wrong(number, words):
    assert found("leakage", {}, Evidence(leaked=number)).evidence.startswith(words)
    assert found("labels", {}, Evidence(overruled=number)).evidence.startswith(words)


def test_a_finding_names_the_fields_that_a_card_lacks():
    missing = found("card", CARD, Evidence(stated=frozenset({"purpose", "risks"})))
    complete = found("card", CARD, Evidence(stated=frozenset({"purpose", "limits", "risks"})))

    assert ("Missing: limits." in missing.evidence, missing.value) == (True, "1 of 2")
    assert ("Missing" in complete.evidence, complete.value) == (False, "2 of 2")


def test_a_finding_says_whether_the_value_counted_or_the_lower_end():
    by_value, by_end = (
        [found(name, limits, evidence) for name, limits, evidence in pairs]
        for pairs in (
            [("quality", QUALITY, score(0.9, 0.8, 0.95)), ("live", LIVE, compared(0.0, -0.005, 0.01))],
            [("quality", LOW, score(0.9, 0.8, 0.95)), ("live", LIVE_LOW, compared(0.0, -0.005, 0.01))],
        )
    )

    assert ["Lower bound" in each[0].title for each in (by_value, by_end)] == [False, True]
    assert ["The value counts" in each[1].evidence for each in (by_value, by_end)] == [True, False]
    assert "Not enough data" not in by_end[1].evidence


def test_a_lower_end_that_is_the_limit_passes_and_one_below_it_does_not():
    findings = [
        found("live", LIVE_LOW | {"at_most_worse": 0.5}, compared(0.0, low, 0.5, rows=20_000))
        for low in (-0.5, -0.501)
    ]

    assert [each.outcome for each in findings] == [Outcome.PASSED, Outcome.FAILED]
    assert ["Not enough data" in each.evidence for each in findings] == [False, True]
