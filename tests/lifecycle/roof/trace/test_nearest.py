"""The training items nearest to a text."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.roof.trace.neighbours import nearest


def test_the_nearest_rows_come_first_by_cosine():
    vectors = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])

    assert nearest(vectors, [0.0, 1.0], 2) == [(1, 1.0), (2, pytest.approx(0.5**0.5))]
