"""Who answers for the labels that judge a model."""

import pytest

from datasets_app.labeling import actions, queries
from datasets_app.labeling.relabelling import Change
from registry.promotions import subject
from tests.support.jobs import run_ok
from tests.support.labeling import decided_dataset
from tests.support.snapshots import freeze

pytestmark = pytest.mark.django_db


def test_who_merged_classes_of_test_rows_answers_for_their_labels(project, mia, ana, lee):
    rows = [(f"text {n}", ("billing", "card", "lost")[n % 3]) for n in range(30)]
    dataset = decided_dataset(project, ana, rows, manager=mia)
    snapshot = freeze(dataset, mia, shares={"train": 60, "validation": 20, "test": 20})
    labels = queries.labels_by_name(queries.latest_schema(dataset))
    before = subject.test_labels(snapshot)
    assert subject.deciders(snapshot) == []

    actions.change_classes(dataset_id=dataset.uuid, actor=lee, wanted=[Change(labels["lost"].stable_id, "merge", ("card",))])
    run_ok()

    assert subject.deciders(snapshot) == [str(lee.uuid)]
    assert subject.test_labels(snapshot) != before  # what was looked at is another, so open requests are void
