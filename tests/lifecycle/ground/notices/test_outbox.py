"""The outbox: written with the deed, read at least once, in order, by each reader for itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from lifecycle.ground.notices.models import Cursor, Outbox
from lifecycle.ground.notices.outbox import append, read

pytestmark = pytest.mark.django_db


def test_reader_gets_each_row_once_and_in_order(project):
    for n in (1, 2, 3):
        append("runs.ended", project=project, run=n)

    first = [row.payload["run"] for row in read("catalog")]
    second = list(read("catalog"))

    assert first == [1, 2, 3]
    assert second == []


def test_readers_do_not_disturb_each_other():
    append("runs.ended", run=1)

    assert len(list(read("catalog"))) == 1
    assert len(list(read("alerts"))) == 1


def test_reader_of_one_topic_passes_the_others():
    append("runs.ended", run=1)
    append("items.decided", item=2)

    assert [row.topic for row in read("catalog", "items.decided")] == ["items.decided"]
    assert list(read("catalog", "items.decided")) == []


def test_limit_leaves_the_rest_for_the_next_read():
    for n in range(5):
        append("runs.ended", run=n)

    assert [row.payload["run"] for row in read("catalog", limit=2)] == [0, 1]
    assert [row.payload["run"] for row in read("catalog")] == [2, 3, 4]


def test_row_whose_handler_failed_comes_again():
    append("runs.ended", run=1)
    append("runs.ended", run=2)

    handled = []

    def handle_until_2():
        for row in read("catalog"):
            if row.payload["run"] == 2:
                raise ZeroDivisionError
            handled.append(row.payload["run"])

    with pytest.raises(ZeroDivisionError):
        handle_until_2()

    assert handled == [1]
    assert [row.payload["run"] for row in read("catalog")] == [2]


def test_row_that_commits_late_is_not_skipped():
    Outbox.objects.create(pk=10, topic="runs.ended")
    Outbox.objects.create(pk=12, topic="runs.ended")
    assert [row.pk for row in read("catalog")] == [10, 12]

    Outbox.objects.create(pk=11, topic="runs.ended")

    assert [row.pk for row in read("catalog")] == [11]
    assert list(read("catalog")) == []


@pytest.mark.postgres
def test_gaps_of_rolled_back_transactions_are_forgotten():
    Outbox.objects.create(pk=10, topic="runs.ended")
    list(read("catalog"))
    Cursor.objects.update(at=timezone.now() - timedelta(hours=1))

    list(read("catalog"))

    assert Cursor.objects.get().late == []


def test_deed_that_fails_leaves_nothing_in_the_outbox():
    @transaction.atomic
    def deed():
        append("runs.ended", run=1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        deed()

    assert Outbox.objects.count() == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_append_outside_a_transaction_is_refused():
    with pytest.raises(RuntimeError, match="runs.ended"):
        append("runs.ended", run=1)

    assert Outbox.objects.count() == 0
