"""Rows are grouped by a value of each."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.modeling.evaluation.grouping import NO_VALUE, grouped
from lifecycle.runtime.refusals import Refused


def test_each_text_is_a_group_the_largest_first_and_no_value_the_last():
    found = grouped(["mail", "app ", None, "mail", "", "  ", "zoo", "mail"])

    assert (found.names, found.has_missing) == (("mail", "app", "zoo", NO_VALUE), True)
    assert found.codes.tolist() == [0, 1, 3, 0, 3, 3, 2, 0]


def test_a_value_named_like_the_missing_group_is_separate():
    found = grouped([NO_VALUE, NO_VALUE, "mail", None])

    assert (found.names, found.codes.tolist()) == ((NO_VALUE, "mail", NO_VALUE), [0, 0, 1, 2])


def test_one_number_written_in_many_ways_is_one_group():
    found = grouped([f"1.{'0' * zeros}" for zeros in range(1, 20)] + [None])

    assert (found.names, found.codes.tolist()) == (("1", NO_VALUE), [0] * 19 + [1])


def test_few_numbers_are_groups_and_many_are_binned_at_quantiles():
    few, many = (
        grouped([str(each % 12) for each in range(100)]),
        grouped([str(each) for each in range(1, 101)] + [None]),
    )

    assert (len(few.names), few.has_missing) == (12, False)
    assert many.names == ("Up to 20", "Over 20 to 40", "Over 40 to 60", "Over 60 to 80", "Over 80", NO_VALUE)
    assert np.bincount(many.codes).tolist() == [20, 20, 20, 20, 20, 1]
    assert [many.codes[at] for at in (19, 20, 99)] == [0, 1, 4]  # 20 is in the first bin, 21 in the second


def test_mostly_equal_numbers_have_fewer_bins():
    found = grouped(["0"] * 900 + [f"-{each}.5" for each in range(1, 101)])

    assert (found.names, np.bincount(found.codes).tolist()) == (("Up to -1.5", "Over -1.5"), [100, 900])


@pytest.mark.parametrize("odd", ["0123", "1_000", "nan", "inf", "١٢", "1e999"])
def test_a_code_with_leading_zeros_is_text(odd):
    with pytest.raises(Refused, match="61"):
        grouped([odd, *(str(each) for each in range(60))])


def test_too_many_texts_are_refused():
    assert len(grouped([f"v{each}" for each in range(50)]).names) == 50
    with pytest.raises(Refused, match="51"):
        grouped([f"v{each}" for each in range(51)])
