"""What a queue's people knew before it was written down."""

from importlib import import_module

import pytest
from django.apps import apps

from datasets_app.labeling.models import Seat
from tests.support.labeling import make_dataset, make_queue, make_schema

pytestmark = pytest.mark.postgres


def test_people_of_before_know_the_version_that_their_queue_had(project, mia, ana, ben):
    dataset = make_dataset(project, mia, ["a", "b"])
    first = make_queue(dataset, mia, name="First")
    newer = make_schema(dataset, mia, ["card", "refund", "other"])
    second = make_queue(dataset, mia, name="Second")
    for queue, user in [(first, ana), (first, ben), (second, ana)]:
        Seat.objects.create(queue=queue, user=user)

    import_module("datasets_app.labeling.migrations.0010_comments").know_present_versions(apps, None)

    known = Seat.objects.order_by("id").values_list("queue__name", "user__username", "seen_schema")
    assert list(known) == [("First", "ana", first.schema_id), ("First", "ben", first.schema_id), ("Second", "ana", second.schema_id)]
    assert first.schema_id != second.schema_id == newer.pk
