"""Quality of answers that are more than one class, and of queues whose classes changed meanwhile."""

from __future__ import annotations

import pytest
from django.utils.html import escape

from datasets_app.quality.actions.quality import measure_quality
from datasets_app.quality.models import QualityReport
from datasets_app.quality.queries.quality import queue_agreement
from datasets_app.review.actions.changes import change_labels
from datasets_app.schemas.relabeling import Change, ChangeKind
from tests.support.jobs import run_ok
from tests.support.labeling import annotate_items, label_items, make_dataset, make_queue

pytestmark = pytest.mark.django_db
N = 4


@pytest.fixture(autouse=True)
def _few_are_enough(monkeypatch):
    monkeypatch.setattr("datasets_app.quality.agreement.tally.FEWEST", N)


def measured(queue, mia) -> dict[str, float]:
    measure_quality(queue_id=queue.uuid, actor=mia)
    run_ok("default")
    figures = QualityReport.objects.get(queue=queue).figures
    return {each["name"]: each["value"] for each in figures["coefficients"]}


def two_annotate(project, mia, people, task, values, schema):
    queue = make_queue(
        make_dataset(project, mia, [f"Anna {n} of Siemens" for n in range(N)], task=task),
        mia,
        schema=schema,
        overlap=2,
    )
    annotate_items(queue, {user: [values(n)[at] for n in range(N)] for at, user in enumerate(people)})
    return queue


def test_sets_of_classes_are_measured_by_how_much_they_share(project, mia, ana, ben):
    def values(n):
        return ({"labels": ["a", "b"]}, {"labels": ["a", "b"] if n % 2 else ["a"]})

    found = measured(two_annotate(project, mia, (ana, ben), "multi_label", values, ["a", "b"]), mia)

    assert found["percent"] == 0.5
    assert set(found) == {"percent", "alpha_masi"}


def test_spans_are_measured_by_their_overlap(project, mia, ana, ben):
    def values(n):
        end = 4 if n % 4 else 5 + len(str(n))  # every fourth: one word more
        return (
            {"spans": [{"start": 0, "end": 4, "label": "PER"}]},
            {"spans": [{"start": 0, "end": end, "label": "PER"}]},
        )

    found = measured(two_annotate(project, mia, (ana, ben), "spans", values, ["PER"]), mia)

    assert found == {"percent": 0.75, "span_f1": 0.75, "span_f1_overlap": 1.0}


def test_choices_are_equal_or_not(project, mia, ana, ben, client_for):
    def values(n):
        return ({"text": f"text {n % 3}"}, {"text": f"text {n % 3}" if n % 2 else "other"})

    queue = two_annotate(project, mia, (ana, ben), "generation", values, [])

    assert measured(queue, mia)["percent"] == 0.5
    assert queue_agreement(queue).percent == 0.5
    answer = client_for(mia).get(f"/labeling/{queue.uuid}/quality/")
    page = answer.content.decode()
    (shown,) = [row for row in answer.context["coefficients"] if row.note]
    assert escape(shown.note) in page
    assert 'data-kappa="no-single-label"' in page
    assert (
        'id="confused"' not in page
    )  # where there are labels: test_the_button_measures_and_the_page_shows_it


def test_answers_of_retired_and_merged_classes_are_read_as_they_are_now(project, mia, ana, ben):
    dataset = make_dataset(project, mia, [f"text {n}" for n in range(N + 2)])
    queue = make_queue(dataset, mia, overlap=2)
    label_items(queue, {ana: ["card"] * N + ["transfer"] * 2, ben: ["billing"] * N + ["transfer"] * 2})
    ids = {label.name: label.stable_id for label in queue.schema.labels.all()}

    change_labels(
        dataset_id=dataset.uuid,
        actor=mia,
        move=[queue.uuid],
        wanted=[
            Change(ids["billing"], ChangeKind.MERGE, ("card",)),
            Change(ids["transfer"], ChangeKind.RETIRE),
        ],
    )
    run_ok("default")
    queue.refresh_from_db()

    assert measured(queue, mia)["percent"] == 1.0
    assert QualityReport.objects.get(queue=queue).figures["items"] == N
