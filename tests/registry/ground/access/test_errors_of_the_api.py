"""Every refusal of the API is JSON of one form, also where a request is refused before its view reads it."""

import pytest
from django.conf import settings

from datasets_app.datasets.models import Dataset
from lifecycle.runtime.refusals import Conflict, NotReady
from registry.ground.access.answers import api_exception_handler


def test_json_over_the_limit_answers_413_in_json(project, mia, client_for):
    client = client_for(mia)
    client.raise_request_exception = False
    body = b'{"project": "%s", "name": "%s"}' % (
        str(project.uuid).encode(),
        b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    )

    answer = client.post("/api/v1/datasets/", body, content_type="application/json")

    assert (answer.status_code, answer["Content-Type"]) == (413, "application/json")
    assert answer.json() == {
        "code": "too_large",
        "message": "The request body is limited to 5 MB. Send smaller requests.",
        "fields": {},
    }
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("refusal", "again"), [(NotReady("It is being fetched."), "5"), (Conflict("It has changed."), None)]
)
def test_what_will_be_possible_later_shows_when_to_ask_again(refusal, again):
    answer = api_exception_handler(refusal, {})

    assert (answer.status_code, answer.headers.get("Retry-After")) == (refusal.status, again)
