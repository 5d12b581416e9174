from dataclasses import replace

import pytest

from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.strategy import INNER, strategy_spec
from lifecycle.runtime.engine.task_types.by_key.settings import SETTINGS, settings_of
from lifecycle.runtime.engine.task_types.encoder_settings import estimate_seconds, tokens_from_characters
from lifecycle.runtime.engine.task_types.settings import Facts, Lengths
from lifecycle.runtime.task_types.by_key.types import type_of


def suggest(rows, *, task="single_label", strategy="lora", median=14, long=56, counts=(), layers=6):
    facts = Facts(
        rows=rows,
        validation_rows=rows // 9,
        lengths=Lengths(median, long, answer=9),
        counts=counts,
        labels=("a", "b"),
    )
    return settings_of(task).suggest(facts, {"layers": layers}, strategy)


@pytest.mark.parametrize(
    ("task", "strategy"),
    [(task, each) for task, settings in SETTINGS.items() for each in settings.strategies],
)
@pytest.mark.parametrize("rows", [1, 40, 2_000, 9_000, 60_000, 500_000])
def test_every_suggestion_makes_a_valid_spec_and_explains_itself(task, strategy, rows):
    suggestion = suggest(rows, task=task, strategy=strategy)

    values = suggestion.values()
    inner = {name: values.pop(name) for name in INNER if name in values}
    labels = ["a", "b"] if type_of(task).has_labels else []
    fixed = {
        "base": {"path": "b", "name": "b"},
        "task": task,
        "labels": labels,
        "strategy": strategy_spec(strategy, inner),
    }
    TrainSpec.from_json(fixed | values)
    for name, choice in suggestion.choices.items():
        assert choice.reason.endswith("."), name
        assert choice.reason[0].isupper() or choice.reason[0].isdigit() or choice.reason.startswith("bf16"), (
            name
        )
    assert suggestion.seconds > 0


@pytest.mark.parametrize("task", SETTINGS)
def test_a_strategy_fits_or_a_reason_is_given(task):
    settings = settings_of(task)

    for strategy in ("lora", "fast_lora", "full", "ia3", "adapter", "head", "prompt", "p_tuning", "prefix"):
        assert bool(settings.misfit(strategy, strategy)) == (strategy not in settings.strategies)
        if strategy not in settings.strategies:
            with pytest.raises(ValueError, match="Suggested settings need rows and a known strategy; got"):
                suggest(40, task=task, strategy=strategy)


@pytest.mark.parametrize(
    ("rows", "epochs", "batch"),
    [(40, 20, 16), (1_800, 5, 32), (9_000, 4, 32), (60_000, 2, 64), (500_000, 1, 64)],
)
def test_small_data_gets_more_epochs_and_large_data_fewer(rows, epochs, batch):
    values = suggest(rows).values()

    assert (values["epochs"], values["batch_size"]) == (epochs, batch)


@pytest.mark.parametrize("task", ["single_label", "spans"])
def test_a_head_with_trained_classes_has_a_fifth_of_the_rate_of_a_new_one(task):
    choices = suggest(1000, task=task).choices
    known = settings_of(task).continuing(
        "run 1", {"pooling": "mean", "labels": ["a", "b"]}, ["a", "b"], choices
    )

    assert known["head_learning_rate"].value == pytest.approx(choices["head_learning_rate"].value / 5)


@pytest.mark.parametrize(("strategy", "rate"), [("full", 1e-3), ("lora", 5e-3), ("head", 1e-2)])
def test_a_token_head_has_a_smaller_rate_and_no_pooling(strategy, rate):
    choices = suggest(1000, strategy=strategy, task="spans").choices

    assert choices["head_learning_rate"].value == rate
    assert "pooling" not in choices


@pytest.mark.parametrize(
    ("rows", "median_tokens", "batch_size", "epochs"),
    [(589, 28, 16, 13), (589, 60, 8, 7), (60, 300, 4, 20), (5_001, 300, 32, 4), (5_000, 20, 16, 4)],
)
def test_where_every_word_has_a_tag_few_texts_make_a_step_and_steps_are_many(
    rows, median_tokens, batch_size, epochs
):
    choices = suggest(rows, median=median_tokens, task="spans").choices

    assert (choices["batch_size"].value, choices["epochs"].value) == (batch_size, epochs)


@pytest.mark.parametrize(("long_tokens", "max_tokens"), [(20, 128), (100, 128), (129, 256), (4000, 512)])
def test_room_follows_the_long_texts(long_tokens, max_tokens):
    choice = suggest(1000, long=long_tokens).choices["max_tokens"]

    assert choice.value == max_tokens
    assert ("truncated" in choice.reason) == (long_tokens == 4000)


def test_class_weights_are_enabled_when_one_label_dwarfs_another():
    assert suggest(1000, counts=[950, 50]).values()["class_weights"] is True
    assert suggest(1000, counts=[600, 400]).values()["class_weights"] is False
    assert suggest(1000).values()["class_weights"] is False


def test_a_measured_rate_makes_the_estimate():
    facts = Facts(rows=1000, validation_rows=0, lengths=Lengths(16, 64), cores=2)

    seconds, reason = estimate_seconds(replace(facts, rate=100.0), 4, 4, "lora")

    assert seconds == pytest.approx(12 + 40)
    assert reason == "From 100 examples per second, measured in an earlier run on this machine."
    assert estimate_seconds(facts, 4, 4, "lora")[0] == pytest.approx(12 + 4000 / 170)


def test_responses_take_as_long_as_the_texts_that_they_are():
    rows = [
        {"text": "a" * 9, "responses": ["b" * 9, "c" * 36]},
        {"text": "", "responses": ["d" * 9, "e" * 9, "f" * 9]},
    ]
    lengths = settings_of("ranking").lengths(rows)
    facts = Facts(rows=500, validation_rows=50, lengths=lengths, cores=2)

    assert (lengths.median, lengths.long, lengths.texts) == (4, 12, 2.5)
    single = settings_of("single_label").suggest(facts, {}, "lora").seconds
    assert settings_of("preference").suggest(facts, {}, "lora").seconds == pytest.approx(2.5 * single)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="Suggested settings need rows and a known strategy; got"):
        suggest(0)


def test_tokens_of_a_text_include_the_special_ones():
    assert tokens_from_characters(45) == 12
