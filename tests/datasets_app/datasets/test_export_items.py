"""CSV exports of filtered items: written by a job, only for their requester, and importable as
corrections.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.datasets import actions
from datasets_app.datasets.actions import exports as writing
from datasets_app.datasets.models import Export
from datasets_app.exchange.actions.corrections.reviewing import upload_corrections
from datasets_app.queues.models import Decision
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.rules import LabelSpec
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from registry.ground.access.actions import revoke
from registry.ground.access.roles import Role
from registry.ground.artifacts.actions import open_blob
from registry.ground.ledger.models import Event
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import add_items
from tests.support.labeling import make_dataset as make_labeled
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
HEADER = ["id", "text", "split", "group", "time", "item", "file", "line", "metadata", "label", "decision"]
ROWS = [
    ("m-1", "=1+1 card", "card", "train"),
    ("m-2", "a transfer", "", ""),
    ("m-3", "card lost", "card", "test"),
]


@pytest.fixture
def inbox(project, mia):
    dataset = make_dataset(project, mia, "Inbox")
    import_texts(dataset, ROWS, mia, header=("id", "text", "label", "split"))
    return dataset


def request_export(dataset, actor, **filters):
    return actions.export_items(dataset_id=dataset.uuid, actor=actor, filters=filters)


def read(made: Export) -> list[list[str]]:
    return list(csv.reader(io.StringIO(open_blob(made.blob.digest).read().decode(), newline="")))


def exported() -> list[dict]:
    return [json.loads(event.canonical) for event in Event.objects.filter(verb="datasets.items_exported")]


def test_matching_items_are_written_with_their_labels_and_formulas_are_neutralised(inbox, mia):
    request_export(inbox, mia, q="card")
    run_ok("default")

    made = Export.objects.get()
    header, first, second = read(made)
    items = {item.external_id: item for item in inbox.items.all()}
    decisions = {row.item_id: row.digest for row in Decision.objects.all()}
    one, three = items["m-1"], items["m-3"]
    assert header == HEADER
    assert first == [
        "m-1",
        "'=1+1 card",
        "train",
        "",
        "",
        one.digest,
        "rows.csv",
        "2",
        "",
        "card",
        decisions[one.pk],
    ]
    assert second == [
        "m-3",
        "card lost",
        "test",
        "",
        "",
        three.digest,
        "rows.csv",
        "4",
        "",
        "card",
        decisions[three.pk],
    ]
    assert (made.filters, made.words, made.items, made.neutralised, made.created_by) == (
        {"q": "card"},
        "Search: card",
        2,
        1,
        mia,
    )
    assert made.blob.digest == hashlib.sha256(open_blob(made.blob.digest).read()).hexdigest()


def test_without_filters_every_visible_item_is_exported_and_an_undecided_one_has_no_label(inbox, mia):
    add_items(inbox, mia, ["not accepted yet"], imported=False)
    request_export(inbox, mia)
    run_ok("default")

    assert [(row[0], row[9], row[10] != "") for row in read(Export.objects.get())[1:]] == [
        ("m-1", "card", True),
        ("m-2", "", False),
        ("m-3", "card", True),
    ]


def test_the_audit_log_has_the_file_but_no_text(inbox, mia):
    request_export(inbox, mia, q="card")
    run_ok("default")

    (event,) = exported()
    made = Export.objects.get()
    assert (event["actor"], event["payload"]["items"], event["payload"]["file"]) == (
        str(mia.uuid),
        2,
        made.blob.digest,
    )
    assert "card" not in json.dumps(event)


def test_a_repeated_request_returns_the_unfinished_job(inbox, mia, ravi):
    assert request_export(inbox, mia, q="card") == request_export(inbox, mia, q=" card ")
    assert request_export(inbox, ravi, q="card") != request_export(inbox, mia, q="card")
    run_ok("default")
    assert Export.objects.count() == 2


@pytest.mark.parametrize(
    ("filters", "field"),
    [({"never": "heard of"}, ["never"]), ({"split": "nowhere"}, ["split"]), ({"q": "nowhere"}, [])],
)
def test_invalid_filters_and_no_matches_are_refused(inbox, mia, filters, field):
    before = Job.objects.count()
    with refused(*field):
        request_export(inbox, mia, **filters)

    assert Job.objects.count() == before
    assert exported() == []


@pytest.mark.parametrize("name", ["ana", "lee", "gita", "omar", "aida", "adam", "otto"])
def test_roles_that_cant_export_texts_are_refused(inbox, name, request):
    with pytest.raises(PermissionDenied):
        request_export(inbox, request.getfixturevalue(name))
    run_ok("default")
    assert not Export.objects.exists()


def test_a_person_without_the_role_at_the_start_of_the_job_gets_no_file(inbox, mia, lee, project):
    request_export(inbox, mia)
    revoke(user=mia, role=Role.ENGINEER, root=project, actor=lee)

    (job,) = run_jobs("default")
    assert (job.state, job.error) == (
        "failed",
        "The file wasn't created: the person who requested it can't export texts anymore.",
    )
    assert not Export.objects.exists()
    assert exported() == []


@pytest.mark.postgres
def test_a_cancelled_job_saves_nothing(inbox, mia, monkeypatch):
    add_items(inbox, mia, [f"more {n}" for n in range(5)])
    monkeypatch.setattr(writing, "BATCH", 2)
    cells_above, seen = writing.cells_above, []

    def cancelling(dataset, keys):
        seen.append(len(keys))
        if len(seen) == 2:
            jobs.cancel(job.uuid, mia)
        return cells_above(dataset, keys)

    monkeypatch.setattr(writing, "cells_above", cancelling)
    job = request_export(inbox, mia)
    (ended,) = run_jobs("default")

    assert (ended.state, seen) == ("cancelled", [2, 2])
    assert not Export.objects.exists()
    assert exported() == []


@pytest.mark.parametrize("count", [3, 40])
def test_a_batch_takes_a_constant_number_of_queries(project, mia, count, django_assert_num_queries):
    dataset = make_labeled(project, mia, [f"card {n}" for n in range(count)])
    keys = list(dataset.items.values_list("pk", flat=True))
    with django_assert_num_queries(2):
        writing.cells_above(dataset, keys)


def test_items_with_content_have_a_column_for_it(project, mia):
    dataset = make_labeled(project, mia, [{"prompt": "Hello", "responses": ["a", "b"]}], task="preference")
    request_export(dataset, mia)
    run_ok("default")

    header, row = read(Export.objects.get())
    assert (header, row[-1]) == ([*HEADER, "content"], '{"prompt": "Hello", "responses": ["a", "b"]}')


def test_labels_corrected_in_the_file_can_be_imported_as_corrections(inbox, mia, ravi):
    request_export(inbox, ravi)
    run_ok("default")
    header, *rows = read(Export.objects.get())
    rows[0][header.index("label")] = "theft"
    publish_schema(dataset_id=inbox.uuid, actor=ravi, labels=[LabelSpec(name) for name in ("card", "theft")])
    file = io.StringIO(newline="")
    csv.writer(file).writerows([header, rows[0], rows[2]])

    correction = upload_corrections(
        dataset=inbox, actor=ravi, content=[file.getvalue().encode()], file_name="corrected.csv"
    )
    run_ok("default")
    correction.refresh_from_db()
    assert (correction.state, correction.report["look"]["counts"]) == (
        "looked",
        {"changed": 1, "unchanged": 1},
    )


# ── Pages and API ───────────────────────────────────────────────────────────
def test_the_item_page_links_to_the_export_and_only_its_requester_gets_it(inbox, mia, ravi, ana, client_for):
    client, url = client_for(mia), reverse("datasets:exports", args=[inbox.uuid])
    listed = client.get(reverse("datasets:dataset", args=[inbox.uuid]), {"q": "card"}).content.decode()
    assert f'action="{url}?q=card"' in listed
    of_ana = client_for(ana).get(reverse("datasets:dataset", args=[inbox.uuid]), {"q": "card"})
    assert (of_ana.status_code, f'action="{url}' in of_ana.content.decode()) == (200, False)
    assert list(client.get(url).context["exports"]) == []

    posted = client.post(f"{url}?q=card")
    assert (posted.status_code, posted["Location"]) == (302, url)
    assert 'hx-trigger="job-ended from:body"' in client.get(url).content.decode()
    run_ok("default")

    made = Export.objects.get()
    page = client.get(url).content.decode()
    assert made.blob.digest in page
    assert made.words in page
    file = reverse("datasets:download", args=[made.uuid])
    got = client.get(file)
    assert (got["Content-Type"], got["Content-Disposition"]) == (
        "text/csv",
        f'attachment; filename="{inbox.slug}-items.csv"',
    )
    assert b"".join(got.streaming_content) == open_blob(made.blob.digest).read()
    assert [client_for(user).get(file).status_code for user in (ravi, ana)] == [404, 403]
    of_ravi = client_for(ravi).get(url)
    assert (list(of_ravi.context["exports"]), made.words in of_ravi.content.decode()) == ([], False)
    assert (
        client_for(ravi).get(reverse("jobs:progress", args=[Job.objects.latest("id").uuid])).status_code
        == 404
    )


@pytest.mark.postgres
def test_the_page_shows_why_no_export_was_created(inbox, mia, ana, client_for):
    url = reverse("datasets:exports", args=[inbox.uuid])
    refused = client_for(mia).post(f"{url}?q=nowhere")
    assert refused.status_code == 422
    assert "no items match." in refused.context["refusal"].message
    assert 'role="alert"' in refused.content.decode()
    assert client_for(ana).post(url).status_code == 403
    denied = 'data-state="no-permission"'
    assert [denied in client_for(person).get(url).content.decode() for person in (ana, mia)] == [True, False]
    assert not Job.objects.filter(kind="datasets.export").exists()


@pytest.mark.postgres
def test_the_api_creates_lists_and_downloads_exports_of_filters_and_slices(inbox, mia, client_for):
    client, url = client_for(mia), f"/api/v1/datasets/{inbox.uuid}/item-exports/"
    kept = actions.save_slice(dataset_id=inbox.uuid, actor=mia, name="Cards", filters={"q": "card"})
    posted = client.post(
        url, {"slice": str(kept.uuid), "filters": {"split": "test"}}, content_type="application/json"
    )
    assert (posted.status_code, posted.json()["kind"]) == (202, "datasets.export")
    run_ok("default")

    (found,) = client.get(url).json()
    assert (found["filters"], found["items"], found["neutralised"]) == ({"q": "card", "split": "test"}, 1, 0)
    content = b"".join(client.get(found["url"]).streaming_content)
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (found["sha256"], found["size"])
    refused = client.post(url, {"filters": {"lenght": "3"}}, content_type="application/json")
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["lenght"])
