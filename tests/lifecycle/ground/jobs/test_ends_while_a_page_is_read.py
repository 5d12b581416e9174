"""A job that ends while a page is being read: the page shows what it shows afterwards, since it asked for the
job before all else. A page that had read "importing" first, and then that the job has ended, would stay so
and ask no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from datasets_app.datasets import actions
from datasets_app.datasets import selection as selecting
from datasets_app.exchange.actions.corrections.reviewing import upload_corrections
from datasets_app.scanning import actions as scanning
from datasets_app.scanning.rules import ScanKind
from datasets_app.snapshots import actions as snapshots
from registry.promotions import actions as promotions
from tests.support import registry
from tests.support.datasets import csv_bytes, import_texts, make_dataset, receive
from tests.support.jobs import run_ok

pytestmark = pytest.mark.django_db


def body(client: Client, url: str) -> str:
    """The part of the page that is loaded again, less what differs each time."""
    html = client.get(url, HTTP_HX_REQUEST="true").content.decode()
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": "\w+"', "", html)


def body_during(client: Client, url: str) -> str:
    """The same, while all jobs end just before the page asks for its job."""
    left = [run_ok]

    def end(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if left and 'FROM "jobs_job"' in sql:
            left.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(end):
        html = body(client, url)
    assert not left
    return html


@pytest.fixture
def dataset(project, mia):
    made = make_dataset(project, mia, "Inbox")
    import_texts(
        made,
        [(f"A message about {word}, number {n}", word) for n in range(6) for word in ("card", "billing")],
        mia,
    )
    return made


def shows_the_end(client: Client, url: str) -> None:
    assert body_during(client, url) == body(client, url)


def test_an_upload_that_is_imported(dataset, mia, client_for):
    upload = receive(dataset, mia, csv_bytes([("A new text", "billing")], ("text", "label")))
    actions.accept_upload(upload_id=upload.uuid, actor=mia)

    shows_the_end(client_for(mia), reverse("datasets:upload", args=[upload.uuid]))


def test_a_slice_that_is_counted(dataset, mia, client_for, monkeypatch):
    monkeypatch.setattr(selecting, "FIRST", 2)
    row = actions.save_slice(dataset_id=dataset.uuid, actor=mia, name="Cards", filters={"q": "card"})
    assert actions.count_slice(slice_id=row.uuid, actor=mia, seconds=-1)

    shows_the_end(client_for(mia), reverse("datasets:slice", args=[row.uuid]))


def test_a_snapshot_that_is_frozen(dataset, mia, client_for):
    snapshots.freeze(dataset=dataset, actor=mia, shares={"train": 60, "validation": 20, "test": 20})

    shows_the_end(client_for(mia), reverse("snapshots:dataset", args=[dataset.uuid]))


def test_corrections_that_are_looked_through(dataset, ravi, client_for):
    row = upload_corrections(
        dataset=dataset, actor=ravi, content=[b"item,decision,label\n"], file_name="corrected.csv"
    )

    shows_the_end(client_for(ravi), reverse("exchange:correction", args=[row.uuid]))


def test_a_scan(dataset, ravi, client_for):
    scanning.scan(dataset=dataset, kind=ScanKind.NEAR_DUPLICATES, actor=ravi)

    shows_the_end(client_for(ravi), reverse("scanning:dataset", args=[dataset.uuid]))


def test_gates_that_are_checked(project, mia, ravi, client_for):
    version = registry.make_version(project, mia, ravi)
    endpoint = registry.make_endpoint(version.model, mia)
    request = promotions.request(version=version, endpoint=endpoint, actor=mia, note="Better on refunds.")

    shows_the_end(client_for(mia), reverse("promotions:detail", args=[request.uuid]))
