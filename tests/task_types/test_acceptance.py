"""Where a reviewer accepts what people agree on, values of every type wait and are decided together."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from datasets_app.datasets.models import Dataset
from datasets_app.queues import rules
from datasets_app.queues.models import Agreed, Decision, Dispute, Queue
from datasets_app.review.actions.checks import accept_check, start_check
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.review.models import SpotCheck
from datasets_app.review.queries.checks import sample_of, to_review
from datasets_app.schemas.queries.labels import names_in, value_of
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.jobs import run_ok
from tests.support.labeling import annotate, annotate_items, make_queue, queue_items
from tests.task_types.examples import values_of
from tests.task_types.labeled import counters, decided

pytestmark = pytest.mark.django_db


@pytest.fixture
def agreed_of_each_type(queue_of_each_type, mia, ana, ben) -> dict[str, UUID]:
    """A queue of every type, by its key: Ana and Ben agree on its three items."""
    made = {}
    for key, (one, *_, last) in ((key, values_of(key)) for key in queue_of_each_type):
        dataset = Dataset.objects.get(queues__uuid=queue_of_each_type[key])
        queue = make_queue(dataset, mia, name="Accepted", overlap=2, acceptance="reviewer")
        annotate_items(queue, {ana: [one, one, last], ben: [one, one, last]})
        made[key] = queue.uuid
    return made


@pytest.fixture
def agreed(key, agreed_of_each_type) -> Queue:
    return Queue.objects.select_related("dataset", "schema").get(uuid=agreed_of_each_type[key])


@pytest.fixture
def judged(agreed, ravi) -> SpotCheck:
    """A sample of one, found right."""
    check = start_check(queue_id=agreed.uuid, actor=ravi, size=1, tolerated=0)
    item = to_review(check)[0].item
    value = value_of(agreed.annotations.select_related("label").filter(item=item)[0])
    adjudicate(queue_id=agreed.uuid, item_id=item.uuid, actor=ravi, value=value)
    return check


def test_what_people_agree_on_waits_and_a_second_thought_is_a_dispute(agreed, values, ben):
    agreed.refresh_from_db()
    assert (agreed.items_agreed, Decision.objects.count()) == (3, 0)

    annotate(agreed, ben, queue_items(agreed)[0], values[1])

    agreed.refresh_from_db()
    assert (agreed.items_agreed, Agreed.objects.filter(queue=agreed).count()) == (2, 2)
    assert Dispute.objects.get().item == queue_items(agreed)[0]
    assert counters(agreed) == {"done": 6, "labeled": 0, "disputed": 1, "disputes": 1}


def test_accepting_a_right_sample_decides_all_others_with_their_values(agreed, judged, values, ravi):
    found = sample_of(judged)
    assert (found.size, found.right, found.wrong, found.left) == (1, 1, 0, 0)

    accept_check(check_id=judged.uuid, actor=ravi)
    run_ok("default")

    ways = [how for _, how, _, _ in decided(agreed)]
    assert [(value, by, rests) for value, _, by, rests in decided(agreed)] == [
        (value, ravi, 2) for value in (values[0], values[0], values[-1])
    ]
    assert sorted(ways) == ["accepted", "accepted", "adjudicated"]
    judged.refresh_from_db()
    assert (judged.state, judged.accepted, judged.left_out) == ("accepted", 2, 0)
    assert counters(agreed) == {"done": 6, "labeled": 3, "disputed": 0, "disputes": 0}
    agreed.refresh_from_db()
    assert agreed.items_agreed == 0
    assert json.loads(Event.objects.get(verb=Verb.LABELS_ACCEPTED).canonical)["payload"]["rows"] == 2
    for row in Decision.objects.filter(how="accepted").select_related("item", "label"):
        assert row.digest == rules.decision_digest(
            item=row.item.digest,
            value=value_of(row),
            names=names_in(agreed.schema),
            how="accepted",
            by=ravi.uuid,
            supersedes="",
        )
