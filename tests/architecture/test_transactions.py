"""A test's own savepoint is no transaction to what it calls."""

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError

from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb


def test_rows_are_locked_in_a_transaction_alone(mia):
    mine = User.objects.select_for_update().filter(pk=mia.pk)

    with pytest.raises(TransactionManagementError, match="outside of a transaction"):
        mine.get()
    with transaction.atomic():
        assert mine.get() == mia


def test_an_event_is_recorded_in_a_transaction_alone(project, mia):
    before = Event.objects.count()

    with pytest.raises(RuntimeError, match="outside a transaction"):
        record(mia, Verb.PROJECT_CREATED, project)
    assert Event.objects.count() == before
    with transaction.atomic():
        record(mia, Verb.PROJECT_CREATED, project)
    assert Event.objects.count() == before + 1
