"""Pages and API of snapshots: contents and permissions, with and without htmx."""

from __future__ import annotations

import pytest
from django.urls import reverse

from datasets_app.snapshots.models import Export, Snapshot
from lifecycle.ground.jobs.models import Job
from tests.support.datasets import import_texts, make_dataset
from tests.support.generation import generation_snapshot
from tests.support.jobs import run_ok
from tests.support.snapshots import freeze
from tests.support.spans import spans_snapshot

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
ROWS = [(f"text {label} {n}", label) for label in ("card", "cash") for n in range(20)]
FORM = {"train": 80, "validation": 10, "test": 10, "seed": 13, "note": "for the first run", "after": 0}


@pytest.fixture
def dataset(project, ana):
    dataset = make_dataset(project, ana, "Support inbox")
    import_texts(dataset, ROWS, ana)
    return dataset


@pytest.fixture
def snapshot(dataset, mia) -> Snapshot:
    return freeze(dataset, mia)


def test_a_snapshot_is_frozen_from_its_form_and_shown(dataset, mia, client_for):
    client, freeze_url = client_for(mia), reverse("snapshots:freeze", args=[dataset.uuid])
    form = f'action="{freeze_url}"'
    before = client.get(reverse("snapshots:dataset", args=[dataset.uuid]))
    assert (before.context["form"]["after"].value(), form in before.content.decode()) == (0, True)
    answer = client.post(freeze_url, FORM)
    assert answer.status_code == 302
    job, working = Job.objects.get(kind="snapshots.create"), client.get(answer["Location"]).content.decode()
    assert (f'id="job-{job.uuid}"' in working, form in working) == (True, False)
    run_ok("default")
    snapshot = Snapshot.objects.get()
    page = client.get(reverse("snapshots:detail", args=[snapshot.uuid])).content.decode()

    assert (snapshot.number, snapshot.leakage["leaked"]) == (1, 0)
    assert "Support inbox" in page
    assert snapshot.digest in page
    assert 'data-leakage="none"' in page
    assert "for the first run" in page
    # the step, and the part that is loaded with its link
    assert page.count(reverse("trace:snapshot", args=[snapshot.uuid])) == 3


@pytest.mark.parametrize(
    ("make", "expected"), [(generation_snapshot, "each with a response"), (spans_snapshot, "2 labels")]
)
def test_the_figure_of_rows_depends_on_the_task(make, expected, project, mia, client_for):
    snapshot = make(project, mia)

    answer = client_for(mia).get(reverse("snapshots:detail", args=[snapshot.uuid]))

    assert answer.context["figures"][0].sub == expected
    assert ('id="contents"' in answer.content.decode()) is (expected == "2 labels")


def test_shares_that_do_not_add_up_to_a_hundred_are_a_field_error(dataset, mia, client_for):
    answer = client_for(mia).post(
        reverse("snapshots:freeze", args=[dataset.uuid]), FORM | {"test": 20}, **HTMX
    )

    assert answer.status_code == 422
    assert 'id="id_train_error"' in answer.content.decode()
    assert not Job.objects.filter(kind="snapshots.create").exists()


def test_a_stale_form_is_refused_and_changes_nothing(snapshot, dataset, mia, client_for):
    answer = client_for(mia).post(reverse("snapshots:freeze", args=[dataset.uuid]), FORM)

    assert answer.status_code == 409
    assert not Job.objects.filter(kind="snapshots.create", state="queued").exists()
    assert Snapshot.objects.count() == 1


def test_strangers_get_404_and_wrong_roles_403_and_nothing_changes(
    snapshot, dataset, ana, gita, otto, client_for
):
    freezing, exporting = (
        reverse("snapshots:freeze", args=[dataset.uuid]),
        reverse("snapshots:export", args=[snapshot.uuid]),
    )
    for url in (
        reverse("snapshots:detail", args=[snapshot.uuid]),
        reverse("snapshots:dataset", args=[dataset.uuid]),
    ):
        assert client_for(otto).get(url).status_code == 404
        assert client_for(gita).get(url).status_code == 200
    for url in (freezing, exporting):
        assert client_for(otto).post(url, FORM | {"format": "csv"}).status_code == 404
        assert client_for(ana).post(url, FORM | {"format": "csv"}).status_code == 403

    assert Snapshot.objects.count() == 1
    assert not Job.objects.filter(kind="snapshots.export").exists()


@pytest.mark.postgres
def test_a_file_is_created_and_downloaded_with_permission(snapshot, mia, gita, client_for):
    client = client_for(mia)
    client.post(reverse("snapshots:export", args=[snapshot.uuid]), {"format": "csv"})
    run_ok("default")
    made = Export.objects.get()
    answer = client.get(reverse("snapshots:download", args=[made.uuid]))

    assert answer["Content-Disposition"] == 'attachment; filename="support-inbox-v1.csv"'
    assert b"".join(answer.streaming_content).count(b"\n") == 41
    assert client_for(gita).get(reverse("snapshots:download", args=[made.uuid])).status_code == 403
    assert made.blob.digest in client.get(reverse("snapshots:detail", args=[snapshot.uuid])).content.decode()


def test_the_list_takes_the_same_number_of_statements_for_any_number(
    snapshot, dataset, mia, client_for, django_assert_num_queries
):
    client = client_for(mia)
    client.get(reverse("snapshots:list"))
    for more in (0, 3):
        for _ in range(more):
            freeze(dataset, mia)
        with django_assert_num_queries(3):
            page = client.get(reverse("snapshots:list"), **HTMX).content.decode()
        assert sum(f"/dataset-versions/{each.uuid}/" in page for each in Snapshot.objects.all()) == 1 + more


@pytest.mark.postgres
def test_the_api_freezes_and_exports(dataset, mia, client_for):
    client = client_for(mia)
    sent = client.post(
        f"/api/v1/datasets/{dataset.uuid}/dataset-versions/",
        {"note": "by API"},
        content_type="application/json",
    )
    assert (sent.status_code, sent.json()["kind"]) == (202, "snapshots.create")
    run_ok("default")
    found = client.get("/api/v1/dataset-versions/").json()["results"][0]
    assert (found["note"], found["counts"]["rows"]) == ("by API", 40)
    exports = f"/api/v1/dataset-versions/{found['uuid']}/exports/"
    assert client.post(exports, {"format": "jsonl"}, content_type="application/json").status_code == 202
    run_ok("default")
    file = client.get(client.get(exports).json()[0]["url"])
    assert len(b"".join(file.streaming_content).splitlines()) == 40
    wrong = client.post(
        f"/api/v1/datasets/{dataset.uuid}/dataset-versions/",
        {"shares": {"train": 1, "validation": 1, "test": 1}},
        content_type="application/json",
    )
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["train"])
    assert Snapshot.objects.count() == 1
