"""What the API refuses and leaves out of the pre-labels that models elsewhere send."""

from __future__ import annotations

import pytest

from datasets_app.prelabels.models import Suggestion
from tests.support.labeling import make_dataset, make_schema

pytestmark = pytest.mark.django_db
DIGEST = "e" * 64


def send(client, dataset, rows, **fields):
    body = {"name": "m1", "digest": DIGEST, "rows": rows} | fields
    return client.post(
        f"/api/v1/labeling/datasets/{dataset.uuid}/pre-labels/", body, content_type="application/json"
    )


@pytest.mark.postgres
def test_one_request_takes_a_thousand_rows_and_names_one_that_cannot_be_kept(project, mia, client_for):
    dataset = make_dataset(project, mia, ["one"])
    make_schema(dataset, mia)
    item, client = str(dataset.items.get().uuid), client_for(mia)
    right = {"item": item, "label": "card"}

    for rows, message in (
        ([], "0 rows were sent; one request takes 1 to 1,000."),
        ([right] * 1_001, "1,001 rows were sent; one request takes 1 to 1,000."),
        (
            [right, {"item": item, "value": {"text": "card"}}],
            "Row 2 has no label, which pre-labels for this dataset's task require.",
        ),
        ([right, right | {"item": "00000000-0000-4000-8000-000000000000"}], "Row 2: no such item in Inbox."),
    ):
        answer = send(client, dataset, rows)
        assert (answer.status_code, answer.json()["message"]) == (422, message)
    assert not Suggestion.objects.exists()


@pytest.mark.parametrize("score", ["high", 1.5, -0.1, True, [0.5], {"of": 1}])
def test_spans_with_a_score_that_is_no_share_are_left_out(score, project, mia, client_for):
    marked = make_dataset(project, mia, ["Anna works"], task="spans")
    person, item = make_schema(marked, mia, ("PER",)).labels.get(), marked.items.get()
    spans = [{"start": 0, "end": 4, "label": str(person.stable_id), "score": each} for each in (0.8, score)]

    answer = send(
        client_for(mia), marked, [{"item": str(item.uuid), "value": {"spans": spans}, "score": 0.8}]
    )

    assert (answer.status_code, answer.json()["kept"]) == (201, 0)
    assert not Suggestion.objects.exists()
