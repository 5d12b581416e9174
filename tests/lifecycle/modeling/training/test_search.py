"""Search spaces are parsed exactly, suggestions follow from seed and number, and pruning and importance equal
Optuna's.
"""

from __future__ import annotations

import math

import numpy as np
import optuna
import pytest

from lifecycle.modeling.training import search
from lifecycle.modeling.training.search import Choices, Cut, Outcome, Range, Trial
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.engine.task_types.settings import Facts, Lengths
from lifecycle.runtime.refusals import Refused

SPACE = {
    "learning_rate": Range(0.0001, 0.01, log=True),
    "batch_size": Choices((16, 32)),
    "rank": Range(2, 16),
}


def trial(score: float | None, *evaluations: float, outcome: Outcome = Outcome.SCORED, **params) -> Trial:
    return Trial(outcome, {"learning_rate": 0.001, "batch_size": 16, "rank": 4} | params, score, evaluations)


def walk(number: int, sampler: str = "tpe", seed: int = 3) -> list[Trial]:
    """A search with the best score at a rate of 0.001 for any other settings."""
    trials: list[Trial] = []
    for at in range(1, number + 1):
        params = search.suggest(SPACE, trials, sampler=sampler, seed=seed, number=at)
        score = 0.9 - abs(math.log10(params["learning_rate"]) + 3) / 10
        trials.append(Trial(Outcome.SCORED, params, score, (score - 0.1, score)))
    return trials


# ── Spaces ──────────────────────────────────────────────────────────────────
def test_a_space_is_read_in_one_order_with_rates_on_a_log_scale():
    space = search.read_space(
        {
            "rank": {"low": 2, "high": 16},
            "learning_rate": {"low": 0.0001, "high": 0.01},
            "dora": {"choices": [True, False]},
        }
    )

    assert list(space.items()) == [
        ("learning_rate", SPACE["learning_rate"]),
        ("rank", Range(2, 16)),
        ("dora", Choices((True, False))),
    ]
    assert search.read_space({name: domain.to_json() for name, domain in space.items()}) == space


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("patience", {"choices": [1, 2]}, "patience can't be searched."),
        ("rank", 8, "Enter low and high, or choices."),
        ("rank", {"low": 2}, "Enter low and high (optionally log), or choices only."),
        (
            "rank",
            {"low": 2, "high": 4, "choices": [2]},
            "Enter low and high (optionally log), or choices only.",
        ),
        ("rank", {"low": True, "high": 4}, "low and high must be numbers, log true or false."),
        ("dropout", {"low": 0.0, "high": math.inf}, "low and high must be numbers, log true or false."),
        (
            "dropout",
            {"low": 0.0, "high": 0.2, "log": "yes"},
            "low and high must be numbers, log true or false.",
        ),
        ("pooling", {"low": 1, "high": 2}, "It has no range."),
        ("rank", {"choices": [8]}, "Enter 2 to 20 values."),
        ("rank", {"choices": "8, 16"}, "Enter 2 to 20 values."),
        ("rank", {"choices": [8, 8]}, "Enter each value once."),
        ("rank", {"choices": [8, 16.5]}, "16.5 isn't a valid value."),
        ("rank", {"choices": [8, True]}, "True isn't a valid value."),
        ("dora", {"choices": [0, 1]}, "0 isn't a valid value."),
        ("dropout", {"choices": [0.1, math.nan]}, "nan isn't a valid value."),
    ],
)
def test_settings_that_cannot_be_searched_are_refused_by_name(name, given, message):
    with pytest.raises(Refused) as refusal:
        search.read_space({name: given, "batch_size": {"choices": [16, 32]}})

    assert list(refusal.value.fields) == [name]
    assert refusal.value.fields[name][0].startswith(message)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("learning_rate", "0.0004 to 1e-2", {"low": 0.0004, "high": 0.01}),
        ("rank", "2 to 16", {"low": 2, "high": 16}),
        ("batch_size", "16, 32,64", {"choices": [16, 32, 64]}),
        ("dora", "on, Off", {"choices": [True, False]}),
        ("schedule", "linear, cosine", {"choices": ["linear", "cosine"]}),
        ("epochs", " 4 ", 4),
        ("dropout", "0.1", 0.1),
        ("class_weights", "off", False),
    ],
)
def test_a_setting_is_one_value_a_range_or_several_values(name, text, expected):
    assert search.parse(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "rank",
            "2.5",
            (
                "“2.5” isn't a whole number. Enter one value, a range such as 1 to 4, or several such as 1,"
                " 2, 4."
            ),
        ),
        (
            "dropout",
            "0.1 to some",
            "“some” isn't a number. Enter one value, a range such as 1 to 4, or several such as 1, 2, 4.",
        ),
        ("dora", "maybe", "Enter on, off, or both: on, off."),
    ],
)
def test_an_invalid_value_is_refused_with_the_expected_format(name, text, message):
    with pytest.raises(ValueError) as error:
        search.parse(name, text)

    assert str(error.value) == message


@pytest.mark.parametrize("strategy", settings_of("single_label").strategies)
def test_each_strategy_has_a_space_of_its_own_that_reads_as_it_is_written(strategy):
    facts = Facts(rows=1000, validation_rows=100, lengths=Lengths(16, 64))
    values = settings_of("single_label").suggest(facts, {"layers": 6}, strategy).values()

    space = search.suggested_space(strategy, values)

    assert ("learning_rate" in space) is (strategy != "head")
    assert ("rank" in space) is (strategy in ("lora", "fast_lora"))
    assert ("width" in space) is (strategy == "adapter")
    assert search.read_space({name: search.parse(name, str(domain)) for name, domain in space.items()}) == {
        name: space[name] for name in search.SEARCHED if name in space
    }


def test_rates_are_searched_within_five_times_of_what_is_suggested():
    assert str(search.usual_domain("learning_rate", 0.002)) == "0.0004 to 0.01"
    assert str(search.usual_domain("batch_size", 32)) == "16, 32, 64"
    assert str(search.usual_domain("dora", False)) == "off, on"


def test_corners_hold_each_end_alone_and_all_last_ends_together():
    space = {"rank": Range(2, 16), "batch_size": Choices((8, 16, 32))}

    assert [tuple(each.values()) for each in search.corners(space)] == [
        (2, 8),
        (16, 8),
        (2, 16),
        (2, 32),
        (16, 32),
    ]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"rank": Range(2, 5), "dora": Choices((True, False))}, 8),
        (SPACE, None),
        ({"dropout": Range(0.0, 0.3), "rank": Range(1, 2)}, None),
    ],
)
def test_finite_combinations_are_counted(space, expected):
    assert search.size(space) == expected


# ── Suggestions ─────────────────────────────────────────────────────────────
def test_the_first_suggestions_of_a_seed_are_these():
    assert [search.suggest(SPACE, [], sampler="tpe", seed=1, number=number) for number in (1, 2)] == [
        {"learning_rate": 0.0019199444694497838, "batch_size": 32, "rank": 7},
        {"learning_rate": 0.0018023562801011421, "batch_size": 32, "rank": 8},
    ]


def test_the_same_seed_and_trials_give_the_same_suggestion_and_another_seed_another():
    assert walk(12) == walk(12)
    assert walk(12)[0] != walk(12, seed=4)[0]
    assert walk(12, "random")[10] != walk(12)[10]


def test_a_suggestion_equals_optunas():
    trials = walk(14)
    sampler = optuna.samplers.TPESampler(seed=search.seed_of(3, 15))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {
        "learning_rate": optuna.distributions.FloatDistribution(0.0001, 0.01, log=True),
        "batch_size": optuna.distributions.CategoricalDistribution((16, 32)),
        "rank": optuna.distributions.IntDistribution(2, 16),
    }
    for each in trials:
        study.add_trial(
            optuna.create_trial(params=dict(each.params), distributions=distributions, value=each.score)
        )

    assert search.suggest(SPACE, trials, sampler="tpe", seed=3, number=15) == study.ask(distributions).params


def test_the_search_moves_to_better_scores():
    rates = [each.params["learning_rate"] for each in walk(30)[15:]]

    assert 0.0005 < float(np.median(rates)) < 0.002


def test_no_settings_are_tried_twice_until_all_were():
    space = {"batch_size": Choices((8, 16)), "dora": Choices((True, False))}
    trials: list[Trial] = []
    for number in range(1, 5):
        trials.append(
            Trial(Outcome.FAILED, search.suggest(space, trials, sampler="tpe", seed=1, number=number))
        )

    assert len({tuple(each.params.values()) for each in trials}) == 4


def test_all_settings_of_a_space_are_suggested_and_then_none():
    space = {"batch_size": Choices((8, 16, 32, 64)), "rank": Range(1, 10)}
    tried = [
        Trial(Outcome.SCORED, params, 0.5)
        for params in search.combinations(space)
        if params != {"batch_size": 32, "rank": 7}
    ]

    last = search.suggest(space, tried, sampler="random", seed=1, number=40)

    assert last == {"batch_size": 32, "rank": 7}
    assert (
        search.suggest(space, [*tried, Trial(Outcome.SCORED, last, 0.5)], sampler="tpe", seed=1, number=41)
        is None
    )


def test_a_range_without_further_numbers_is_exhausted():
    space = {"learning_rate": Range(0.001, 0.0010000000000000002)}
    tried = [Trial(Outcome.SCORED, {"learning_rate": rate}, 0.5) for rate in (0.001, 0.0010000000000000002)]

    assert search.suggest(space, tried, sampler="tpe", seed=1, number=3) is None


def test_a_huge_integer_is_not_a_valid_number():
    for given in ({"low": 1, "high": 10**400}, {"choices": [1, 10**400]}):
        with pytest.raises(Refused):
            search.read_space({"epochs": given})


def test_pruned_and_failed_trials_have_their_states():
    pruned, failed = trial(None, 0.2, 0.3, outcome=Outcome.PRUNED), trial(None, outcome=Outcome.FAILED)

    study = search.study(SPACE, [trial(0.8, 0.7, 0.8), pruned, failed])

    assert [(each.state.name, each.value, each.intermediate_values) for each in study.trials] == [
        ("COMPLETE", 0.8, {1: 0.7, 2: 0.8}),
        ("PRUNED", 0.3, {1: 0.2, 2: 0.3}),
        ("FAIL", None, {}),
    ]


# ── Pruning ─────────────────────────────────────────────────────────────────
OTHERS = [trial(0.9, 0.5, 0.9), trial(0.7, 0.6, 0.7), trial(0.4, 0.4)]


def test_a_trial_below_the_median_is_cut_at_the_first_such_evaluation():
    assert search.find_cut([0.5, 0.6, 0.9], OTHERS, warmup=3) == Cut(2, 0.6, pytest.approx(0.8), 2)
    assert search.find_cut([0.5, 0.8], OTHERS, warmup=3) is None
    assert search.find_cut([0.1], OTHERS, warmup=4) is None
    assert search.find_cut([], OTHERS, warmup=1) is None
    assert search.find_cut([0.1], [], warmup=1) is None
    assert search.find_cut([0.9, 0.8, 0.1], OTHERS, warmup=3) is None, (
        "nothing is known of the third evaluation, and its best is above"
    )


def test_the_rule_is_that_of_optunas_median_pruner():
    numbers = np.random.default_rng(5)
    outcomes = [Outcome.SCORED, Outcome.SCORED, Outcome.PRUNED, Outcome.FAILED]
    found = set()
    for _ in range(400):
        trials = []
        for _ in range(numbers.integers(0, 8)):
            seen = tuple(numbers.choice([0.2, 0.4, 0.5, 0.6, 0.8], size=numbers.integers(1, 5)).tolist())
            trials.append(trial(seen[-1], *seen, outcome=outcomes[numbers.integers(4)]))
        own, warmup = (
            numbers.choice([0.2, 0.4, 0.5, 0.6, 0.8], size=numbers.integers(1, 5)).tolist(),
            int(numbers.integers(1, 5)),
        )
        pruner, study = optuna.pruners.MedianPruner(n_startup_trials=warmup), search.study(SPACE, trials)
        verdicts = [
            pruner.prune(
                study,
                optuna.create_trial(
                    state=optuna.trial.TrialState.RUNNING, intermediate_values=dict(enumerate(own[:at], 1))
                ),
            )
            for at in range(1, len(own) + 1)
        ]

        cut = search.find_cut(own, trials, warmup=warmup)

        assert (cut.evaluation if cut else None) == (verdicts.index(True) + 1 if True in verdicts else None)
        found.add(cut.evaluation if cut else None)
    assert found == {None, 1, 2, 3, 4}


# ── Importance ──────────────────────────────────────────────────────────────
def test_importance_needs_ten_trials_and_a_difference():
    assert search.importances(SPACE, walk(9)) is None
    assert search.importances(SPACE, [trial(0.5, 0.5) for _ in range(12)]) is None


def test_importance_equals_optunas_and_finds_the_relevant_setting():
    trials = walk(20, "random")
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=5 / 20)

    found = search.importances(SPACE, [*trials, trial(None, 0.1, outcome=Outcome.PRUNED)])

    assert found == optuna.importance.get_param_importances(search.study(SPACE, trials), evaluator=evaluator)
    assert next(iter(found)) == "learning_rate"
    assert sum(found.values()) == pytest.approx(1)
