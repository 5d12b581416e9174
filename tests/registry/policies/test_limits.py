"""Gates that hold figures within limits, by the worse end of their intervals."""

from __future__ import annotations

import pytest

from lifecycle.runtime.statistics.intervals import Interval
from registry.policies.gates import checking
from registry.policies.gates.evidence import Evidence, Fairness, Forgetting, LoadTest, Measure, Robustness
from registry.policies.gates.finding import Gate, Outcome
from registry.promotions.evidence import price

TEXTS = {"perplexity": 20, "groundedness": 0.8, "refusals": 0.05}
GOOD = {
    "perplexity": Measure(18.0, 17.0, 20.0),
    "groundedness": Measure(0.9, 0.8, 0.95),
    "refusals": Measure(0.01, 0.0, 0.05),
}


def found(gate, evidence, **settings):
    return checking.CHECKS[gate](Gate(gate, settings), evidence)


def texts(**changed):
    metrics = {name: each for name, each in (GOOD | changed).items() if each}
    return Evidence(task="generation", rows=100, metrics=metrics, evaluation="e" * 64)


@pytest.mark.parametrize(
    ("changed", "outcome", "value"),
    [
        ({}, Outcome.PASSED, "3 of 3"),
        ({"perplexity": Measure(18.0, 17.0, 20.01)}, Outcome.FAILED, "2 of 3"),
        ({"perplexity": Measure(30.0, 29.0, 31.0)}, Outcome.FAILED, "2 of 3"),
        ({"groundedness": Measure(0.9, 0.799, 0.95)}, Outcome.FAILED, "2 of 3"),
        ({"refusals": Measure(0.0, 0.0, 0.06), "perplexity": None}, Outcome.FAILED, "1 of 3"),
        ({"refusals": Measure(0.0)}, Outcome.FAILED, "2 of 3"),
    ],
)
def test_each_metric_is_held_to_its_limit_by_the_worse_end_of_its_interval(changed, outcome, value):
    finding = found("limits", texts(**changed), metrics=TEXTS)

    assert (finding.outcome, finding.value, finding.threshold) == (outcome, value, "3 of 3")
    assert (finding.blocks, finding.source) == (outcome is Outcome.FAILED, "e" * 64)


def test_too_little_data_is_told_from_a_metric_shown_to_be_beyond_its_limit():
    unsure, shown = (
        found("limits", texts(perplexity=Measure(*ends)), metrics={"perplexity": 20}).evidence
        for ends in ((19.0, 17.0, 21.0), (30.0, 29.0, 31.0))
    )

    assert ("Not enough data" in unsure, "Not enough data" in shown) == (True, False)


def test_what_failed_comes_first_where_the_sentences_are_cut():
    finding = found("limits", texts(refusals=Measure(0.2, 0.1, 0.3)), metrics=TEXTS)

    assert finding.evidence.startswith("Refusals 0.200 [0.100, 0.300], at most 0.050.")


def test_metrics_that_a_task_does_not_have_are_not_asked_of_it():
    evidence = Evidence(task="ranking", metrics={"ndcg": Measure(0.9, 0.85, 0.95)})

    assert found("limits", evidence, metrics=TEXTS).value == "not applied"
    assert found("limits", evidence, metrics=TEXTS | {"ndcg": 0.86}).value == "0 of 1"


def robust(**losses):
    return Evidence(robustness=Robustness("accuracy", losses, "r" * 64))


@pytest.mark.parametrize(
    ("evidence", "given", "outcome", "value"),
    [
        (Evidence(), {}, Outcome.FAILED, ""),
        (robust(typos=Measure(0.02, 0.0, 0.1)), {}, Outcome.PASSED, "0.100"),
        (robust(typos=Measure(0.02, 0.0, 0.101)), {}, Outcome.FAILED, "0.101"),
        (robust(typos=Measure(-0.02, -0.05, -0.01)), {}, Outcome.PASSED, "\u22120.010"),
        (
            robust(typos=Measure(0.0, 0.0, 0.01), half=Measure(0.3, 0.2, 0.4)),
            {},
            Outcome.FAILED,
            "0.400",
        ),
        (
            robust(typos=Measure(0.0, 0.0, 0.01), half=Measure(0.3, 0.2, 0.4)),
            {"perturbations": ["typos"]},
            Outcome.PASSED,
            "0.010",
        ),
        (robust(typos=Measure(0.0, 0.0, 0.01)), {"perturbations": ["typos", "half"]}, Outcome.FAILED, ""),
        (robust(typos=Measure(0.0, 0.0, 0.01), half=None), {}, Outcome.FAILED, ""),
    ],
)
def test_no_perturbation_costs_more_than_the_limit(evidence, given, outcome, value):
    finding = found("robustness", evidence, at_most=0.1, **given)

    assert (finding.outcome, finding.value) == (outcome, value)
    assert finding.source == ("r" * 64 if value else "")


@pytest.mark.parametrize(
    ("fairness", "outcome", "value"),
    [
        (None, Outcome.FAILED, ""),
        (Fairness(problem="no test row has gender in its metadata"), Outcome.FAILED, ""),
        (Fairness("accuracy", left_out=3), Outcome.FAILED, ""),
        (Fairness("accuracy", {"f": Measure(0.01, -0.05, 0.1)}), Outcome.PASSED, "0.100"),
        (Fairness("accuracy", {"f": Measure(0.01, -0.05, 0.11)}), Outcome.FAILED, "0.110"),
        (
            Fairness("accuracy", {"f": Measure(0.2, 0.15, 0.25), "m": Measure(-0.2, -0.25, -0.15)}),
            Outcome.FAILED,
            "0.250",
        ),
        (
            Fairness("equalized_odds_difference", {"f and m": Measure(0.0, 0.0, 0.08)}),
            Outcome.PASSED,
            "0.080",
        ),
    ],
)
def test_no_slice_is_worse_than_the_rest_by_more_than_the_limit(fairness, outcome, value):
    finding = found("fairness", Evidence(fairness=fairness), metadata="gender", at_most=0.1)

    assert (finding.outcome, finding.value) == (outcome, value)


def test_slices_that_are_left_out_are_counted_in_the_evidence():
    fairness = Fairness("accuracy", {"f": Measure(0.01, -0.05, 0.1)}, left_out=2)
    finding = found("fairness", Evidence(fairness=fairness), metadata="gender", at_most=0.1)

    assert finding.evidence.endswith(" 2 slices with too few rows left out.")


@pytest.mark.parametrize(
    ("forgetting", "outcome", "value"),
    [
        (None, Outcome.PASSED, "not applied"),
        (Forgetting("run 1"), Outcome.FAILED, ""),
        (Forgetting("run 1", "macro_f1", Measure(0.01, -0.01, 0.02), 200, "r" * 64), Outcome.PASSED, "0.020"),
        (Forgetting("run 1", "macro_f1", Measure(0.01, -0.01, 0.03), 200, "r" * 64), Outcome.FAILED, "0.030"),
        (
            Forgetting("run 1", "macro_f1", Measure(-0.1, -0.2, -0.05), 200, "r" * 64),
            Outcome.PASSED,
            "\u22120.050",
        ),
    ],
)
def test_what_a_continued_model_forgot_is_judged_by_its_upper_end(forgetting, outcome, value):
    finding = found("forgetting", Evidence(forgetting=forgetting), at_most_lost=0.02)

    assert (finding.outcome, finding.value) == (outcome, value)


@pytest.mark.parametrize(
    ("task", "copied", "outcome", "value"),
    [
        ("generation", Measure(0.0, 0.0, 0.02), Outcome.PASSED, "0.020"),
        ("generation", Measure(0.0, 0.0, 0.021), Outcome.FAILED, "0.021"),
        ("generation", None, Outcome.FAILED, ""),
        ("spans", None, Outcome.PASSED, "not applied"),
    ],
)
def test_responses_copied_from_training_data_are_few(task, copied, outcome, value):
    finding = found("verbatim", Evidence(task=task, copied=copied), at_most=0.02)

    assert (finding.outcome, finding.value) == (outcome, value)


@pytest.mark.parametrize(
    ("size", "outcome", "value"),
    [
        (None, Outcome.FAILED, ""),
        (1_500_000, Outcome.PASSED, "1.5 MB"),
        (1_500_001, Outcome.FAILED, "1.500001 MB"),
    ],
)
def test_files_are_no_larger_than_the_limit(size, outcome, value):
    finding = found("size", Evidence(bytes=size, files=2, root="f" * 64), at_most_mb=1.5)

    assert (finding.outcome, finding.value, finding.threshold) == (outcome, value, "≤ 1.5 MB")


def loaded(**changed):
    measured = {"requests": 200, "texts": 100, "clients": 4, "currency": "EUR"}
    measured |= {"p95": Measure(80.0, 70.0, 100.0), "cost": Measure(0.4, 0.3, 0.5)}
    return Evidence(load=LoadTest(**(measured | changed)), root="f" * 64)


@pytest.mark.parametrize(
    ("gate", "limit", "evidence", "outcome", "value"),
    [
        ("latency", 100, loaded(), Outcome.PASSED, "100.0 ms"),
        ("latency", 99.99, loaded(), Outcome.FAILED, "100.00 ms"),
        ("latency", 100, loaded(failed=1), Outcome.FAILED, "100.0 ms"),
        ("latency", 100, loaded(p95=None), Outcome.FAILED, ""),
        ("latency", 100, loaded(problem="The files are gone"), Outcome.FAILED, ""),
        ("latency", 100, Evidence(), Outcome.FAILED, ""),
        ("cost", 0.5, loaded(), Outcome.PASSED, "0.500 EUR"),
        ("cost", 0.4999, loaded(), Outcome.FAILED, "0.5000 EUR"),
        ("cost", 1, loaded(failed=1), Outcome.FAILED, "0.500 EUR"),
        ("cost", 1, loaded(cost=None, currency=""), Outcome.FAILED, ""),
        ("cost", 1, loaded(cost=None), Outcome.FAILED, ""),
        ("cost", 1, Evidence(), Outcome.FAILED, ""),
    ],
)
def test_a_load_test_is_judged_by_its_upper_end_and_by_failures(gate, limit, evidence, outcome, value):
    setting = {"latency": "at_most_ms", "cost": "at_most_per_million"}[gate]
    finding = found(gate, evidence, **{setting: limit})

    assert (finding.outcome, finding.value) == (outcome, value)
    assert finding.source == ("f" * 64 if value else "")


def test_the_price_of_a_million_requests_is_that_of_their_cpu_time(settings):
    settings.PRICE_PER_CORE_HOUR = 0.36

    found = price(Interval(4.0, 3.0, 5.0))  # ms each: 4,000 s of a million

    assert [round(each, 9) for each in (found.value, found.low, found.high)] == [0.4, 0.3, 0.5]
