"""Each rule of the advice: its proposal, reason, and limits."""

from __future__ import annotations

import pytest

from lifecycle.modeling.training import advice
from lifecycle.modeling.training.advice import Answers, Candidate, Data, Lengths, concerns
from lifecycle.modeling.training.advice.choosing import choose_base, choose_strategy, judge
from lifecycle.modeling.training.advice.settings import (
    choose_batch,
    choose_loss,
    choose_max_tokens,
    choose_settings,
)
from lifecycle.modeling.training.advice.shapes import Setting
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.engine.task_types.settings import Facts
from lifecycle.runtime.engine.task_types.settings import Lengths as Tokens

MINI = Candidate("1", "mini", bytes=90_000_000, layers=6, width=384, max_tokens=512)
LARGE = Candidate("2", "large", bytes=440_000_000, layers=12, width=768, max_tokens=512)
LENGTHS = Lengths(tuple(range(1, 101)), counted=True)


def data(train: dict[str, int], *, test: int = 2_000, **more) -> Data:
    """Data with these numbers of training rows per class, and evenly distributed validation and test rows."""
    each = {"validation": test // len(train), "test": test // len(train)}
    splits = {"train": sum(train.values()), **{split: rows * len(train) for split, rows in each.items()}}
    return Data(splits, {label: {"train": rows, **each} for label, rows in train.items()}, **more)


def even(rows: int, classes: int = 2, **more) -> Data:
    return data({f"c{at}": rows // classes for at in range(classes)}, **more)


def suggestion(rows: int = 1000, strategy: str = "lora"):
    facts = Facts(rows=rows, validation_rows=rows // 9, lengths=Tokens(16, 64), cores=2)
    return settings_of("single_label").suggest(facts, {"layers": 6}, strategy)


# ── Whether to fine-tune ────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("found", "answers", "verdict"),
    [
        (even(14), Answers(), "label_more"),  # 7 per class
        (even(16), Answers(), "head"),  # 8 per class
        (even(998), Answers(), "head"),
        (even(998), Answers(sensitive=True), "adapters"),
        (even(1000), Answers(), "fine_tune"),
        (data({"a": 7, "b": 7, "c": 5000}), Answers(), "label_more"),  # the median class counts
        (data({"a": 7, "b": 500, "c": 5000}), Answers(), "fine_tune"),
        (even(1000), Answers(baseline_does=True), "baseline"),
    ],
)
def test_whether_to_fine_tune_rests_on_rows_of_the_middle_class_and_of_all(found, answers, verdict):
    assert judge(answers, found).code == verdict


def test_too_few_rows_show_how_many_are_missing():
    assert (
        "5 more, spread over the small ones, would give each 8"
        in judge(Answers(), data({"a": 5, "b": 6, "c": 90})).reason
    )


# ── Base ────────────────────────────────────────────────────────────────────
def test_a_base_is_timed_by_its_layers():
    assert MINI.latency_ms(16) == pytest.approx(2 * 12 * 6 * 384**2 * 16 / 68e9 * 1000)
    assert round(MINI.latency_ms(16) or 0, 1) == 5.0
    assert Candidate("3", "unknown").latency_ms(16) is None


@pytest.mark.parametrize(
    ("answers", "name", "warned"),
    [
        (Answers(), "large", []),
        (Answers(size_mb=440), "large", []),
        (Answers(size_mb=439), "mini", []),
        (Answers(latency_ms=5.5), "mini", []),
        (Answers(size_mb=50), "mini", ["limits"]),
        (Answers(latency_ms=1), "mini", ["limits"]),
    ],
)
def test_the_chosen_base_stays_while_it_meets_the_limits(answers, name, warned):
    base, reason, failed = choose_base(answers, LARGE, [MINI], tokens=16)

    assert (base.name, reason.value, [each.code for each in failed]) == (name, name, warned)


def test_the_largest_base_within_the_limits_is_chosen_with_a_reason():
    tiny = Candidate("3", "tiny", bytes=20_000_000, layers=2, width=128)

    base, reason, _ = choose_base(Answers(size_mb=100), LARGE, [tiny, MINI], tokens=16)

    assert base == MINI
    assert reason.reason.startswith(
        "large is 440 MB; your limit is 100 MB. This one: 90 MB in fp32, about 5.0 ms"
    )


# ── Strategy ────────────────────────────────────────────────────────────────
SECONDS = {"full": 1200.0, "lora": 600.0, "fast_lora": 240.0, "head": 30.0}


@pytest.mark.parametrize(
    ("found", "answers", "strategy"),
    [
        (even(100), Answers(), "head"),
        (even(3998), Answers(), "lora"),
        (even(4000), Answers(), "full"),
        (even(4000), Answers(sensitive=True), "lora"),
        (even(4000), Answers(minutes=20), "full"),
        (even(4000), Answers(minutes=19), "lora"),
        (even(4000), Answers(minutes=9), "fast_lora"),
        (even(4000), Answers(minutes=3), "head"),
        (even(4000), Answers(sensitive=True, minutes=9), "fast_lora"),
    ],
)
def test_the_strategy_rests_on_rows_sensitivity_and_time(found, answers, strategy):
    setting, warned = choose_strategy(answers, found, judge(answers, found), SECONDS)

    assert (setting.value, warned) == (strategy, [])


def test_if_no_strategy_is_fast_enough_the_fastest_has_a_warning():
    setting, (warning,) = choose_strategy(
        Answers(minutes=0.1), even(4000), judge(Answers(), even(4000)), SECONDS
    )

    assert (setting.value, warning.code) == ("head", "too_long")
    assert warning.detail == "The fastest, head, takes about 30 s."


def test_a_base_without_known_layers_has_no_fast_lora():
    seconds = {name: SECONDS[name] for name in ("full", "lora", "head")}

    assert (
        choose_strategy(Answers(minutes=9), even(4000), judge(Answers(), even(4000)), seconds)[0].value
        == "head"
    )


# ── Settings ────────────────────────────────────────────────────────────────
def test_percentiles_are_lengths_that_occur():
    assert [LENGTHS.percentile(percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert (Lengths((), counted=False).percentile(99), LENGTHS.share_over(90)) == (0, 0.1)


@pytest.mark.parametrize(
    ("tokens", "base", "value"),
    [
        ([20] * 100, MINI, 64),
        ([100] * 100, MINI, 104),
        ([20] * 98 + [200, 300], MINI, 200),
        ([700] * 100, MINI, 512),
        ([700] * 100, Candidate("3", "any"), 704),
    ],
)
def test_the_longest_text_is_the_99th_percentile_in_steps_of_8_within_what_the_base_reads(
    tokens, base, value
):
    assert choose_max_tokens(Lengths(tuple(sorted(tokens)), counted=True), base).value == value


def test_estimated_token_counts_leave_room_for_128():
    assert choose_max_tokens(Lengths((20,) * 100, counted=False), MINI).value == 128
    assert choose_max_tokens(Lengths((200,) * 100, counted=False), MINI).value == 200


@pytest.mark.parametrize(
    ("longest", "rows", "parts"), [(128, 32, 1), (256, 32, 1), (264, 16, 2), (512, 16, 2), (520, 8, 4)]
)
def test_long_texts_take_smaller_batches_of_the_same_step(longest, rows, parts):
    batch, accumulation = choose_batch(Setting("batch_size", 32, "", ""), longest)

    assert (batch.value, accumulation[0].value if accumulation else 1) == (rows, parts)


@pytest.mark.parametrize(
    ("train", "doubted", "weights", "gamma", "smoothing"),
    [
        ({"a": 100, "b": 1000}, None, False, 0.0, 0.0),
        ({"a": 100, "b": 1001}, None, True, 0.0, 0.0),
        ({"a": 10, "b": 1000}, None, True, 0.0, 0.0),
        ({"a": 10, "b": 1001}, None, True, 2.0, 0.0),
        ({"a": 500, "b": 500}, 100, False, 0.0, 0.0),  # of 5,000 rows in all
        ({"a": 500, "b": 500}, 101, False, 0.0, 0.1),
        ({"a": 10, "b": 1001}, 4000, True, 2.0, 0.0),  # focal loss and smoothing aren't combined
    ],
)
def test_the_loss_follows_imbalance_and_doubted_labels(train, doubted, weights, gamma, smoothing):
    values = {each.name: each.value for each in choose_loss(data(train, doubted=doubted))}

    assert values == {"class_weights": weights, "focal_gamma": gamma, "label_smoothing": smoothing}


def test_sensitive_texts_end_training_early_and_all_else_is_as_suggested():
    found = suggestion(4000)

    settings = {
        each.name: each for each in choose_settings(Answers(sensitive=True), even(4000), LENGTHS, MINI, found)
    }

    assert (settings["patience"].value, found.choices["patience"].value) == (2, 0)
    assert [settings[name].value for name in ("epochs", "batch_size", "learning_rate")] == [
        found.choices[name].value for name in ("epochs", "batch_size", "learning_rate")
    ]
    assert settings["epochs"].reason == found.choices["epochs"].reason


# ── Warnings ────────────────────────────────────────────────────────────────
def codes(found: Data, answers: Answers | None = None) -> list[str]:
    return [each.code for each in concerns.look(answers or Answers(), found)]


def test_sound_data_gives_no_warning():
    assert codes(even(1000)) == []


def test_tiny_classes_are_named_the_smallest_first():
    (warning,) = concerns.look(Answers(), data({"big": 900, "seven": 7, "two": 2, "eight": 8}))

    assert (warning.code, warning.title, warning.detail) == (
        "tiny_classes",
        "2 of 4 labels have fewer than 8 training rows.",
        "two (2), seven (7).",
    )


def test_more_than_five_names_are_counted():
    assert concerns.names([f"c{at}" for at in range(7)]) == "c0, c1, c2, c3, c4 and 2 more"


def test_a_class_missing_from_a_split_is_named():
    found = Data(
        {"train": 100, "validation": 2000, "test": 2000},
        {"a": {"train": 50, "validation": 2000, "test": 0}, "b": {"train": 50, "test": 2000}},
    )

    assert [(each.code, each.detail) for each in concerns.look(Answers(), found)] == [
        ("missing_in_validation", "b."),
        ("missing_in_test", "a."),
    ]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"leaked": 1}, ["leakage"]),
        ({"scanned": False}, ["not_scanned"]),
        ({"contradictions": 3}, ["contradictions"]),
        ({"scanned": False, "leaked": 2}, ["leakage", "not_scanned"]),
    ],
)
def test_leaks_are_listed_worst_first(more, wanted):
    assert codes(even(1000, **more)) == wanted


def test_sensitive_texts_warn_of_an_unscanned_dataset():
    (warning,) = concerns.look(Answers(sensitive=True), even(1000))

    assert warning.code == "sensitive"
    assert warning.detail.startswith("Personal data hasn't been scanned for.")


@pytest.mark.parametrize(
    ("rows", "expected"), [(1960, ["small_test"]), (1964, []), (2000, []), (0, ["no_test"])]
)
def test_a_test_split_that_cannot_detect_two_points_is_too_small(rows, expected):
    """n = (1.96 + 0.8416)² · 0.1 / 0.02² = 1,962 rows."""
    found = Data(
        {"train": 1000, "test": rows}, {"a": {"train": 500, "test": rows}, "b": {"train": 500, "test": rows}}
    )

    assert codes(found) == expected


def test_a_small_test_split_shows_the_rows_needed():
    (warning,) = concerns.small_test(even(1000, test=200))

    assert warning.detail.startswith(
        "Detecting a difference of 2 points needs about 1,963 rows, if two versions disagree on 10 % of them."
    )


def test_truncated_texts_are_reported_from_one_percent_on():
    assert concerns.cut(LENGTHS, 99) == []
    assert concerns.cut(LENGTHS, 90)[0].title == "10 % of texts are longer than 90 tokens."


# ── The whole advice ────────────────────────────────────────────────────────
def test_the_whole_advice_names_base_and_strategy_first_and_gives_options_for_a_launch():
    suggestions = {name: suggestion(strategy=name) for name in advice.FASTER}
    base, reason, failed = choose_base(Answers(), MINI, [], tokens=95)

    found = advice.advise(Answers(), even(1000), LENGTHS, base, reason, suggestions, failed)

    assert [each.name for each in found.settings][:3] == ["base", "strategy", "max_tokens"]
    assert (found.verdict.code, found.value("strategy"), found.warnings) == ("fine_tune", "lora", ())
    assert found.options() == {
        "max_tokens": 104,
        "batch_size": 32,
        "learning_rate": 0.002,
        "head_learning_rate": 0.01,
        "epochs": 8,
        "patience": 4,
        "class_weights": False,
        "focal_gamma": 0.0,
        "label_smoothing": 0.0,
    }
    assert all(each.reason and each.source for each in found.settings)
