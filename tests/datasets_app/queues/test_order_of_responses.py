"""The order in which an annotator sees the responses of an item."""

import pytest

from datasets_app.queues.rules import side_order
from tests.support.labeling import annotate, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

TWO = {"responses": ["one", "two"]}
QUEUE, PERSON = "8d7d2a2e-0000-4000-8000-000000000001", "8d7d2a2e-0000-4000-8000-000000000002"


def test_sides_are_shuffled_alike_whenever_one_looks_and_evenly_over_items():
    orders = [side_order(QUEUE, f"digest {n}", PERSON, 2) for n in range(1_000)]

    assert orders[7] == side_order(QUEUE, "digest 7", PERSON, 2)
    assert 450 < orders.count([0, 1]) < 550  # the binomial's standard deviation is 16


@pytest.mark.django_db
def test_the_order_of_responses_is_recorded_or_refused(project, mia, ana):
    queue = make_queue(make_dataset(project, mia, [TWO], task="preference"), mia, schema=[])
    (item,) = queue_items(queue)

    with refused():
        annotate(queue, ana, item, {"choice": "first"}, shown=[0, 2])
    assert queue.annotations.count() == 0
    assert annotate(queue, ana, item, {"choice": "first"}, shown=[1, 0]).shown == [1, 0]
