import pytest

from lifecycle.engine.defaults import INNER, STRATEGIES, continuing, estimate_seconds, strategy_spec, suggest, tokens_from_characters
from lifecycle.engine.spec import TrainSpec


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("rows", [1, 40, 2_000, 9_000, 60_000, 500_000])
def test_every_suggestion_makes_a_valid_spec_and_explains_itself(strategy, rows):
    suggestion = suggest(rows=rows, classes=12, median_tokens=14, strategy=strategy, layers=6)

    values = suggestion.values()
    inner = {name: values.pop(name) for name in INNER if name in values}
    document = {"base": {"path": "b", "name": "b"}, "labels": ["a", "b"], "strategy": strategy_spec(strategy, inner), **values}
    TrainSpec.from_json(document)
    for name, choice in suggestion.choices.items():
        assert choice.reason.endswith("."), name
        assert choice.reason[0].isupper() or choice.reason[0].isdigit() or choice.reason.startswith("bf16"), name
    assert suggestion.seconds > 0


@pytest.mark.parametrize(("rows", "epochs", "batch"), [(40, 20, 16), (1_800, 5, 32), (9_000, 4, 32), (60_000, 2, 64), (500_000, 1, 64)])
def test_small_data_gets_more_epochs_and_large_data_fewer(rows, epochs, batch):
    values = suggest(rows=rows, classes=12, median_tokens=14).values()

    assert (values["epochs"], values["batch_size"]) == (epochs, batch)


def test_a_head_that_knows_its_classes_takes_a_fifth_of_the_rate_of_one_that_does_not():
    for spans in (False, True):
        choices = suggest(rows=1000, classes=2, median_tokens=14, spans=spans).choices
        known = continuing("run 1", "mean", ["a", "b"], {"a", "b"}, choices)

        assert known["head_learning_rate"].value == pytest.approx(choices["head_learning_rate"].value / 5)


@pytest.mark.parametrize(("strategy", "rate"), [("full", 1e-3), ("lora", 5e-3), ("head", 1e-2)])
def test_a_head_that_reads_each_word_takes_a_smaller_rate_and_pools_nothing(strategy, rate):
    choices = suggest(rows=1000, classes=2, median_tokens=14, strategy=strategy, spans=True).choices

    assert choices["head_learning_rate"].value == rate
    assert "pooling" not in choices


@pytest.mark.parametrize(
    ("rows", "median_tokens", "batch_size", "epochs"),
    [(589, 28, 16, 13), (589, 60, 8, 7), (60, 300, 4, 20), (5_001, 300, 32, 4), (5_000, 20, 16, 4)],
)
def test_where_every_word_has_a_tag_few_texts_make_a_step_and_steps_are_many(rows, median_tokens, batch_size, epochs):
    choices = suggest(rows=rows, classes=2, median_tokens=median_tokens, spans=True).choices

    assert (choices["batch_size"].value, choices["epochs"].value) == (batch_size, epochs)


@pytest.mark.parametrize(("long_tokens", "max_tokens"), [(20, 128), (100, 128), (129, 256), (4000, 512), (None, 128)])
def test_room_follows_the_long_texts(long_tokens, max_tokens):
    choice = suggest(rows=1000, classes=2, median_tokens=14, long_tokens=long_tokens).choices["max_tokens"]

    assert choice.value == max_tokens
    assert ("cut" in choice.reason) == (long_tokens == 4000)


def test_class_weights_come_on_when_one_class_dwarfs_another():
    assert suggest(rows=1000, classes=2, median_tokens=14, class_counts=[950, 50]).values()["class_weights"] is True
    assert suggest(rows=1000, classes=2, median_tokens=14, class_counts=[600, 400]).values()["class_weights"] is False
    assert suggest(rows=1000, classes=2, median_tokens=14).values()["class_weights"] is False


def test_a_measured_rate_makes_the_estimate():
    common = {"rows": 1000, "validation_rows": 0, "epochs": 4, "evaluations": 4, "median_tokens": 16, "strategy": "lora", "cores": 2}

    seconds, reason = estimate_seconds(**common, measured_rate=100.0)

    assert seconds == pytest.approx(12 + 40)
    assert reason == "From 100 examples a second, measured in an earlier run on this machine."
    assert estimate_seconds(**common)[0] == pytest.approx(12 + 4000 / 170)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="Settings need rows"):
        suggest(rows=0, classes=2, median_tokens=14)


def test_tokens_of_a_text_include_the_special_ones():
    assert tokens_from_characters(45) == 12
