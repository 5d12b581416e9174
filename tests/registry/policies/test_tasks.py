"""A policy may set a gate otherwise for a task, or not apply it there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.measures import MEASURES
from registry.policies import queries, rules
from registry.policies.gates import checking
from registry.policies.gates.evidence import Evidence, Measure
from registry.policies.gates.finding import Outcome

TEXT = Path(queries.STANDARD).read_text(encoding="utf-8")


def changed(gate, tasks):
    document = yaml.safe_load(TEXT)
    document["gates"]["limits"] = {"metrics": {"perplexity": 20}}
    document["gates"][gate] = (document["gates"][gate] or {}) | {"tasks": tasks}
    return yaml.safe_dump(document)


def found(gate, **known):
    """The finding of a gate of the standard policy."""
    return next(each for each in checking.check(rules.read(TEXT), Evidence(**known)) if each.gate == gate)


def test_settings_of_a_task_are_laid_over_the_general_ones():
    stated = rules.read(TEXT)

    assert stated.settings("quality", "single_label") == {
        "metric": "macro_f1",
        "bound": "low",
        "at_least": 0.7,
    }
    assert stated.settings("quality", "ranking") == {
        "metric": "pair_accuracy",
        "bound": "low",
        "at_least": 0.6,
    }
    assert stated.settings("calibration", "generation") is None
    assert stated.settings("membership", "ranking") is None


@pytest.mark.parametrize(
    "task", ["single_label", "multi_label", "spans", "preference", "ranking", "generation"]
)
def test_the_standard_policy_names_a_score_that_each_task_reports(task):
    stated, metrics = rules.read(TEXT), MEASURES[task].metrics

    for gate in ("quality", "live"):
        assert stated.settings(gate, task)["metric"] in metrics.registered
    calibration = stated.settings("calibration", task)
    assert calibration is None or calibration["metric"] in metrics.registered


@pytest.mark.parametrize(("low", "outcome"), [(0.2, Outcome.PASSED), (0.19, Outcome.FAILED)])
def test_a_gate_judges_a_version_by_the_score_of_its_task(low, outcome):
    known = {"task": "generation", "rows": 100, "metrics": {"rouge_l": Measure(0.3, low, 0.4)}}

    assert found("quality", **known).outcome is outcome
    assert found("quality", **(known | {"task": "single_label"})).outcome is Outcome.FAILED


def test_a_gate_that_does_not_apply_says_so():
    applied, skipped = found("calibration"), found("calibration", task="generation")

    assert (applied.outcome, skipped.outcome) == (Outcome.FAILED, Outcome.PASSED)
    assert (skipped.value, skipped.threshold) == ("not applied", "")


@pytest.mark.parametrize(
    ("gate", "tasks", "entry"),
    [
        ("quality", {"poetry": {"metric": "rouge_l"}}, "gates.quality.tasks: poetry"),
        ("quality", {"ranking": {"metric": "rouge_l"}}, "gates.quality.tasks.ranking.metric"),
        ("quality", {"ranking": {"at_least": 2}}, "gates.quality.tasks.ranking.at_least"),
        ("quality", {"ranking": {"at_most": 0.1}}, "gates.quality.tasks.ranking: at_most"),
        ("quality", ["ranking"], "gates.quality.tasks"),
        ("calibration", {"ranking": {"metric": "pair_accuracy"}}, "gates.calibration.tasks.ranking.metric"),
        ("limits", {"ranking": {"metrics": {"rouge_l": 0.2}}}, "gates.limits.tasks.ranking.metrics"),
        ("leakage", {"ranking": None}, "gates.leakage: tasks"),
        ("signature", {"ranking": None}, "gates.signature: tasks"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_name(gate, tasks, entry):
    with pytest.raises(Refused) as refusal:
        rules.read(changed(gate, tasks))

    assert refusal.value.fields["text"][0].startswith(entry)
