"""Each entry of a policy: the last value that is accepted, and the first that isn't."""

from __future__ import annotations

from copy import deepcopy

import pytest
import yaml

from lifecycle.runtime.engine.perturb import PROBES
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import fairness
from registry.ground.access.roles import Role
from registry.policies import rules
from registry.policies.gates import limits
from registry.policies.rules import Rules

STEP = {"name": "technical", "title": "Technical review", "role": "lead"}
POLICY = {
    "format": 1,
    "name": "standard",
    "title": "Standard",
    "gates": {
        "quality": {"metric": "macro_f1", "bound": "low", "at_least": 0.7},
        "live": {"metric": "macro_f1", "bound": "point", "at_most_worse": 0.02},
        "calibration": {"metric": "ece", "at_most": 0.1},
        "limits": {"metrics": {"accuracy": 0.8, "log_loss": 0.9}},
        "robustness": {"at_most": 0.1},
        "fairness": {"metadata": "gender", "at_most": 0.1},
        "forgetting": {"at_most_lost": 0.02},
        "membership": {"at_most": 0.6},
        "verbatim": {"at_most": 0.02},
        "size": {"at_most_mb": 500},
        "latency": {"at_most_ms": 200},
        "cost": {"at_most_per_million": 0.05},
        "leakage": {},
        "labels": {},
        "signature": {},
        "card": {"fields": ["purpose", "limits"]},
    },
    "steps": [STEP],
    "days_to_decide": 14,
    "days_valid": 7,
}
LEFT_OUT = object()
INFINITE, HUGE = float("inf"), 10**400


def read(at: str = "", value: object = None) -> Rules:
    """The policy above with one entry replaced, added or left out. at: its keys, with dots."""
    policy = deepcopy(POLICY)
    *way, last = at.split(".")
    inner = policy
    for key in way:
        inner = inner[int(key) if isinstance(inner, list) else key]
    if value is LEFT_OUT:
        del inner[last]
    elif at:
        inner[last] = value
    return rules.read(yaml.safe_dump(policy, sort_keys=False, allow_unicode=True))


def refusal(at: str, value: object) -> str:
    """The sentence about the entry that a policy is refused for."""
    with pytest.raises(Refused) as refused:
        read(at, value)
    (sentence,) = refused.value.fields["text"]
    return sentence


@pytest.mark.parametrize(
    ("at", "accepted", "wrong"),
    [
        ("format", [1], [0, 2, "one"]),
        ("name", ["a", "a-b_1", "a" * 40], ["", "a" * 41, "a b", "a.b", "ä", 1, None, ["a"]]),
        ("title", ["a", "Ä b.", "a" * 120], ["", " ", "a" * 121, "a\nb", 1, None]),
        ("days_to_decide", [1, 365], [0, 366, True, 1.0, "7", None]),
        ("days_valid", [1, 365], [0, 366, True, 1.0, "7", None]),
        ("gates.quality.metric", ["macro_f1", "accuracy"], ["ece", "other", None]),
        ("gates.live.metric", ["macro_f1", "accuracy"], ["ece", "other", None]),
        ("gates.calibration.metric", ["ece"], ["macro_f1", "other", None]),
        ("gates.quality.bound", ["low", "point"], ["high", "", None]),
        ("gates.live.bound", ["low", "point"], ["high", "", None]),
        ("gates.quality.at_least", [0, 1, 0.5], [-0.01, 1.01, -1, 2, True, False, "0.5", None]),
        ("gates.live.at_most_worse", [0, 1, 0.5], [-0.01, 1.01, -1, 2, True, False, "0.5", None]),
        ("gates.calibration.at_most", [0, 1, 0.5], [-0.01, 1.01, -1, 2, True, False, "0.5", None]),
        ("gates.membership.at_most", [0, 1, 0.5], [-0.01, 1.01, -1, 2, True, False, "0.5", None]),
        ("gates.quality.at_least_rows", [1, 1_000_000], [0, 1_000_001, -1, True, 9.5, "9", None]),
        (
            "gates.limits.metrics",
            [{"accuracy": 0}, {"accuracy": 1, "refusals": 0.1}, {"perplexity": 0}, {"chrf": 55.5}],
            [{}, None, ["accuracy"], 0.5, {"validation_loss": 1}, {"other": 1}],
        ),
        ("gates.limits.metrics.accuracy", [0, 1, 0.5], [-0.01, 1.01, True, "0.5", None]),
        ("gates.limits.metrics.log_loss", [0, 1.5, 1e6], [-0.01, True, "0.5", None, INFINITE]),
        ("gates.robustness.at_most", [0, 1, 0.5], [-0.01, 1.01, True, "0.5", None]),
        (
            "gates.robustness.perturbations",
            [["typos"], ["typos", "lower", "upper", "half", "sentence", "edges"]],
            [[], "typos", ["other"], ["typos", 1], None],
        ),
        ("gates.forgetting.at_most_lost", [0, 0.5, 1e9], [-1, True, "9", None, INFINITE]),
        ("gates.fairness.at_most", [0, 1, 0.5], [-0.01, 1.01, True, "0.5", None]),
        ("gates.fairness.metadata", ["a", "Ä b.", "a" * 60], ["", " ", "a" * 61, "a" * 121, "a\nb", 1, None]),
        ("gates.fairness.label", ["a", "Ä b.", "a" * 120], ["", " ", "a" * 121, 1, None]),
        ("gates.verbatim.at_most", [0, 1, 0.5], [-0.01, 1.01, True, "0.5", None]),
        ("gates.size.at_most_mb", [0, 0.5, 1e9], [-1, True, "9", None, INFINITE, HUGE]),
        ("gates.latency.at_most_ms", [0, 0.5, 1e9], [-1, True, "9", None, INFINITE]),
        ("gates.latency.clients", [1, 32], [0, 33, True, 1.0, "9", None]),
        ("gates.cost.at_most_per_million", [0, 0.5, 1e9], [-1, True, "9", None, INFINITE]),
        (
            "gates.card.fields",
            [["purpose"], ["purpose", "limits", "risks", "owner"]],
            [[], "purpose", {"purpose": 1}, ["purpose", "name"], None],
        ),
        ("gates.labels.blocking", [True, False], [0, 1, "false", None]),
        ("steps.0.name", ["a-b_1", "a" * 40], ["", "a" * 41, "a b", 1]),
        ("steps.0.title", ["a" * 120], ["", " ", "a" * 121, "a\nb", 1]),
        (
            "steps.0.role",
            ["lead", "governance"],
            [*sorted({*Role.values} - {"lead", "governance"}), "king", None],
        ),
    ],
)
def test_an_entry_is_accepted_up_to_its_limit_and_refused_by_its_name_beyond(at, accepted, wrong):
    for value in accepted:
        found = read(at, value)
        assert isinstance(found, Rules), value
    assert {refusal(at, value).split(" must ")[0].lower() for value in wrong} == {at}


@pytest.mark.parametrize("gate", ["leakage", "signature"])
def test_a_gate_that_every_policy_needs_is_there_and_blocks(gate):
    assert read(f"gates.{gate}.blocking", True).gates[gate] == {"blocking": True}
    assert refusal(f"gates.{gate}.blocking", False).startswith(f"gates.{gate}.blocking must be true")
    assert refusal(f"gates.{gate}", LEFT_OUT).startswith(f"gates must include {gate}")


@pytest.mark.parametrize("gate", sorted({*POLICY["gates"]} - {"leakage", "signature"}))
def test_any_other_gate_may_be_left_out_or_only_inform(gate):
    assert gate not in read(f"gates.{gate}", LEFT_OUT).gates
    assert read(f"gates.{gate}.blocking", False).gates[gate]["blocking"] is False


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        ("gates", {}, "gates must list gates"),
        ("gates", ["leakage"], "gates must list gates"),
        ("gates.other", {}, "gates.other isn't a known gate"),
        ("gates.quality", [], "gates.quality must be a mapping"),
        ("gates.labels.at_most", 0.1, "gates.labels: at_most isn't a known key"),
        ("gates.labels", 0, "gates.labels must be a mapping"),
        ("gates.live.at_least_rows", 30, "gates.live: at_least_rows isn't a known key"),
        ("gates.quality", None, "gates.quality: metric is missing"),
        (
            "gates.fairness.measure",
            "equalized_odds_difference",
            "gates.fairness: measure is of a label, which is missing",
        ),
        ("steps", [], "steps must list at least one step"),
        ("steps", STEP, "steps must list at least one step"),
        ("steps", [STEP, STEP], "steps must have different names"),
        ("steps", [STEP, STEP | {"name": "b"}, STEP], "steps must have different names"),
        ("steps", ["technical"], "steps.0 must be a mapping"),
        ("steps.0.more", 1, "steps.0: more isn't a known key"),
        ("steps.0.role", LEFT_OUT, "steps.0: role is missing"),
        ("more", 1, "The policy: more isn't a known key"),
        ("days_valid", LEFT_OUT, "The policy: days_valid is missing"),
    ],
)
def test_what_is_unknown_missing_or_of_another_kind_is_refused_by_its_name(at, value, words):
    assert refusal(at, value).startswith(words)


def test_a_gate_without_settings_may_be_left_empty():
    assert read("gates.labels", None).gates["labels"] == {}


def test_what_is_read_is_what_the_text_states_in_its_order():
    second = {"name": "last", "title": "Last look", "role": "governance"}
    found = read("steps", [STEP, second])

    assert (found.name, found.title, found.days_to_decide, found.days_valid) == (
        "standard",
        "Standard",
        14,
        7,
    )
    assert list(found.gates.items()) == list(POLICY["gates"].items())
    assert [(step.name, step.title, step.role) for step in found.steps] == [
        ("technical", "Technical review", Role.LEAD),
        ("last", "Last look", Role.GOVERNANCE),
    ]
    assert (found.step("last"), found.step("none")) == (found.steps[1], None)


def test_a_text_is_read_up_to_its_greatest_length():
    text = yaml.safe_dump(POLICY)
    longest = text + "#" * (rules.MAX_BYTES - len(text))

    assert rules.read(longest) == rules.read(text)
    with pytest.raises(Refused):
        rules.read(longest + "#")


def test_a_key_that_is_given_twice_is_refused_with_its_line_wherever_it_is():
    for text, line in (
        ("format: 1\nformat: 1", 1),
        ("a:\n  b: {c: 1, c: 2}", 2),
        ("? [1]\n: 1\n? [1]\n: 2", 1),
    ):
        with pytest.raises(Refused) as refused:
            rules.read(text)
        assert f"line {line}" in refused.value.fields["text"][0]


def test_a_text_that_cannot_be_read_is_refused_with_its_line_where_there_is_one():
    with pytest.raises(Refused, match=r"isn't valid YAML: .+, line 2\."):
        rules.read("format: 1\n\ttitle: a")
    with pytest.raises(Refused):
        rules.read("a: 2026-13-45")  # a date that there isn't: an error without a place


def test_a_fairness_gate_names_a_measure_of_its_label():
    for measure in fairness.gaps([]):
        at = {"metadata": "gender", "at_most": 0.1, "label": "approve", "measure": measure}
        assert read("gates.fairness", at).gates["fairness"] == at
        del at["label"]
        assert read("gates.fairness.tasks", {"spans": None}).gates["fairness"]["tasks"] == {"spans": None}
        assert "measure" in refusal("gates.fairness", at)
    assert {*rules.FAIRNESS} == {*fairness.gaps([])} == {*limits.OF_LABELS}


def test_a_robustness_gate_names_every_perturbation_that_the_engine_makes():
    assert tuple(PROBES) == rules.PERTURBATIONS


def test_the_metrics_of_a_quality_gate_are_shares_of_which_more_is_better():
    assert {"macro_f1", "accuracy", "pair_accuracy"} <= {*rules.QUALITY_METRICS}
    assert {"hamming_loss", "ece", "brier", "perplexity", "bleu"}.isdisjoint(rules.QUALITY_METRICS)
    assert (rules.CALIBRATION_METRICS, rules.APPROVERS) == (("ece",), ["lead", "governance"])
