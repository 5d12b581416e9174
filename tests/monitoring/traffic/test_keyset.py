"""Where the next page begins: what a page wrote is read again, and nonsense is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection
from django.urls import reverse

from lifecycle.runtime.refusals import Unreadable
from monitoring.traffic import keyset
from monitoring.traffic.models import ShadowAnswer

pytestmark = pytest.mark.postgres


def test_what_was_written_is_read():
    at = datetime(2026, 3, 5, 12, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))

    assert keyset.written((at, 7)) == "2026-03-05T10:30:00.123456Z_7"
    assert keyset.read("2026-03-05T10:30:00.123456Z_7") == (at, 7)
    assert keyset.read("2026-03-05T12:30:00+02:00_7") == (datetime(2026, 3, 5, 10, 30, tzinfo=UTC), 7)


NONSENSE = [
    "x",
    "_5",
    "2026-03-05_5",
    "2026-03-05T10:00:00_5",
    "2026-13-05T10:00:00Z_5",
    "2026-03-05T10:00:00Z_",
    "2026-03-05T10:00:00Z_x",
    "2026-03-05T10:00:00Z_" + "9" * 19,
    "0001-01-01T00:00:00+14:00_5",
    "9999-12-31T23:59:59-14:00_5",
]


@pytest.mark.parametrize("text", NONSENSE)
def test_anything_else_is_refused(text):
    with pytest.raises(Unreadable):
        keyset.read(text)


def test_nothing_is_the_first_page():
    assert keyset.read("") is None


@pytest.mark.parametrize(
    "before", ["0001-01-01T00:00:00+14:00_5", "9999-12-31T23:59:59-14:00_5", "0001-01-01T00:00:00Z_5", "x"]
)
@pytest.mark.parametrize("name", ["traffic:recent", "traffic:shadow", "api-predictions", "api-drift-reports"])
def test_no_address_breaks_a_page(client_for, live_endpoint, omar, name, before):
    status = 200 if before == "0001-01-01T00:00:00Z_5" else 400

    assert (
        client_for(omar).get(reverse(name, args=[live_endpoint.uuid]), {"before": before}).status_code
        == status
    )


@pytest.mark.skipif(
    connection.vendor != "sqlite", reason="PostgreSQL reads a table of no rows from its begin to its end"
)
def test_disagreements_are_found_without_the_agreements(live_endpoint):
    rows = ShadowAnswer.objects.filter(endpoint=live_endpoint, agrees=False).order_by("-at", "-id")[:31]

    assert "shadow_disagreements" in rows.explain()
