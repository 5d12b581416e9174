"""Pages and API of datasets by role, with and without htmx."""

from __future__ import annotations

import errno

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets_app.datasets import queries
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from lifecycle.ground.jobs.models import Job
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import csv_bytes, import_texts, make_dataset, receive
from tests.support.jobs import run_ok
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
CONTENT = csv_bytes([["hello there", "greeting"], ["bye", "farewell"]], ["text", "label"])


@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana, "Support inbox")


@pytest.mark.postgres
def test_a_file_is_uploaded_reviewed_accepted_and_shown(dataset, ana, client_for):
    client = client_for(ana)
    file = SimpleUploadedFile("messages.csv", CONTENT)
    answer = client.post(
        reverse("datasets:receive", args=[dataset.uuid]), {"file": file, "origin": "the help desk"}
    )
    upload = Upload.objects.get()

    assert answer.status_code == 302
    assert answer["Location"] == reverse("datasets:upload", args=[upload.uuid])
    shown, accept_url = client.get(answer["Location"]), reverse("datasets:accept", args=[upload.uuid])
    assert "hello there" in shown.content.decode()
    assert shown.context["found"]["ok"] == 2
    assert f'action="{accept_url}"' in shown.content.decode()

    seen = queries.seen_digest(upload)
    client.post(accept_url, {"labels_as": "decisions", "seen": seen})
    job = Job.objects.get(kind="datasets.import")
    assert f'id="job-{job.uuid}"' in client.get(answer["Location"]).content.decode()
    run_ok("default")
    done = client.get(answer["Location"]).content.decode()
    items_url = f'href="{reverse("datasets:dataset", args=[dataset.uuid])}?upload={upload.uuid}"'
    assert (items_url in done, f'action="{accept_url}"' in done) == (True, False)
    assert "hello there" in client.get(reverse("datasets:dataset", args=[dataset.uuid])).content.decode()


def test_htmx_gets_the_fragment_and_a_full_load_after_upload(dataset, ana, client_for):
    client = client_for(ana)
    answer = client.post(
        reverse("datasets:receive", args=[dataset.uuid]),
        {"file": SimpleUploadedFile("m.csv", CONTENT)},
        **HTMX,
    )
    upload = Upload.objects.get()

    assert answer["HX-Redirect"] == reverse("datasets:upload", args=[upload.uuid])
    fragment = client.get(reverse("datasets:upload", args=[upload.uuid]), **HTMX).content.decode()
    assert "<html" not in fragment
    assert 'id="upload"' in fragment


def test_a_changed_mapping_checks_the_file_again(dataset, ana, client_for):
    upload = receive(dataset, ana, csv_bytes([["a", "b"]], ["text", "label"]))
    data = {
        "encoding": "utf-8",
        "parser": "csv",
        "delimiter": ",",
        "has_header": "on",
        "column_0": "ignore",
        "column_1": "text",
    }
    answer = client_for(ana).post(reverse("datasets:inspect", args=[upload.uuid]), data, **HTMX)

    assert answer.status_code == 200
    assert Upload.objects.get().mapping == {"text": "ignore", "label": "text"}


@pytest.mark.postgres
def test_a_changed_delimiter_proposes_columns_again(dataset, ana, client_for):
    upload = receive(dataset, ana, b"text;label,x\na;b,c\n")
    data = {
        "encoding": "utf-8",
        "parser": "csv",
        "delimiter": ",",
        "has_header": "on",
        "column_0": "text",
        "column_1": "label",
    }
    client_for(ana).post(reverse("datasets:inspect", args=[upload.uuid]), data)

    assert Upload.objects.get().report["dry_run"]["columns"] == ["text;label", "x"]


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [
        ("a.csv", b"", "is empty"),
        ("a.xlsx", b"PK\x03\x04" + bytes(100), "damaged"),
        ("a.csv", b"x" * 2_000_000, "1 MB"),
    ],
)
def test_unreadable_files_are_refused_and_nothing_is_stored(
    dataset, ana, client_for, settings, name, content, fragment
):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    answer = client_for(ana).post(
        reverse("datasets:receive", args=[dataset.uuid]), {"file": SimpleUploadedFile(name, content)}
    )

    assert answer.status_code == 422
    errors = answer.context["upload_form"].errors
    assert (list(errors), [fragment in each for each in errors["file"]]) == (["file"], [True])
    assert 'id="id_file_error"' in answer.content.decode()
    assert not Upload.objects.exists()


def test_hostile_texts_and_names_are_inert(dataset, ana, client_for):
    upload = receive(
        dataset,
        ana,
        '<script>alert(1)</script>,label\n"<img src=x onerror=alert(2)>",\u202eevil\n'.encode(),
        "<b>.csv",
    )
    page = client_for(ana).get(reverse("datasets:upload", args=[upload.uuid])).content.decode()

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "<b>.csv" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;img src=x" in page
    assert "&lt;b&gt;.csv" in page


def test_texts_are_hidden_from_roles_that_may_not_read_samples(dataset, ana, omar, client_for):
    import_texts(dataset, [("a secret text", "x", "kept apart")], ana, header=("text", "label", "note"))
    item = Item.objects.get()
    for url in (reverse("datasets:item", args=[item.uuid]), reverse("datasets:dataset", args=[dataset.uuid])):
        page = client_for(omar).get(url).content.decode()
        assert "a secret text" in client_for(ana).get(url).content.decode()
        assert "a secret text" not in page
        assert "kept apart" not in page
        assert item.digest[:8] in page
    url = reverse("datasets:upload", args=[item.upload.uuid])
    upload, of_ana = (client_for(person).get(url).content.decode() for person in (omar, ana))
    assert ('data-preview="hidden"' in upload, "a secret text" in upload) == (True, False)
    assert ('data-preview="shown"' in of_ana, "a secret text" in of_ana) == (True, True)
    answer = client_for(omar).get(f"/api/v1/items/{item.uuid}/").json()
    assert (answer["text"], answer["metadata"], answer["digest"]) == (None, None, item.digest)


def test_strangers_get_404_and_wrong_roles_403_and_nothing_changes(dataset, ana, otto, gita, client_for):
    upload = receive(dataset, ana, CONTENT)
    posts = [reverse(f"datasets:{name}", args=[upload.uuid]) for name in ("inspect", "accept", "discard")]
    posts.append(reverse("datasets:receive", args=[dataset.uuid]))
    for url in [
        *posts,
        reverse("datasets:dataset", args=[dataset.uuid]),
        reverse("datasets:upload", args=[upload.uuid]),
    ]:
        method = "post" if url in posts else "get"
        assert getattr(client_for(otto), method)(url).status_code == 404
    for url in posts:
        assert client_for(gita).post(url).status_code == 403

    assert Upload.objects.get().state == UploadState.INSPECTED
    assert Upload.objects.count() == 1


def test_items_of_a_running_import_are_hidden(dataset, ana, client_for):
    import_texts(dataset, ["seen"], ana)
    upload = receive(dataset, ana, CONTENT)
    Upload.objects.filter(pk=upload.pk).update(state=UploadState.IMPORTING)
    hidden = Item.objects.create(
        dataset=dataset, upload=upload, line=2, text="hidden", digest="0" * 64, normal_digest="0" * 64
    )

    assert client_for(ana).get(reverse("datasets:item", args=[hidden.uuid])).status_code == 404
    assert "hidden" not in [item.text for item in queries.items(dataset)]


@pytest.mark.parametrize("count", [1, 8])
def test_lists_take_a_constant_number_of_queries(project, ana, client_for, django_assert_num_queries, count):
    for number in range(count):
        make_dataset(project, ana, f"Dataset {number}")
    first = Dataset.objects.first()
    import_texts(first, [f"text {number}" for number in range(count)], ana)
    client = client_for(ana)
    client.get(reverse("datasets:list"))

    with django_assert_num_queries(LIST_STATEMENTS):
        client.get(reverse("datasets:list"), **HTMX)
    with django_assert_num_queries(DATASET_STATEMENTS):
        client.get(reverse("datasets:dataset", args=[first.uuid]), **HTMX)


LIST_STATEMENTS, DATASET_STATEMENTS = 4, 19


@pytest.mark.postgres
def test_items_are_paged_by_key(dataset, ana, client_for):
    import_texts(dataset, [f"text {number:02}" for number in range(35)], ana)
    page = queries.item_page(queries.items(dataset))
    older = queries.item_page(queries.items(dataset), before=page.before)

    assert (page.items[0].text, page.items[-1].text, page.after) == ("text 34", "text 05", None)
    assert [item.text for item in older.items] == ["text 04", "text 03", "text 02", "text 01", "text 00"]
    assert queries.item_page(queries.items(dataset), after=older.after).items == page.items
    assert queries.item_page(queries.items(dataset), after=page.items[0].pk) == queries.ItemPage(
        [], None, None
    )


@pytest.mark.postgres
def test_the_api_accepts_a_raw_body_and_returns_the_dry_run(project, ana, client_for):
    client = client_for(ana)
    made = client.post(
        "/api/v1/datasets/", {"project": str(project.uuid), "name": "By API"}, content_type="application/json"
    )
    assert made.status_code == 201
    url = f"/api/v1/datasets/{made.json()['uuid']}/uploads/?name=messages.csv"
    sent = client.post(url, CONTENT, content_type="text/csv")
    assert sent.status_code == 201
    found = sent.json()
    assert (found["state"], found["mapping"], found["report"]["dry_run"]["ok"]) == (
        "inspected",
        {"text": "text", "label": "label"},
        2,
    )

    accepted = client.post(
        f"/api/v1/uploads/{found['uuid']}/accept/", {"seen": found["seen"]}, content_type="application/json"
    )
    assert (accepted.status_code, accepted.json()["kind"]) == (202, "datasets.import")
    run_ok("default")
    items = client.get(f"/api/v1/datasets/{made.json()['uuid']}/items/").json()
    assert [item["text"] for item in items["results"]] == ["bye", "hello there"]
    again = client.post(f"/api/v1/uploads/{found['uuid']}/accept/", {}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_a_full_disk_is_reported_and_nothing_is_stored(dataset, ana, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "put_file", full)
    with refused():
        receive(dataset, ana, CONTENT)
    assert not Upload.objects.exists()
