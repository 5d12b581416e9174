"""Two that notice the same at the same moment, in real threads. PostgreSQL alone, since SQLite runs one
writer at a time anyway.
"""

from __future__ import annotations

import importlib
import threading

import pytest
from django.db import connection

from monitoring.alerts.models import Alert
from registry.ground.ledger.models import Event
from tests.support.races import at_once

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL"),
]
raising = importlib.import_module("monitoring.alerts.actions.raising")


def test_two_who_find_none_open_one_alert_that_was_seen_twice(project, monkeypatch):
    both_have_looked, opened = threading.Barrier(2, timeout=30), raising.open_alert

    def open_alert(**fields):
        both_have_looked.wait()
        return opened(**fields)

    def notice():
        raising.raise_alert(
            endpoint=None,
            project=project,
            source="drill",
            key={"n": "a"},
            severity="ticket",
            title="Slow",
            text="It is slow.",
            url="/",
        )

    monkeypatch.setattr(raising, "open_alert", open_alert)

    assert at_once(notice, notice) == {"done": 2}

    alert = Alert.objects.get()
    assert (alert.count, alert.state, alert.source) == (2, "firing", "drill")
    assert Event.objects.filter(verb="alerts.fired").count() == 1
