"""What one customer sends resembles itself: shares of predictions are estimated by sender."""

import pytest

from lifecycle.runtime.statistics.clustered import alone, sums
from monitoring.traffic import senders


@pytest.mark.parametrize(
    ("sides", "good", "bad", "found", "known"),
    [
        ({}, 16, 4, alone(16, 20), None),
        ({"+": 16, "-": 4}, 16, 4, alone(16, 20), None),
        ({"7+": 16, "7-": 4}, 16, 4, alone(16, 20), None),  # a single key doesn't identify senders
        ({"7+": 16, "9-": 4}, 16, 4, sums([16, 0], [16, 4]), 2),
        ({"7+": 10, "7-": 1, "9-": 3, "+": 6}, 16, 4, sums([10, 0], [11, 3]) + alone(6, 6), 2),
        ({"7+": 0, "9-": -1, "9+": 1, "8+": 2}, 3, 0, sums([1, 2], [1, 2]), 2),  # a word that was taken back
    ],
)
def test_groups_of_keys_are_clusters_and_the_rest_is_independent(sides, good, bad, found, known):
    assert senders.by_sender(sides, good, bad) == found
    assert senders.sender_share(sides, good, bad).senders == known


def test_fewer_than_the_minimum_give_no_share():
    assert senders.sender_share({}, 16, 3, 20) is None
    assert senders.sender_share({}, 16, 4, 20).rows == 20


def test_what_is_counted_by_key_is_what_rollouts_group_by():
    assert senders.side_of("", True) == "+"
    assert senders.side_of("0" * 16, False) == f"{senders.group_of('0' * 16)}-" == "229-"
