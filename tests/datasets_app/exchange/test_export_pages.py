"""The pages and the API of annotation exports, and the annotators listed by a dry run."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from datasets_app.exchange.models import Export
from datasets_app.queues.models import Queue
from registry.ground.access.models import User
from tests.support.datasets import import_file, make_dataset, receive
from tests.support.jobs import run_ok
from tests.support.tools import annotation, as_json, choice, task

pytestmark = pytest.mark.django_db
TASKS = as_json(
    [task(1, "secret words", annotation("ana@x.org", choice("pos")), annotation(7, choice("neg")))]
)


@pytest.fixture
def dataset(project, mia, ana):
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")
    return make_dataset(project, mia)


def test_the_dry_run_shows_which_annotators_have_accounts(client, dataset, mia, ana):
    upload = receive(dataset, mia, TASKS, "project.json")
    client.force_login(mia)
    page = client.get(f"/datasets/uploads/{upload.uuid}/").content.decode()

    assert "ana@x.org" in page
    assert str(ana) in page
    assert page.count('data-account="none"') == 1  # of annotator 7
    assert 'name="labels_as"' in page


def test_an_imported_project_links_to_the_queue_of_its_annotations(client, dataset, mia):
    upload = import_file(dataset, mia, TASKS, "project.json")
    client.force_login(mia)
    queue = Queue.objects.get()

    assert (
        f"/labeling/uploads/{upload.uuid}/"
        in client.get(f"/datasets/uploads/{upload.uuid}/").content.decode()
    )
    assert client.get(f"/labeling/uploads/{upload.uuid}/").headers["Location"] == f"/labeling/{queue.uuid}/"
    assert "7, from project.json" in client.get(f"/labeling/{queue.uuid}/").content.decode()
    other = import_file(dataset, mia, b"text\nb\n")
    assert client.get(f"/labeling/uploads/{other.uuid}/").status_code == 404


@pytest.mark.parametrize("of_queue", [True, False])
def test_an_export_is_requested_created_and_downloaded(client, dataset, mia, of_queue):
    import_file(dataset, mia, TASKS, "project.json")
    client.force_login(mia)
    url = (
        f"/labeling/{Queue.objects.get().uuid}/exports/"
        if of_queue
        else f"/labeling/datasets/{dataset.uuid}/exports/"
    )
    before = client.get(url)
    assert (list(before.context["exports"]), b'class="empty"' in before.content) == ([], True)

    assert client.post(url, {"format": "labelstudio"}).headers["Location"] == url
    working = client.get(url).content.decode()
    assert ('hx-trigger="job-ended from:body"' in working, 'class="empty"' in working) == (True, False)
    run_ok("default")

    made = Export.objects.get()
    page = client.get(url).content.decode()
    assert f'href="/labeling/exports/{made.uuid}/"' in page
    assert made.blob.digest[:8] in page
    answer = client.get(f"/labeling/exports/{made.uuid}/")
    assert (answer.headers["Content-Type"], answer.headers["Content-Disposition"]) == (
        "application/zip",
        f'attachment; filename="{dataset.slug}-labelstudio.zip"',
    )
    assert b"".join(answer.streaming_content)[:2] == b"PK"


def test_an_unknown_format_and_an_unfit_role_are_refused(client, dataset, mia, ana):
    url = f"/labeling/datasets/{dataset.uuid}/exports/"
    form, denied = f'action="{url}"', 'data-state="no-permission"'
    client.force_login(mia)
    page = client.get(url).content.decode()
    assert (form in page, denied in page) == (True, False)
    assert client.post(url, {"format": "word"}).status_code == 422
    client.force_login(ana)
    assert client.post(url, {"format": "labelstudio"}).status_code == 403
    page = client.get(url).content.decode()
    assert (form in page, denied in page) == (False, True)
    run_ok("default")
    assert not Export.objects.exists()


@pytest.mark.postgres
def test_the_api_makes_and_lists_files(client, dataset, mia):
    import_file(dataset, mia, TASKS, "project.json")
    client.force_login(mia)
    url = f"/api/v1/datasets/{dataset.uuid}/annotation-exports/"
    queue = str(Queue.objects.get().uuid)

    assert (
        client.post(url, {"format": "argilla", "queue": queue}, content_type="application/json").status_code
        == 202
    )
    wrong = client.post(
        url, {"format": "argilla", "queue": str(dataset.uuid)}, content_type="application/json"
    )
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["queue"])
    run_ok("default")

    (found,) = client.get(url).json()
    assert (found["format"], found["queue"], found["items"], found["annotations"]) == ("argilla", queue, 1, 2)
    assert found["file_name"] == f"{dataset.slug}-argilla.json"
    assert b"".join(client.get(found["url"]).streaming_content).startswith(b"[\n{")


def test_the_list_of_files_takes_the_same_queries_for_any_number(client, dataset, mia):
    import_file(dataset, mia, TASKS, "project.json")
    client.force_login(mia)
    url, costs = f"/api/v1/datasets/{dataset.uuid}/annotation-exports/", []
    for format in ("argilla", "doccano"):
        client.post(url, {"format": format}, content_type="application/json")
        run_ok("default")
        with CaptureQueriesContext(connection) as queries:
            client.get(url)
        costs.append(len(queries))

    assert (costs[0], Export.objects.count()) == (costs[1], 2)
