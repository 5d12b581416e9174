"""Bulk inserts of items: prefetched, inserted without Django's model instances, and subject to the same
constraints.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from datasets_app.datasets.actions.prefetch import prefetch
from datasets_app.datasets.actions.writing import flat_json, insert_items, ordered_uuids, prepare
from datasets_app.datasets.importing.mapping import Draft
from datasets_app.datasets.models import Item
from datasets_app.datasets.rules import content_digest, next_batch, normal_digest
from tests.support.datasets import csv_bytes, make_dataset, receive

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]


def test_inserted_items_equal_items_saved_by_django(project, ana):
    upload = receive(make_dataset(project, ana), ana, csv_bytes([["a"]], ["text"]))
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    insert_items(
        upload,
        [
            prepare(
                Draft(
                    7,
                    "Käse, \\ \t\n",
                    {"label": "x"},
                    "m-1",
                    "g",
                    at,
                    "train",
                    {"a": 'ü"\\', "b": "2"},
                    "a.csv",
                )
            )
        ],
    )
    item = Item.objects.get()

    assert (item.dataset_id, item.upload_id, item.member, item.line, item.text) == (
        upload.dataset_id,
        upload.pk,
        "a.csv",
        7,
        "Käse, \\ \t\n",
    )
    assert (item.external_id, item.group, item.event_time, item.split) == ("m-1", "g", at, "train")
    assert item.metadata == {"a": 'ü"\\', "b": "2"}
    assert (item.digest, item.normal_digest) == (content_digest(item.text), normal_digest(item.text))
    assert (item.uuid.version, item.uuid.variant) == (7, "specified in RFC 4122")


def test_the_same_text_twice_is_refused_by_the_database(project, ana):
    upload = receive(make_dataset(project, ana), ana, csv_bytes([["a"]], ["text"]))
    row = prepare(Draft(2, "a", None, "", "", None, "", {}))

    with pytest.raises(IntegrityError), transaction.atomic():
        insert_items(upload, [row, row])
    assert Item.objects.count() == 0


def test_uuids_are_unique_and_metadata_is_valid_json():
    made = ordered_uuids(1_000)

    assert len({UUID(each) for each in made}) == 1_000
    assert flat_json({}) == "{}"
    assert flat_json({"ä": "\n", 'b"': "c"}) == json.dumps({"ä": "\n", 'b"': "c"})


def test_digests_are_those_of_canonical_json():
    assert content_digest('"Ä"\n\x7f') == "a368eaa86221fd6b1b9d84acd31d211d31fc2ad267a161063ff4cea92c6ad88c"


def test_prefetch_keeps_the_order_and_raises_the_error_of_its_source():
    def source():
        yield from range(5)
        raise KeyError("broken")

    found = prefetch(source())

    assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(KeyError, match="broken"):
        next(found)


def test_a_caller_that_stops_early_leaves_no_thread():
    before = threading.active_count()
    found = prefetch(iter(range(1_000_000)))
    assert next(found) == 0
    found.close()

    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("size", "seconds", "following"),
    [
        (1_000, 0.05, 1_000),
        (1_000, 0.1, 500),
        (1_000, 5.0, 100),
        (100, 0.001, 200),
        (500, 0.0, 1_000),
        (1_000, 0.01, 1_000),
    ],
)
def test_slow_commits_become_smaller(size, seconds, following):
    assert next_batch(size, seconds, 1_000) == following
