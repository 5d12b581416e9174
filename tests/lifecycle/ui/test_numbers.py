from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lifecycle.ui import numbers

NOW = datetime(2026, 11, 24, 16, 10, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.9267, 3, "0.927"),
        (-0.013, 3, "−0.013"),
        (1204.5, 1, "1,204.5"),
        (-0.0001, 3, "0.000"),
        (Decimal("0.5"), 2, "0.50"),
        (None, 3, "Not measured"),
        (float("nan"), 3, "Not measured"),
        (0, 0, "0"),
    ],
)
def test_decimals_use_a_real_minus_and_never_minus_zero(value, digits, text):
    assert numbers.decimals(value, digits) == text


@pytest.mark.parametrize(
    ("value", "digits", "unlike", "text"),
    [
        (0.69996, 3, (0.7,), "0.69996"),
        (0.7, 3, (0.69996,), "0.70000"),
        (0.7, 3, (0.7,), "0.700"),
        (0.1004, 3, (0.1,), "0.1004"),
        (-0.0104, 3, (-0.01,), "−0.0104"),
        (-0.0001, 3, (0,), "−0.0001"),
        (0.004, 2, (0,), "0.004"),
        (0.01, 2, (0,), "0.01"),
        (99.997, 2, (0, 100), "99.997"),
        (0.7 + 1e-13, 3, (0.7,), "0.700"),
        (None, 3, (0.7,), "Not measured"),
    ],
)
def test_a_value_reads_as_another_than_the_limits_that_it_differs_from(value, digits, unlike, text):
    assert numbers.decimals(value, digits, unlike) == text


def test_only_none_and_all_read_as_none_and_all():
    shares = (0.0, 0.00003, 0.5, 0.99997, 1.0)

    assert [numbers.percent(share, 2, (0, 1)).split()[0] for share in shares] == [
        "0.00",
        "0.003",
        "50.00",
        "99.997",
        "100.00",
    ]
    assert numbers.signed(0.0004, 2, (0,)) == "+0.0004"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.013, "+0.013"), (-0.005, "−0.005"), (0.0, "0.000"), (0.0001, "0.000"), (None, "Not measured")],
)
def test_differences_carry_their_sign(value, text):
    assert numbers.signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00441, "0.0044"),
        (0.0831, "0.083"),
        (5.12, "5.1"),
        (1312, "1,312"),
        (0, "0"),
        (-0.0207, "−0.021"),
        (None, "Not measured"),
    ],
)
def test_small_figures_keep_two_significant_digits(value, text):
    assert numbers.significant(value) == text


def test_thousands_are_parted_by_commas():
    assert numbers.count(10003) == "10,003"
    assert numbers.count(None) == "Not measured"


def test_units_follow_a_no_break_space():
    assert numbers.percent(0.05) == "5\u00a0%"
    assert numbers.percent(0.8987, 1) == "89.9\u00a0%"
    assert numbers.percent(None) == "Not measured"
    assert numbers.unit(19.13, "ms", 1) == "19.1\u00a0ms"
    assert numbers.unit(None, "ms") == "Not measured"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (4_800, "4.8 kB"),
        (839_000, "839 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (4_800_000_000_000_000, "4,800 TB"),
        (None, "Not measured"),
    ],
)
def test_sizes_are_decimal(count, text):
    assert (
        numbers.size(count) == text.replace(" ", "\u00a0")
        if count is not None
        else numbers.size(count) == text
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.34, "340 ms"),
        (12, "12 s"),
        (245, "4 min 5 s"),
        (240, "4 min"),
        (11_400, "3 h 10 min"),
        (timedelta(days=2, hours=4, seconds=9), "2 d 4 h"),
        (86_399.9, "1 d"),
    ],
)
def test_durations_name_their_two_largest_units(seconds, text):
    assert numbers.duration(seconds).replace("\u00a0", " ") == text


def test_a_moment_has_its_year_only_when_it_differs():
    assert numbers.moment(NOW, NOW) == "24 Nov 16:10"
    assert numbers.moment(NOW - timedelta(days=400), NOW) == "20 Oct 2025 16:10"
    assert numbers.full_moment(NOW) == "Tuesday 24 November 2026, 16:10:05 UTC"


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (0, "now"),
        (14, "14 s ago"),
        (200, "3 min ago"),
        (7300, "2 h ago"),
        (-7300, "in 2 h"),
        (90_000, "23 Nov 15:10"),
    ],
)
def test_relative_times_end_at_a_day(back, text):
    assert numbers.ago(NOW - timedelta(seconds=back), NOW).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00"),
        (0.004, "under 0.01"),
        (0.005, "0.01"),
        (3.4, "3.40"),
        (99.999, "100.00"),
        (1204.4, "1,204"),
    ],
)
def test_prices_are_written_with_cents_while_they_are_small(value, text):
    assert numbers.money(value) == text
