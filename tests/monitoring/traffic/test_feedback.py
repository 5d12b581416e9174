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


@pytest.fixture
def prediction(answered):
    return answered()[0]


def counts():
    row = MinuteRollup.objects.get(version__isnull=False)
    return row.right, row.wrong


def say(prediction, actor, right=True, label=""):
    return actions.record_feedback(prediction_id=prediction.uuid, right=right, label=label, actor=actor)


def test_right_is_counted_once_and_recorded(prediction, ana):
    say(prediction, ana)
    say(prediction, ana)

    assert Feedback.objects.count() == 1
    assert counts() == (1, 0)
    assert Event.objects.filter(verb="traffic.feedback_recorded").count() == 1


def test_a_changed_mind_moves_the_count(prediction, ana):
    say(prediction, ana)
    say(prediction, ana, right=False, label="refund")
    say(prediction, ana, right=False, label="delivery")

    assert Feedback.objects.count() == 3
    assert counts() == (0, 1)
    assert queries.newest_feedback(prediction).label == "delivery"


@pytest.mark.parametrize(
    ("right", "label", "sentence"),
    [
        (False, "refnud", "Did you mean refund"),
        (True, "refund", "keeps its label"),
        (False, "billing", "the predicted label"),
    ],
)
def test_labels_that_make_no_sense_are_refused(prediction, ana, right, label, sentence):
    with pytest.raises(Refused, match=sentence):
        say(prediction, ana, right=right, label=label)

    assert not Feedback.objects.exists()
    assert counts() == (0, 0)


def test_there_is_nothing_to_say_of_no_answer(answered, live_endpoint, ana):
    (failed,) = answered(endpoints.error_line(live_endpoint))

    with pytest.raises(Refused):
        say(failed, ana)


def test_who_may_look_but_not_say(prediction, aida, otto):
    with pytest.raises(PermissionDenied):
        say(prediction, aida)
    with pytest.raises(NotReady):  # as for one that may still arrive
        say(prediction, otto)
    assert not Feedback.objects.exists()


def test_a_batch_is_one_event(answered, live_endpoint, ana):
    made = answered(*[endpoints.spool_line(live_endpoint) for _ in range(3)])

    words = [actions.Word(row.uuid, False, "refund") for row in made]
    assert len(actions.record_many(words=words, actor=ana)) == 3

    event = Event.objects.get(verb="traffic.feedback_recorded")
    assert '"count":3' in event.canonical
    actions.record_many(words=words, actor=ana)
    assert Feedback.objects.count() == 3


def test_a_batch_is_all_or_nothing(answered, live_endpoint, ana):
    made = answered(*[endpoints.spool_line(live_endpoint) for _ in range(2)])

    with pytest.raises(Refused):
        actions.record_many(words=[actions.Word(made[0].uuid, True), actions.Word(made[1].uuid, False, "nonsense")], actor=ana)
    assert not Feedback.objects.exists()
    with pytest.raises(Refused):
        actions.record_many(words=[], actor=ana)


def test_a_batch_takes_no_more_statements_for_more_words(answered, live_endpoint, ana):
    made = answered(*[endpoints.spool_line(live_endpoint) for _ in range(40)])
    actions.record_many(words=[actions.Word(made[0].uuid, True)], actor=ana)

    with CaptureQueriesContext(connection) as two:
        actions.record_many(words=[actions.Word(row.uuid, True) for row in made[1:3]], actor=ana)
    with CaptureQueriesContext(connection) as many:
        actions.record_many(words=[actions.Word(row.uuid, False, "refund") for row in made], actor=ana)

    assert len(many) == len(two)
    assert counts() == (0, 40)


@pytest.mark.postgres
def test_the_last_word_of_a_batch_on_a_prediction_counts(prediction, ana):
    word = actions.Word(prediction.uuid, False, "refund")

    said = actions.record_many(words=[actions.Word(prediction.uuid, True), word, word], actor=ana)

    assert [row.right for row in said] == [True, False, False]
    assert said[1] == said[2]
    assert Feedback.objects.count() == 2
    assert counts() == (0, 1)
    assert queries.newest_feedback(prediction).label == "refund"


def test_the_share_has_its_wilson_interval(answered, live_endpoint, ana):
    made = answered(*[endpoints.spool_line(live_endpoint) for _ in range(20)])
    for at, row in enumerate(made):
        say(row, ana, right=at < 16, label="" if at < 16 else "refund")

    total = queries.total(live_endpoint, timezone.now() - timedelta(hours=1), timezone.now())

    assert total.right_share == 0.8
    assert [round(end, 4) for end in (total.right_told.low, total.right_told.high)] == [0.584, 0.9193]
    assert (total.right_told.rows, total.right_told.senders) == (20, None)


def test_feedback_of_a_few_customers_has_a_wider_interval_and_says_how_many(answered, live_endpoint, ana):
    """Four customers, of one of whom all is wrong: the mean of four, not of twenty."""
    made = answered(*[endpoints.spool_line(live_endpoint, key=f"{at // 5:016x}") for at in range(20)])
    actions.record_many(words=[actions.Word(row.uuid, at >= 5, "" if at >= 5 else "refund") for at, row in enumerate(made)], actor=ana)
    say(made[0], ana)
    say(made[0], ana, right=False, label="refund")

    told = queries.total(live_endpoint, timezone.now() - timedelta(hours=1), timezone.now()).right_told

    assert (told.value, told.rows, told.senders) == (0.75, 20, 4)
    assert [round(end, 4) for end in (told.low, told.high)] == [0.3006, 0.9544]  # Wilson's of 3 of 4
