"""The pages and the API of corrected labels."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.exchange.models import Correction
from datasets_app.queues.queries.decisions import current_decisions
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_ok

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project, ana):
    dataset = make_dataset(project, ana)
    import_texts(dataset, [(f"text {n}", ("card", "cash")[n % 2]) for n in range(4)], ana)
    return dataset


def content(dataset, **labels: str) -> bytes:
    """Current labels as JSONL, with other labels for some texts."""
    rows = [
        {
            "item": row.item.digest,
            "decision": row.digest,
            "label": labels.get(row.item.text.replace(" ", ""), row.label.name),
        }
        for row in current_decisions(dataset)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_a_file_is_uploaded_reviewed_and_accepted(client, dataset, ravi):
    client.force_login(ravi)
    page = client.get(reverse("exchange:corrections", args=[dataset.uuid]))
    upload_url = reverse("exchange:upload_corrections", args=[dataset.uuid])
    assert list(page.context["corrections"]) == []
    assert f'action="{upload_url}"' in page.content.decode()
    assert (
        reverse("exchange:corrections", args=[dataset.uuid])
        in client.get(reverse("schemas:schema", args=[dataset.uuid])).content.decode()
    )

    file = SimpleUploadedFile("fixed.jsonl", content(dataset, text0="cash", text1="csah"))
    answer = client.post(upload_url, {"file": file})
    found = Correction.objects.get()
    assert (answer.status_code, answer.url) == (302, reverse("exchange:correction", args=[found.uuid]))
    run_ok("default")

    shown, accept_url = client.get(answer.url), reverse("exchange:accept_corrections", args=[found.uuid])
    assert (shown.context["changed"], shown.context["unknown"]) == (1, [["csah", 1, "cash"]])
    assert "csah" in shown.content.decode()
    assert f'action="{accept_url}"' in shown.content.decode()
    assert 'data-state="written"' not in shown.content.decode()

    answer = client.post(accept_url, {})
    assert (answer.status_code, answer.url) == (302, reverse("exchange:correction", args=[found.uuid]))
    run_ok("default")
    assert [row.label.name for row in current_decisions(dataset)] == ["cash", "cash", "card", "cash"]
    assert 'data-state="written"' in client.get(answer.url).content.decode()


def test_a_file_of_an_unsupported_type_is_rejected_by_the_form(client, dataset, ravi):
    client.force_login(ravi)

    answer = client.post(
        reverse("exchange:upload_corrections", args=[dataset.uuid]),
        {"file": SimpleUploadedFile("a.pdf", b"%PDF-1.7 nothing")},
    )

    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["file"])
    assert 'id="id_file_error"' in answer.content.decode()
    assert Correction.objects.count() == 0


def test_a_file_over_the_limit_is_reported_as_too_large_and_not_as_missing(client, dataset, ravi, settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    client.force_login(ravi)

    answer = client.post(
        reverse("exchange:upload_corrections", args=[dataset.uuid]),
        {"file": SimpleUploadedFile("a.jsonl", b"x" * 2_000_000)},
    )

    errors = answer.context["form"].errors
    assert (answer.status_code, ["1 MB" in each for each in errors["file"]]) == (422, [True])
    assert Correction.objects.count() == 0


@pytest.mark.postgres
def test_a_file_that_changes_nothing_is_refused(client, dataset, ravi):
    client.force_login(ravi)
    client.post(
        reverse("exchange:upload_corrections", args=[dataset.uuid]),
        {"file": SimpleUploadedFile("a.jsonl", content(dataset))},
    )
    run_ok("default")
    found = Correction.objects.get()

    shown, accept_url = (
        client.get(reverse("exchange:correction", args=[found.uuid])),
        reverse("exchange:accept_corrections", args=[found.uuid]),
    )
    assert (shown.context["changed"], shown.context["moved"], shown.context["may_accept"]) == (0, 0, True)
    assert accept_url not in shown.content.decode()
    answer = client.post(accept_url, {})
    assert answer.status_code == 422
    assert Correction.objects.get().state == "looked"


def test_the_list_takes_the_same_queries_for_one_file_and_for_many(client, dataset, ravi):
    client.force_login(ravi)
    first = content(dataset, text0="cash")
    counts = []
    for more in (1, 4):
        for n in range(more):
            file = SimpleUploadedFile(f"{n}.jsonl", first)
            client.post(reverse("exchange:upload_corrections", args=[dataset.uuid]), {"file": file})
        client.get(reverse("exchange:corrections", args=[dataset.uuid]))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(reverse("exchange:corrections", args=[dataset.uuid]))
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.postgres
def test_the_same_over_rest(client, dataset, ravi):
    client.force_login(ravi)
    address = f"/api/v1/labeling/datasets/{dataset.uuid}/corrections/"

    made = client.post(
        f"{address}?name=fixed.jsonl", content(dataset, text0="cash"), content_type="application/octet-stream"
    )
    run_ok("default")
    one = f"/api/v1/labeling/corrections/{made.json()['uuid']}/"
    looked = client.get(one).json()
    job = client.post(f"{one}accept/", {"take_moved": False}, content_type="application/json")
    run_ok("default")

    assert (made.status_code, made.json()["state"], job.status_code) == (201, "looking", 202)
    assert (looked["state"], looked["report"]["look"]["pairs"]) == ("looked", [["card", "cash", 1]])
    assert client.get(one).json()["report"]["written"] == {"changed": 1, "unchanged": 3}
    assert [each["uuid"] for each in client.get(address).json()] == [made.json()["uuid"]]
