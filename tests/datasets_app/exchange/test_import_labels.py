"""Labels of a file become decisions or pre-labels, once."""

import pytest
from django.db import DatabaseError, transaction

from datasets_app.datasets.models import Upload
from datasets_app.exchange.actions.imports import Importer
from datasets_app.prelabels.actions.suggestions import suggest
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Decision
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.models import LabelSchema
from datasets_app.schemas.queries.labels import latest_schema
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.labeling import add_items, adjudicators_of, make_dataset, make_schema

pytestmark = pytest.mark.django_db
ROWS = ("card", "billing", "card")


@pytest.fixture
def items(project, mia):
    dataset = make_dataset(project, mia)
    return add_items(dataset, mia, ["one", "two", "three"], imported=False)


def run_import(items, labels_as="decisions", names=("card", "billing")):
    upload = items[0].upload
    upload.labels_as = labels_as
    upload.save(update_fields=["labels_as"])
    importer = Importer()
    for _ in range(2):  # a crash and a second attempt
        with transaction.atomic():
            importer.begin(upload, names)
            importer.write(upload, [(item, {"label": name}) for item, name in zip(items, ROWS, strict=True)])
    with transaction.atomic():
        Upload.objects.filter(pk=upload.pk).update(state="imported")
        importer.finish(upload)
    return upload


def test_imported_decisions_belong_to_the_person_who_accepted_the_file(items, mia):
    upload = run_import(items)

    rows = [(d.label.name, d.how, d.by) for d in current_decisions(upload.dataset)]
    assert rows == [("card", "imported", mia), ("billing", "imported", mia), ("card", "imported", mia)]
    assert adjudicators_of([item.pk for item in items]) == {mia.pk}
    assert Event.objects.filter(verb=Verb.LABELS_IMPORTED).count() == 1


def test_new_label_names_are_appended_to_the_schema(items, mia):
    dataset = items[0].dataset
    before = make_schema(dataset, mia, ["refund", "card"])
    run_import(items)

    after = latest_schema(dataset)
    assert [label.name for label in after.labels.all()] == ["refund", "card", "billing"]
    assert after.labels.get(name="card").stable_id == before.labels.get(name="card").stable_id
    assert LabelSchema.objects.count() == 2


def test_suggestions_decide_nothing(items):
    upload = run_import(items, "suggestions")

    assert Decision.objects.count() == 0
    assert [(s.label.name, s.score, s.source) for s in Suggestion.objects.order_by("id")] == [
        ("card", None, "import"),
        ("billing", None, "import"),
        ("card", None, "import"),
    ]
    assert Suggestion.objects.first().source_digest == upload.blob.digest


def test_a_cancelled_import_removes_its_labels(items):
    upload = items[0].upload
    importer = Importer()
    with transaction.atomic():
        importer.begin(upload, ["card", "billing"])
        importer.write(upload, [(item, {"label": name}) for item, name in zip(items, ROWS, strict=True)])

    importer.undo(upload, [item.pk for item in items])

    assert Decision.objects.count() == 0


@pytest.mark.postgres
def test_an_imported_decision_can_no_longer_be_deleted(items):
    run_import(items)

    with pytest.raises(DatabaseError), transaction.atomic():
        Decision.objects.all()._raw_delete("default")

    assert Decision.objects.count() == 3


@pytest.mark.postgres
def test_labels_of_prefers_the_decision(items):
    run_import(items)
    suggest(
        dataset=items[0].dataset,
        rows=[(items[0].pk, "billing", 0.9)],
        source="run",
        source_digest="f" * 64,
        source_name="run 1",
    )

    assert Importer().values_of([items[0].pk, items[1].pk]) == {
        items[0].pk: {"label": "card"},
        items[1].pk: {"label": "billing"},
    }
