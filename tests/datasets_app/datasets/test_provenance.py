"""The provenance of a file's texts: entered with the upload, saved, shown, and in the audit log."""

from __future__ import annotations

import datetime
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.urls import reverse

from datasets_app.datasets import actions
from datasets_app.datasets.models import Upload
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.datasets import csv_bytes, make_dataset

pytestmark = pytest.mark.django_db
CONTENT = csv_bytes([["hello", "x"]], ["text", "label"])
PROVENANCE = {
    "origin": "the help desk",
    "collected_from": "2026-01-02",
    "collected_until": "2026-03-04",
    "collected_how": "exported by hand",
    "licence": "CC0",
    "consent": "in the terms of use",
    "synthetic": "on",
    "generator": "model m1",
}


@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana)


def test_provenance_is_saved_shown_and_recorded(dataset, ana, client_for):
    client = client_for(ana)
    client.post(
        reverse("datasets:receive", args=[dataset.uuid]),
        {"file": SimpleUploadedFile("a.csv", CONTENT), **PROVENANCE},
    )
    upload = Upload.objects.get()
    page = client.get(reverse("datasets:upload", args=[upload.uuid])).content.decode()
    actions.accept_upload(upload_id=upload.uuid, actor=ana)

    assert (upload.collected_from, upload.collected_until) == (
        datetime.date(2026, 1, 2),
        datetime.date(2026, 3, 4),
    )
    for shown in (
        "the help desk",
        "2026-01-02 to 2026-03-04",
        "exported by hand",
        "CC0",
        "in the terms of use",
        "yes, by model m1",
    ):
        assert shown in page
    event = json.loads(Event.objects.get(verb=Verb.UPLOAD_ACCEPTED).canonical)
    assert event["payload"]["provenance"] == {**PROVENANCE, "synthetic": True}
    found = client.get(f"/api/v1/uploads/{upload.uuid}/").json()["provenance"]
    assert found == {**PROVENANCE, "synthetic": True}


def test_the_api_takes_provenance_from_the_query(dataset, ana, client_for):
    url = f"/api/v1/datasets/{dataset.uuid}/uploads/?name=a.csv&origin=here&synthetic=true&generator=m1&collected_from=2026-01-02"  # noqa: E501
    found = client_for(ana).post(url, CONTENT, content_type="text/csv").json()["provenance"]

    assert (found["origin"], found["synthetic"], found["generator"], found["collected_from"]) == (
        "here",
        True,
        "m1",
        "2026-01-02",
    )
    assert (found["collected_until"], found["licence"]) == (None, "")


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"synthetic": "on"}, "generator", "Enter the program or model that made the synthetic texts."),
        ({"generator": "m1"}, "generator", "Only synthetic texts have a generator"),
        (
            {"collected_from": "2026-03-04", "collected_until": "2026-01-02"},
            "collected_until",
            "The last day is before the first.",
        ),
    ],
)
def test_contradicting_provenance_is_refused_by_field_and_nothing_is_stored(
    dataset, ana, client_for, given, field, sentence
):
    client = client_for(ana)
    answer = client.post(
        reverse("datasets:receive", args=[dataset.uuid]),
        {"file": SimpleUploadedFile("a.csv", CONTENT), **given},
    )

    assert answer.status_code == 422
    ((name, (refusal,)),) = answer.context["upload_form"].errors.items()
    assert (name, refusal.startswith(sentence)) == (field, True)
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert "<details open>" in answer.content.decode()
    query = "&".join(f"{name}={'true' if value == 'on' else value}" for name, value in given.items())
    refused = client.post(
        f"/api/v1/datasets/{dataset.uuid}/uploads/?name=a.csv&{query}", CONTENT, content_type="text/csv"
    )
    assert (refused.status_code, list(refused.json()["fields"])) == (422, [field])
    assert not Upload.objects.exists()


@pytest.mark.postgres
def test_the_database_allows_generators_only_for_synthetic_files(dataset, ana, client_for):
    actions.receive_upload(
        dataset=dataset, actor=ana, file=SimpleUploadedFile("a.csv", CONTENT), file_name="a.csv"
    )

    with pytest.raises(IntegrityError), transaction.atomic():
        Upload.objects.update(generator="m1")
    assert Upload.objects.get().generator == ""
