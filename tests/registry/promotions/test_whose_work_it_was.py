"""Who uploaded, corrected, suggested or labeled what judges a model answers for it, whatever its rows say by
now.
"""

import csv
import io

import pytest
from django.db import DatabaseError, connection, transaction

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.exchange.actions.corrections.reviewing import accept_corrections, upload_corrections
from datasets_app.exchange.models import Correction
from datasets_app.prelabels.actions import receiving
from datasets_app.queues.models import Decision, Queue
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots import makers
from datasets_app.snapshots.models import Export
from lifecycle.ground.jobs.actions import cancel
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.immutable import REFUSAL
from tests.support.datasets import csv_bytes, import_file, import_texts, make_dataset, receive
from tests.support.jobs import run_ok
from tests.support.labeling import decided_dataset, label_items, make_queue
from tests.support.people import make_person
from tests.support.snapshots import freeze
from tests.support.tools import annotation, as_json, choice, task
from tests.support.trail import behind_its_back

pytestmark = pytest.mark.django_db
# of each class some in every split
ROWS = [(f"text {n}", ("billing", "card", "lost")[n % 3]) for n in range(12)]
SHARES = {"train": 60, "validation": 20, "test": 20}


def uuids(*people) -> list[str]:
    return sorted(str(person.uuid) for person in people)


@pytest.fixture
def rosa(project) -> User:
    """An adjudicator."""
    return make_person("rosa", project=project, role=Role.ADJUDICATOR)


@pytest.fixture
def labeled(project, mia, ana) -> Dataset:
    """Ana's texts, which she labeled."""
    return decided_dataset(project, ana, ROWS, manager=mia)


@pytest.fixture
def uploaded(project, mia, ana) -> Upload:
    """Mia's file of labels, which Ana accepted."""
    upload = receive(make_dataset(project, mia), mia, csv_bytes(ROWS, ("text", "label")))
    datasets.accept_upload(upload_id=upload.uuid, actor=ana)
    run_ok("default")
    return upload


@pytest.fixture
def corrected(project, mia, ana, ravi, rosa) -> Correction:
    """Ana's labels, of which Rosa uploaded the test split corrected; Ravi accepted them."""
    dataset = make_dataset(project, ana)
    import_texts(dataset, ROWS, ana)
    snapshots.export(snapshot_id=freeze(dataset, mia, shares=SHARES).uuid, actor=mia, format="csv")
    run_ok("default")
    with artifacts.open_blob(Export.objects.latest("id").blob.digest) as file:
        rows = list(csv.DictReader(io.StringIO(file.read().decode(), newline="")))
    content = csv_bytes(
        [({**row, "label": "card"} if row["split"] == "test" else row).values() for row in rows], rows[0]
    )
    made = upload_corrections(dataset=dataset, actor=rosa, content=[content], file_name="fixed.csv")
    run_ok("default")
    accept_corrections(correction_id=made.uuid, actor=ravi)
    run_ok("default")
    return made


def refused(statement: str, *params: object) -> None:
    with (
        pytest.raises(DatabaseError, match=REFUSAL.format(table="[a-z_]+")),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, params)


@pytest.mark.postgres
def test_whose_a_file_is_never_changes(uploaded, corrected, mia, rosa, omar):
    refused("UPDATE datasets_upload SET uploaded_by_id = %s", omar.pk)
    refused("UPDATE exchange_correction SET uploaded_by_id = %s", omar.pk)

    assert Upload.objects.get(pk=uploaded.pk).uploaded_by == mia
    assert Correction.objects.get().uploaded_by == rosa


def test_who_uploaded_and_who_accepted_labels_answer_for_them_beside_whom_the_rows_name(
    uploaded, mia, ana, omar, lee, gita
):
    snapshot = freeze(uploaded.dataset, mia, shares=SHARES)
    behind_its_back("UPDATE datasets_upload SET uploaded_by_id = %s, accepted_by_id = %s", lee.pk, gita.pk)
    behind_its_back("UPDATE queues_decision SET by_id = %s", omar.pk)

    assert makers.deciders(snapshot) == uuids(mia, ana, omar, lee, gita)


def test_who_uploaded_corrections_answers_for_them_beside_whom_the_rows_name(
    corrected, mia, ana, ravi, rosa, omar, lee, gita
):
    snapshot = corrected.dataset.snapshots.get()
    behind_its_back(
        "UPDATE exchange_correction SET uploaded_by_id = %s, accepted_by_id = %s", lee.pk, gita.pk
    )
    behind_its_back("UPDATE queues_decision SET by_id = %s", omar.pk)

    assert makers.deciders(snapshot) == uuids(ana, ravi, rosa, omar, lee, gita)


def test_who_uploaded_the_suggestions_that_others_accepted_answers_for_the_labels(project, mia, ana, lee):
    dataset = make_dataset(project, mia)
    import_texts(dataset, ROWS, lee, labels_as="suggestions")
    label_items(make_queue(dataset, mia, overlap=1), {ana: [label for _, label in ROWS]})

    assert makers.deciders(freeze(dataset, mia, shares=SHARES)) == uuids(ana, lee)


def send(dataset: Dataset, actor: User) -> None:
    """The labels of all rows, as the suggestions of one model elsewhere."""
    content = dict(ROWS)
    rows = [{"item": item.uuid, "label": content[item.text]} for item in dataset.items.all()]
    assert receiving.receive(
        dataset_id=dataset.uuid, actor=actor, name="a model elsewhere", digest="a" * 64, rows=rows
    ) == len(ROWS)


def test_who_sent_suggestions_that_others_accepted_answers_for_the_labels_and_who_sends_some_later_does_not(
    project, mia, ana, lee
):
    dataset = make_dataset(project, mia)
    import_texts(dataset, [text for text, _ in ROWS], mia)
    queue = make_queue(dataset, mia, schema=["billing", "card", "lost"], overlap=1)
    send(dataset, lee)
    label_items(queue, {ana: [label for _, label in ROWS]})
    snapshot = freeze(dataset, mia, shares=SHARES)
    assert makers.deciders(snapshot) == uuids(mia, ana, lee)

    send(dataset, make_person("lena", project=project, role=Role.LEAD))

    assert makers.deciders(snapshot) == uuids(mia, ana, lee)


def test_who_accepted_a_file_whose_import_was_cancelled_does_not(project, mia, ana, lee):
    upload = receive(make_dataset(project, mia), mia, csv_bytes(ROWS, ("text", "label")))
    job = datasets.accept_upload(upload_id=upload.uuid, actor=lee)
    cancel(job.uuid, lee)
    datasets.accept_upload(upload_id=upload.uuid, actor=ana)
    run_ok("default")

    assert makers.deciders(freeze(upload.dataset, mia, shares=SHARES)) == uuids(mia, ana)


def test_who_had_a_file_of_someone_else_read_otherwise_answers_for_its_labels(project, mia, ana, lee):
    upload = receive(make_dataset(project, mia), mia, csv_bytes(ROWS, ("text", "label")))
    datasets.set_mapping(
        upload_id=upload.uuid, actor=lee, mapping=upload.mapping, label_values={"lost": "card"}
    )
    datasets.accept_upload(upload_id=upload.uuid, actor=ana)
    run_ok("default")

    assert makers.deciders(freeze(upload.dataset, mia, shares=SHARES)) == uuids(mia, ana, lee)


def test_who_dropped_how_a_file_of_someone_else_was_to_be_read_answers_for_its_labels(project, mia, ana, lee):
    columns = ("text", "label", "category")
    upload = receive(
        make_dataset(project, mia),
        mia,
        csv_bytes([(text, label, label[::-1]) for text, label in ROWS], columns),
    )
    datasets.set_mapping(upload_id=upload.uuid, actor=mia, mapping={"text": "text", "category": "label"})
    datasets.inspect(upload_id=upload.uuid, actor=lee)
    datasets.accept_upload(upload_id=upload.uuid, actor=ana)
    run_ok("default")

    assert makers.deciders(freeze(upload.dataset, mia, shares=SHARES)) == uuids(mia, ana, lee)


def test_who_chose_the_split_of_a_file_whose_import_was_cancelled_answers_for_its_rows(
    project, mia, ana, lee
):
    dataset = make_dataset(project, mia)
    import_texts(dataset, ROWS, mia)
    upload = receive(dataset, ana, csv_bytes([(f"other {n}", "card") for n in range(6)], ("text", "label")))
    job = datasets.accept_upload(upload_id=upload.uuid, actor=lee, default_split="test")
    cancel(job.uuid, lee)
    datasets.accept_upload(upload_id=upload.uuid, actor=ana)
    run_ok("default")
    snapshot = freeze(dataset, mia, shares=SHARES)

    assert snapshot.counts["labels"]["card"]["test"] >= 6
    assert {str(lee.uuid), str(ana.uuid)} <= {*makers.deciders(snapshot)}


def test_who_looked_at_a_file_of_someone_else_as_it_was_read_does_not(project, mia, ana, lee):
    upload = receive(make_dataset(project, mia), mia, csv_bytes(ROWS, ("text", "label")))
    datasets.inspect(upload_id=upload.uuid, actor=lee)
    datasets.set_mapping(upload_id=upload.uuid, actor=lee, mapping=upload.mapping)
    datasets.accept_upload(upload_id=upload.uuid, actor=ana)
    run_ok("default")

    assert makers.deciders(freeze(upload.dataset, mia, shares=SHARES)) == uuids(mia, ana)


def test_a_queue_that_is_called_brought_frees_none_who_labeled_it(labeled, mia, ana):
    behind_its_back("UPDATE datasets_upload SET uploaded_by_id = %s, accepted_by_id = %s", mia.pk, mia.pk)
    snapshot = freeze(labeled, mia, shares=SHARES)

    Queue.objects.update(source=Queue.Source.IMPORTED)

    assert str(ana.uuid) in makers.deciders(snapshot)


def test_who_is_named_in_a_file_of_annotations_is_none_and_who_uploaded_it_is(project, mia, ana):
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")
    answers = [task(n, text, annotation("ana@x.org", choice(label))) for n, (text, label) in enumerate(ROWS)]
    upload = import_file(make_dataset(project, mia), mia, as_json(answers), "project.json")

    assert makers.deciders(freeze(upload.dataset, mia, shares=SHARES)) == uuids(mia)


@pytest.mark.postgres
def test_on_which_answers_a_decision_rests_never_changes(labeled):
    rests_on = Decision.annotations.through.objects.count()

    refused("DELETE FROM queues_decision_annotations")
    refused("UPDATE queues_decision_annotations SET annotation_id = annotation_id")

    assert (Decision.annotations.through.objects.count(), labeled.items.count()) == (rests_on, len(ROWS))
