"""Latency histograms: what they lose, and that adding up loses nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.traffic import histogram

values = st.lists(st.floats(0.001, 60_000), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("value", "index"), [(0.0, 0), (0.1, 0), (0.11, 1), (0.111, 2), (0.121, 2), (10.0, 49)]
)
def test_the_bucket_of_a_value(value, index):
    assert histogram.bucket(value) == index
    assert value <= histogram.upper_ms(index) * (1 + 1e-9)


@given(values, st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_never_too_low_and_at_most_ten_per_cent_too_high(found, share):
    exact = np.quantile(found, share, method="inverted_cdf")
    quantile = histogram.quantile(histogram.add({}, found), share)

    assert quantile >= exact * (1 - 1e-9)
    assert quantile <= max(exact * 1.1, histogram.FLOOR_MS) * (1 + 1e-9)


@given(values, values)
def test_merging_equals_adding_all(first, second):
    merged = histogram.merge([histogram.add({}, first), histogram.add({}, second)])

    assert merged == histogram.add({}, [*first, *second])


def test_nothing_measured_has_no_quantile():
    assert histogram.quantile({}, 0.5) is None


def test_known_values():
    counts = histogram.add({}, [1.0] * 95 + [100.0] * 5)

    assert math.isclose(histogram.quantile(counts, 0.95), 1.0834705943388396)
    assert math.isclose(histogram.quantile(counts, 0.951), 105.11531995000598)
