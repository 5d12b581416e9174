"""Files of which no test is chosen are not imported."""

from __future__ import annotations

import pytest

from tests.support.selection import left_out

FAST = "not journey and not browser and not engine"
LISTED = """
pytestmark = [
    pytest.mark.engine,
    pytest.mark.django_db(transaction=True),
]
"""


@pytest.mark.parametrize(
    ("source", "expression", "expected"),
    [
        ("pytestmark = pytest.mark.engine\n", FAST, True),
        ("pytestmark = [pytest.mark.browser, pytest.mark.django_db]\n", FAST, True),
        (LISTED, FAST, True),
        ("pytestmark = pytest.mark.engine\n", "(engine or browser) and not journey", False),
        ("pytestmark = pytest.mark.engine\n", "", False),
        ("@pytest.mark.engine\ndef test_one(): ...\n", FAST, False),
        ("pytestmark = pytest.mark.django_db\n", FAST, False),
        ("pytestmark = pytest.mark.engineering\n", FAST, False),
    ],
)
def test_a_file_is_left_out_by_a_marker_of_the_whole_file(source, expression, expected):
    assert left_out(source, expression) is expected
