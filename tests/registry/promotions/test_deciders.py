"""Who answers for the labels that judge a model, and for its training: everyone behind them, however
indirectly.
"""

import csv
import io
from uuid import uuid4

import pytest

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.exchange.actions.corrections.reviewing import accept_corrections, upload_corrections
from datasets_app.queues.models import Decision
from datasets_app.review.actions.changes import change_labels
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.relabeling import Change
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots import makers
from datasets_app.snapshots.models import Export, Snapshot
from lifecycle.modeling.training import queries as training
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.runtime.refusals import Refused
from registry.ground.access import actions as access
from registry.ground.access.roles import Role
from registry.ground.artifacts import actions as artifacts
from registry.promotions.actions import subject
from tests.support.datasets import csv_bytes, import_texts, make_dataset, receive
from tests.support.jobs import run_ok
from tests.support.labeling import decided_dataset, label_items, label_value, make_queue
from tests.support.people import make_person
from tests.support.registry import make_snapshot, make_trained_run
from tests.support.snapshots import freeze
from tests.support.trail import behind_its_back

pytestmark = pytest.mark.django_db
# of each class some in every split
ROWS = [(f"text {n}", ("billing", "card", "lost")[n % 3]) for n in range(12)]
SHARES = {"train": 60, "validation": 20, "test": 20}


def uuids(*people):
    return sorted(str(person.uuid) for person in people)


@pytest.mark.parametrize("annotators", [["ana"], ["ana", "ben"]])
def test_whose_answers_a_rule_decided_by_are_its_deciders(request, project, mia, annotators):
    people = [request.getfixturevalue(name) for name in annotators]
    dataset = make_dataset(project, mia)
    import_texts(dataset, [text for text, _ in ROWS], mia)
    queue = make_queue(dataset, mia, schema=["billing", "card", "lost"], overlap=len(people))
    label_items(queue, {person: [label for _, label in ROWS] for person in people})

    assert makers.deciders(freeze(dataset, mia, shares=SHARES)) == uuids(mia, *people)


def test_who_uploaded_labels_is_one_beside_who_accepted_them(project, mia, ana):
    dataset = make_dataset(project, mia)
    upload = receive(dataset, mia, csv_bytes(ROWS, ("text", "label")))
    datasets.accept_upload(upload_id=upload.uuid, actor=ana, labels_as="decisions")
    run_ok("default")
    snapshot = freeze(dataset, mia, shares=SHARES)
    assert makers.deciders(snapshot) == uuids(mia, ana)

    behind_its_back("UPDATE queues_decision SET by_id = %s", mia.pk)

    assert makers.deciders(snapshot) == uuids(mia, ana)


@pytest.fixture
def labeled(project, mia, ana) -> Dataset:
    """Ana's texts, which she labeled."""
    return decided_dataset(project, ana, ROWS, manager=mia)


@pytest.fixture
def adjudicated(project, mia, ana, ben, ravi) -> Snapshot:
    """Ana and Ben differ about some texts, which Ravi decided."""
    dataset = make_dataset(project, mia)
    import_texts(dataset, [text for text, _ in ROWS], mia)
    queue = make_queue(dataset, mia, schema=["billing", "card", "lost"], overlap=2)
    label_items(
        queue, {ana: [label for _, label in ROWS], ben: [label.replace("lost", "card") for _, label in ROWS]}
    )
    card = label_value(queue.schema.labels.get(name="card"))
    for dispute in queue.disputes.select_related("item"):
        adjudicate(queue_id=queue.uuid, item_id=dispute.item.uuid, actor=ravi, value=card)
    return freeze(dataset, mia, shares=SHARES)


@pytest.mark.postgres
def test_who_adjudicated_is_one_also_where_the_table_names_another_by_now(
    adjudicated, mia, ana, ben, ravi, gita
):
    assert makers.deciders(adjudicated) == uuids(mia, ana, ben, ravi)

    behind_its_back("UPDATE queues_decision SET by_id = %s WHERE how = 'adjudicated'", gita.pk)

    assert makers.deciders(adjudicated) == uuids(mia, ana, ben, ravi, gita)


def test_who_uploaded_corrections_is_one_beside_who_accepted_them(project, mia, ana, ravi):
    rosa = make_person("rosa", project=project, role=Role.ADJUDICATOR)
    dataset = make_dataset(project, ana)
    import_texts(dataset, ROWS, ana)
    snapshot = freeze(dataset, mia, shares=SHARES)
    snapshots.export(snapshot_id=snapshot.uuid, actor=mia, format="csv")
    run_ok("default")
    with artifacts.open_blob(Export.objects.latest("id").blob.digest) as file:
        rows = list(csv.DictReader(io.StringIO(file.read().decode(), newline="")))
    corrected = csv_bytes(
        [({**row, "label": "card"} if row["split"] == "test" else row).values() for row in rows], rows[0]
    )
    assert makers.deciders(snapshot) == uuids(ana)

    made = upload_corrections(dataset=dataset, actor=rosa, content=[corrected], file_name="fixed.csv")
    run_ok("default")
    accept_corrections(correction_id=made.uuid, actor=ravi)
    run_ok("default")

    assert makers.deciders(snapshot) == uuids(ana, rosa, ravi)


def test_who_is_only_named_in_a_file_has_no_account_and_is_not_listed(labeled, mia, ana):
    named = access.make_placeholders({"0": "Zoe"}, origin="answers.csv")["0"]
    behind_its_back("UPDATE queues_annotation SET user_id = %s", named.pk)

    assert makers.deciders(freeze(labeled, mia, shares=SHARES)) == uuids(ana)  # who uploaded the texts


@pytest.mark.postgres
def test_a_name_like_those_of_people_in_files_frees_no_one(adjudicated, mia, ana, ben, ravi):
    behind_its_back("UPDATE access_user SET username = 'imported:' || username")

    assert makers.deciders(adjudicated) == uuids(mia, ana, ben, ravi)


def test_who_trained_what_a_run_comes_from_answers_for_it_too(project, mia, ravi, lee, omar, gita):
    snapshot = make_snapshot(project, ravi)
    first, copied, last = (make_trained_run(snapshot, person, evaluated=False) for person in (lee, omar, mia))
    Run.objects.filter(pk=copied.pk).update(reproduces=first)
    base = BaseModel.objects.create(
        project=project, name="Run 2", kind=BaseModel.Kind.FOLDER, source="run", run=copied
    )
    Run.objects.filter(pk=last.pk).update(base=base)
    make_trained_run(snapshot, gita, evaluated=False)  # of the same base, and no part of it

    assert training.workers_of(Run.objects.get(pk=last.pk)).trained == {lee.uuid, omar.uuid, mia.uuid}
    assert training.workers_of(Run.objects.get(pk=first.pk)).trained == {lee.uuid}


def test_who_merged_classes_of_test_rows_answers_for_their_labels(labeled, mia, ana, lee):
    snapshot = freeze(labeled, mia, shares=SHARES)
    labels = labels_by_name(latest_schema(labeled))
    before = subject.test_labels(snapshot)
    assert makers.deciders(snapshot) == uuids(ana)

    change_labels(
        dataset_id=labeled.uuid, actor=lee, wanted=[Change(labels["lost"].stable_id, "merge", ("card",))]
    )
    run_ok()

    assert makers.deciders(snapshot) == uuids(ana, lee)

    behind_its_back("UPDATE schemas_labelschema SET created_by_id = %s", mia.pk)

    assert makers.deciders(snapshot) == uuids(ana, lee, mia)
    assert subject.test_labels(snapshot) != before  # what was looked at is another, so open requests are void


@pytest.fixture
def slices(project, mia, ana, lee) -> tuple[Snapshot, Snapshot]:
    """Long texts, which Lee labeled and froze, and short ones, which Ana labeled and Mia froze."""
    dataset = make_dataset(project, mia)
    import_texts(
        dataset,
        [(f"{text}, told at such length that nobody calls it short", label) for text, label in ROWS],
        lee,
    )
    import_texts(dataset, ROWS, ana)
    kept = [
        datasets.save_slice(dataset_id=dataset.uuid, actor=mia, name=name, filters=filters, shared=True)
        for name, filters in (("Long", {"length_from": "30"}), ("Short", {"length_to": "29"}))
    ]
    return tuple(
        freeze(dataset, who, shares=SHARES, slice_id=each.uuid)
        for who, each in zip((lee, mia), kept, strict=True)
    )


def test_of_a_slice_only_who_labeled_and_divided_its_own_rows_answers(slices, mia, ana, lee):
    long, short = slices

    assert (makers.deciders(long), makers.deciders(short)) == (uuids(lee), uuids(ana))
    assert makers.dividers(long, None) == uuids(lee)
    assert makers.dividers(short, None) == uuids(mia)


def test_a_decision_on_a_row_of_another_slice_changes_nothing_for_a_request(slices, mia):
    long, short = slices
    before = [subject.test_labels(each) for each in slices]

    known = Decision.objects.filter(item__assignment__split="test", item__assignment__snapshot=long).first()
    Decision.objects.create(
        item=known.item,
        label=known.label,
        how=known.how,
        by=mia,
        digest="0" * 64,
        reason="Again.",
        supersedes=known,
    )

    assert [subject.test_labels(each) for each in slices][1] == before[1]
    assert subject.test_labels(long) != before[0]


def test_who_put_rows_into_the_test_split_by_a_file_is_one_no_matter_who_labels_them(labeled, mia, ana, lee):
    import_texts(labeled, [(f"easy {at}", "test") for at in range(3)], lee, header=("text", "split"))
    snapshot = freeze(labeled, mia, shares=SHARES)
    assert makers.deciders(snapshot) == uuids(ana)  # no one has labeled them, so they are no part of it

    queue = make_queue(labeled, mia, name="Batch 2", overlap=1)
    run_ok("default")
    label_items(queue, {ana: ["card"] * 3}, list(labeled.items.filter(split="test")))

    assert makers.deciders(freeze(labeled, mia, shares=SHARES)) == uuids(ana, lee)


def test_a_row_that_is_missing_from_the_database_leaves_open_whose_work_it_was(adjudicated):
    behind_its_back(
        "UPDATE datasets_item SET uuid = %s WHERE id = %s",
        uuid4().hex,
        adjudicated.assignments.filter(split="test").first().item_id,
    )

    with pytest.raises(Refused):
        makers.deciders(adjudicated)
