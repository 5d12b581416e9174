"""Both databases refuse the same values, and give a JSON object's keys in the same order."""

import pytest
from django.db import DataError, connection, transaction

from lifecycle.ground.jobs.models import Job
from tests.support.people import make_project

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]


def make_job(**fields):
    return Job.objects.create(kind="a.b", available_at="2026-01-01T00:00:00Z", **fields)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"message": "x" * 501}, DataError),
        ({"priority": 2**15}, DataError),
        ({"message": "a\x00b"}, DataError),
        ({"args": {"a": ["b\x00"]}}, DataError),
        ({"args": {"a": "\ud800"}}, DataError),
    ],
)
def test_what_one_of_them_refuses_is_refused(fields, error):
    with pytest.raises(error), transaction.atomic():
        make_job(**fields)

    assert not Job.objects.exists()


def test_a_query_for_a_text_with_nul_is_refused():
    make_project()

    with pytest.raises(DataError), transaction.atomic():
        Job.objects.filter(message="\x00").first()
    assert connection.vendor in ("sqlite", "postgresql")


def test_keys_come_in_an_order_of_the_database():
    made = make_job(args={"longer": {"b": 1, "a": 2}, "z": [{"cc": 1, "d": 2}], "é": 1, "b": 2})

    made.refresh_from_db()

    assert [*made.args] == ["b", "z", "é", "longer"]
    assert ([*made.args["longer"]], [*made.args["z"][0]]) == (["a", "b"], ["d", "cc"])
