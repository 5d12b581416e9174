"""Labels corrected in a spreadsheet: checked first, then written as new decisions, each row matched by its
digests.
"""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.exchange.actions.corrections import reviewing, writing
from datasets_app.exchange.actions.corrections.reviewing import accept_corrections, upload_corrections
from datasets_app.exchange.models import Correction
from datasets_app.exchange.queries import corrections
from datasets_app.queues.models import Decision, Dispute
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.review.actions.changes import change_labels
from datasets_app.review.queries.moves import MOVE
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.relabeling import Change
from datasets_app.schemas.rules import LabelSpec
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.models import Export
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from registry.ground.access.actions import grant
from registry.ground.access.roles import Role
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.models import Event
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import answer, make_queue
from tests.support.snapshots import freeze
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
ROWS = [(f"=text {n}", ("card", "cash", "fees")[n % 3]) for n in range(12)]
Table = list[dict[str, str]]


@pytest.fixture
def dataset(project, ana):
    dataset = make_dataset(project, ana)
    import_texts(dataset, ROWS, ana)
    return dataset


@pytest.fixture
def table(dataset, mia) -> Table:
    """An export as rows of a spreadsheet."""
    return exported(dataset, mia)


def exported(dataset, mia) -> Table:
    snapshots.export(snapshot_id=freeze(dataset, mia).uuid, actor=mia, format="csv")
    run_ok("default")
    content = artifacts.open_blob(Export.objects.latest("id").blob.digest).read().decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))


def packed(table: Table, *, without: tuple[str, ...] = ()) -> bytes:
    columns = [name for name in table[0] if name not in without]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(table)
    return file.getvalue().encode()


def upload(dataset, actor, content: bytes, name: str = "fixed.csv") -> Correction:
    made = upload_corrections(dataset=dataset, actor=actor, content=[content], file_name=name)
    run_jobs("default")
    made.refresh_from_db()
    return made


def accept(correction: Correction, actor, **options) -> Correction:
    accept_corrections(correction_id=correction.uuid, actor=actor, **options)
    run_ok("default")
    correction.refresh_from_db()
    return correction


def labels(dataset) -> dict[str, str]:
    return {row.item.text: row.label.name for row in current_decisions(dataset)}


def events() -> list[dict]:
    """Payloads of the audit log about corrections."""
    return [
        json.loads(event.canonical)["payload"]
        for event in Event.objects.filter(verb="labeling.labels_corrected")
    ]


def row_of(table: Table, n: int) -> dict[str, str]:
    return next(row for row in table if row["text"] == f"'=text {n}")


def change(dataset, actor, name: str, kind: str, *into: str) -> None:
    label = labels_by_name(latest_schema(dataset))[name]
    change_labels(dataset_id=dataset.uuid, actor=actor, wanted=[Change(label.stable_id, kind, into)])


def test_planned_changes_are_counted_by_pair_of_labels(dataset, table, ravi):
    row_of(table, 0)["label"], row_of(table, 3)["label"], row_of(table, 1)["label"] = "cash", " cash ", "fees"
    before = labels(dataset)

    found = upload(dataset, ravi, packed(table, without=("text", "metadata", "id")))

    assert (found.state, found.report["look"]["rows"]) == ("looked", 12)
    assert found.report["look"]["counts"] == {"changed": 3, "unchanged": 9}
    assert found.report["look"]["pairs"] == [["card", "cash", 2], ["cash", "fees", 1]]
    assert labels(dataset) == before


def test_the_same_file_again_changes_nothing(dataset, table, ravi):
    content = packed([row_of(table, 0) | {"label": "cash"}])
    accept(upload(dataset, ravi, content), ravi)

    again = upload(dataset, ravi, content)

    assert again.report["look"]["counts"] == {"unchanged": 1}
    with refused():
        accept_corrections(correction_id=again.uuid, actor=ravi)
    assert Decision.objects.exclude(file=None).count() == 1


def test_unknown_label_names_are_listed_with_the_nearest(dataset, table, ravi):
    rows = [
        row_of(table, 0) | {"label": "Cahs"},
        row_of(table, 1) | {"label": "zebra"},
        row_of(table, 2) | {"label": ""},
    ]

    found = upload(dataset, ravi, packed(rows))

    assert found.report["look"]["unknown"] == [["Cahs", 1, "cash"], ["zebra", 1, ""]]
    assert found.report["look"]["counts"] == {"unknown_label": 2, "unreadable": 1}
    assert found.report["look"]["cases"]["unreadable"][0]["message"] == "Line 4: The row has no label."


def test_rows_of_unknown_items_are_counted(dataset, table, ravi):
    found = upload(dataset, ravi, packed([row_of(table, 0) | {"item": "f" * 64}]))

    assert found.report["look"]["counts"] == {"unknown_item": 1}


def decide_again(dataset, table, n: int, label: str, by) -> None:
    """Label an item again after its export."""
    accept(upload(dataset, by, packed([row_of(table, n) | {"label": label}]), "other.csv"), by)


def test_an_adjudicator_cannot_correct_items_they_annotated(dataset, table, mia, ravi):
    queue = make_queue(dataset, mia, overlap=2, source="all")
    item = dataset.items.get(text="=text 0")
    answer(queue, ravi, item, "card")
    rows = [row_of(table, 0) | {"label": "cash"}, row_of(table, 1) | {"label": "card"}]

    found = accept(upload(dataset, ravi, packed(rows)), ravi)

    assert found.report["written"] == {"own": 1, "changed": 1}
    assert (labels(dataset)["=text 0"], labels(dataset)["=text 1"]) == ("card", "card")


def test_four_eyes_apply_to_the_person_who_accepts(dataset, table, mia, ravi, django_user_model):
    other = adjudicator(dataset, django_user_model)
    answer(
        make_queue(dataset, mia, overlap=2, source="all"), other, dataset.items.get(text="=text 0"), "card"
    )
    found = upload(dataset, ravi, packed([row_of(table, 0) | {"label": "cash"}]))

    accept(found, other)

    assert (found.report["look"]["counts"], found.report["written"]) == ({"changed": 1}, {"own": 1})
    assert labels(dataset)["=text 0"] == "card"


def adjudicator(dataset, model):
    user = model.objects.create_user("rita", password="correct-horse-battery")
    grant(user=user, role=Role.ADJUDICATOR, root=dataset.project, actor=None)
    return user


def test_a_correction_resolves_an_open_dispute(dataset, ana, mia, ravi):
    queue = make_queue(dataset, mia, source="all")
    item = dataset.items.get(text="=text 0")
    answer(queue, ana, item, "fees")
    queue.refresh_from_db()
    assert queue.items_disputed == 1
    table = exported(dataset, mia)

    found = accept(upload(dataset, ravi, packed([row_of(table, 0) | {"label": "cash"}])), ravi)

    queue.refresh_from_db()
    dispute = Dispute.objects.get(queue=queue)
    assert (queue.items_disputed, dispute.state, dispute.decision.file) == (0, "settled", found.blob)


def test_an_item_twice_in_a_file_is_decided_once(dataset, table, ravi):
    row = row_of(table, 0)

    found = accept(
        upload(dataset, ravi, packed([row | {"label": each} for each in ("cash", "cash", "fees")])), ravi
    )

    assert (
        found.report["look"]["counts"]
        == found.report["written"]
        == {
            "changed": 1,
            "unchanged": 1,
            "repeated": 1,
        }
    )
    assert labels(dataset)["=text 0"] == "cash"


def test_a_renamed_class_is_understood_by_its_old_name(dataset, table, mia, ravi):
    schema = latest_schema(dataset)
    specs = [
        LabelSpec("notes" if each.name == "cash" else each.name, stable_id=each.stable_id)
        for each in schema.labels.all()
    ]
    publish_schema(dataset_id=dataset.uuid, actor=mia, labels=specs, guideline="")

    found = upload(dataset, ravi, packed([row_of(table, 1), row_of(table, 0) | {"label": "cash"}]))

    assert found.report["look"]["counts"] == {"unchanged": 1, "changed": 1}
    assert found.report["look"]["pairs"] == [["card", "notes", 1]]


def test_a_crash_between_batches_decides_nothing_twice(dataset, table, ravi, monkeypatch):
    for n in range(0, 12, 3):
        row_of(table, n)["label"] = "cash"
    monkeypatch.setattr(corrections, "BATCH", 5)
    found = upload(dataset, ravi, packed(table))
    real, calls = writing.write_batch, []

    def die_once(*args):
        calls.append(1)
        if len(calls) == 2:
            raise ConnectionError("killed")
        real(*args)

    monkeypatch.setattr(writing, "write_batch", die_once)
    accept(found, ravi)

    assert len(calls) == 4  # three batches, one of them twice
    assert found.report["written"] == {"changed": 4, "unchanged": 8}
    assert Decision.objects.filter(file=found.blob).count() == 4
    assert sum(event["rows"] for event in events()) == 4


@pytest.mark.postgres
def test_a_cancelled_writing_may_be_accepted_again(dataset, table, ravi):
    found = upload(dataset, ravi, packed([row_of(table, 0) | {"label": "cash"}]))
    job = accept_corrections(correction_id=found.uuid, actor=ravi)
    jobs.cancel(job_id=job.uuid, actor=ravi)
    run_jobs("default")
    found.refresh_from_db()

    assert (found.state, labels(dataset)["=text 0"]) == ("looked", "card")
    accept(found, ravi)
    assert labels(dataset)["=text 0"] == "cash"


def test_two_files_are_not_written_at_once(dataset, table, ravi):
    one, other = (
        upload(dataset, ravi, packed([row_of(table, n) | {"label": "fees"}]), f"{n}.csv") for n in (0, 1)
    )
    accept_corrections(correction_id=one.uuid, actor=ravi)

    with refused(by=Conflict, naming=("0.csv",)):
        accept_corrections(correction_id=other.uuid, actor=ravi)
    other.refresh_from_db()
    assert (other.state, other.accepted_by, labels(dataset)["=text 0"]) == ("looked", None, "card")


@pytest.mark.parametrize("missing", ["item", "decision", "label"])
def test_a_file_without_the_columns_of_an_export_fails(dataset, table, ravi, missing):
    found = upload(dataset, ravi, packed(table, without=(missing,)))

    assert found.state == "failed"
    assert f"The file has no column {missing}" in found.report["error"]["message"]


@pytest.mark.parametrize("who", ["ana", "mia", "lee", "otto"])
def test_only_adjudicators_upload_and_accept(request, dataset, table, ravi, who):
    user = request.getfixturevalue(who)
    found = upload(dataset, ravi, packed([row_of(table, 0) | {"label": "cash"}]))

    with pytest.raises(PermissionDenied):
        upload_corrections(dataset=dataset, actor=user, content=[b"item,decision,label\n"], file_name="a.csv")
    with pytest.raises(PermissionDenied):
        accept_corrections(correction_id=found.uuid, actor=user)
    assert (Correction.objects.count(), labels(dataset)["=text 0"]) == (1, "card")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_every_table_format_round_trips_unchanged(dataset, mia, ravi, kind):
    snapshots.export(snapshot_id=freeze(dataset, mia).uuid, actor=mia, format=kind)
    run_ok("default")
    made = Export.objects.latest("id")

    found = upload(dataset, ravi, artifacts.open_blob(made.blob.digest).read(), made.file_name)

    assert found.report["look"]["counts"] == {"unchanged": 12}


@pytest.mark.parametrize(
    ("kind", "into"), [("merge", ["cash"]), ("split", ["charges", "costs"]), ("retire", [])]
)
def test_a_file_whose_labels_were_removed_after_the_check_is_not_accepted(
    dataset, table, mia, ravi, kind, into
):
    row_of(table, 0)["label"] = "fees"
    found = upload(dataset, ravi, packed(table))
    change(dataset, mia, "fees", kind, *into)
    run_ok("default")
    before = labels(dataset)

    with pytest.raises(Conflict):
        accept_corrections(correction_id=found.uuid, actor=ravi)

    found.refresh_from_db()
    assert (found.state, found.accepted_by, labels(dataset), events()) == ("looked", None, before, [])
    assert not Job.objects.filter(kind=reviewing.WRITE).exists()


def test_a_file_whose_labels_were_merged_after_acceptance_is_not_written(dataset, table, mia, ravi):
    row_of(table, 0)["label"] = "fees"
    found = upload(dataset, ravi, packed(table))
    accept_corrections(correction_id=found.uuid, actor=ravi)
    change(dataset, mia, "fees", "merge", "cash")

    ended = run_jobs("default")

    assert [(job.kind, job.refusal) for job in ended] == [(reviewing.WRITE, "conflict"), (MOVE, "")]
    assert (Correction.objects.get().state, labels(dataset)["=text 0"], events()) == ("looked", "card", [])
