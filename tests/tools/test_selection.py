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
        ("def test_one(): ...\n", "journey", True),
        ("@pytest.mark.journey\ndef test_one(): ...\n", "journey", False),
        ("@pytest.mark.postgres\ndef test_one(): ...\n", "postgres and not engine", False),
        (
            "pytestmark = pytest.mark.engine\n@pytest.mark.postgres\ndef test_one(): ...\n",
            "postgres and not engine",
            True,
        ),
        (
            "pytestmark = pytest.mark.postgres\n@pytest.mark.engine\ndef test_one(): ...\n",
            "postgres and not engine",
            False,
        ),
        (
            "@pytest.mark.parametrize('a', [pytest.param(1, marks=pytest.mark.browser)])\n",
            "(engine or browser) and not journey",
            False,
        ),
    ],
)
def test_a_file_is_left_out_where_none_of_its_tests_can_be_chosen(source, expression, expected):
    assert left_out(source, expression) is expected
