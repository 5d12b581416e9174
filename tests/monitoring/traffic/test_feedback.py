"""Right or wrong: the newest word counts, the same word twice is one, the minute's counts follow."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lifecycle.runtime.refusals import NotReady, Refused
from monitoring.traffic import actions, queries
from monitoring.traffic.models import Feedback, MinuteRollup
from registry.ground.ledger.models import Event
from tests.support import endpoints
from tests.support.unchanged import refused


@pytest.fixture
def prediction(answered):
    return answered()[0]


def counts():
    row = MinuteRollup.objects.get(version__isnull=False)
    return row.right, row.wrong


def give_feedback(prediction, actor, right=True, label=""):
    return actions.record_feedback(prediction_id=prediction.uuid, right=right, label=label, actor=actor)


def test_right_is_counted_once_and_recorded(prediction, ana):
    give_feedback(prediction, ana)
    give_feedback(prediction, ana)

    assert Feedback.objects.count() == 1
    assert counts() == (1, 0)
    assert Event.objects.filter(verb="traffic.feedback_recorded").count() == 1


def test_a_changed_mind_moves_the_count(prediction, ana):
    give_feedback(prediction, ana)
    give_feedback(prediction, ana, right=False, label="refund")
    give_feedback(prediction, ana, right=False, label="delivery")

    assert Feedback.objects.count() == 3
    assert counts() == (0, 1)
    assert queries.newest_feedback(prediction).label == "delivery"


@pytest.mark.parametrize(
    ("right", "label", "named"),
    [
        (False, "refnud", ("refnud", "refund")),
        (True, "refund", ()),
        (False, "billing", ()),
    ],
)
def test_labels_that_make_no_sense_are_refused(prediction, ana, right, label, named):
    with refused("label", naming=named):
        give_feedback(prediction, ana, right=right, label=label)


def test_there_is_no_feedback_on_a_request_without_a_prediction(answered, live_endpoint, ana):
    (failed,) = answered(endpoints.error_line(live_endpoint))

    with pytest.raises(Refused):
        give_feedback(failed, ana)


def test_who_may_view_but_not_give_feedback(prediction, aida, otto):
    with pytest.raises(PermissionDenied):
        give_feedback(prediction, aida)
    with pytest.raises(NotReady):  # as for one that may still arrive
        give_feedback(prediction, otto)
    assert not Feedback.objects.exists()


def test_a_batch_is_one_event(answered, live_endpoint, ana):
    made = answered(*[endpoints.spool_line(live_endpoint) for _ in range(3)])

    words = [actions.Entry(row.uuid, False, "refund") for row in made]
    assert len(actions.record_many(entries=words, actor=ana)) == 3

    event = Event.objects.get(verb="traffic.feedback_recorded")
    assert '"count":3' in event.canonical
    actions.record_many(entries=words, actor=ana)
    assert Feedback.objects.count() == 3


def test_a_batch_is_all_or_nothing(answered, live_endpoint, ana):
    made = answered(*[endpoints.spool_line(live_endpoint) for _ in range(2)])

    with pytest.raises(Refused):
        actions.record_many(
            entries=[actions.Entry(made[0].uuid, True), actions.Entry(made[1].uuid, False, "nonsense")],
            actor=ana,
        )
    assert not Feedback.objects.exists()
    with pytest.raises(Refused):
        actions.record_many(entries=[], actor=ana)


def test_a_batch_takes_no_more_statements_for_more_words(answered, live_endpoint, ana):
    made = answered(*[endpoints.spool_line(live_endpoint) for _ in range(40)])
    actions.record_many(entries=[actions.Entry(made[0].uuid, True)], actor=ana)

    with CaptureQueriesContext(connection) as two:
        actions.record_many(entries=[actions.Entry(row.uuid, True) for row in made[1:3]], actor=ana)
    with CaptureQueriesContext(connection) as many:
        actions.record_many(entries=[actions.Entry(row.uuid, False, "refund") for row in made], actor=ana)

    assert len(many) == len(two)
    assert counts() == (0, 40)


@pytest.mark.postgres
def test_the_last_entry_of_a_batch_on_a_prediction_counts(prediction, ana):
    word = actions.Entry(prediction.uuid, False, "refund")

    stored = actions.record_many(entries=[actions.Entry(prediction.uuid, True), word, word], actor=ana)

    assert [row.right for row in stored] == [True, False, False]
    assert stored[1] == stored[2]
    assert Feedback.objects.count() == 2
    assert counts() == (0, 1)
    assert queries.newest_feedback(prediction).label == "refund"


def test_the_share_has_its_wilson_interval(answered, live_endpoint, ana):
    made = answered(*[endpoints.spool_line(live_endpoint) for _ in range(20)])
    for at, row in enumerate(made):
        give_feedback(row, ana, right=at < 16, label="" if at < 16 else "refund")

    total = queries.total(live_endpoint, timezone.now() - timedelta(hours=1), timezone.now())

    assert total.right_share == 0.8
    assert [round(end, 4) for end in (total.right_interval.low, total.right_interval.high)] == [0.584, 0.9193]
    assert (total.right_interval.rows, total.right_interval.senders) == (20, None)


def test_feedback_of_a_few_customers_has_a_wider_interval_and_shows_how_many(answered, live_endpoint, ana):
    """Four customers, of one of whom all is wrong: the mean of four, not of twenty."""
    made = answered(*[endpoints.spool_line(live_endpoint, key=f"{at // 5:016x}") for at in range(20)])
    actions.record_many(
        entries=[
            actions.Entry(row.uuid, at >= 5, "" if at >= 5 else "refund") for at, row in enumerate(made)
        ],
        actor=ana,
    )
    give_feedback(made[0], ana)
    give_feedback(made[0], ana, right=False, label="refund")

    interval = queries.total(
        live_endpoint, timezone.now() - timedelta(hours=1), timezone.now()
    ).right_interval

    assert (interval.value, interval.rows, interval.senders) == (0.75, 20, 4)
    assert [round(end, 4) for end in (interval.low, interval.high)] == [0.3006, 0.9544]  # Wilson's of 3 of 4
