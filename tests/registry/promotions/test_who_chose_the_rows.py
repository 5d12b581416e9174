"""Who had a say in which rows test a model, and in what their classes are called, answers for the test split
as who labeled it does.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from datasets_app.datasets.models import Dataset
from datasets_app.queues.models import Queue
from datasets_app.queues.queries.answers import with_current_labels
from datasets_app.review.actions.changes import change_labels
from datasets_app.review.actions.checks import accept_check, start_check
from datasets_app.review.actions.reviews import adjudicate, return_to_annotators
from datasets_app.review.queries.checks import to_review
from datasets_app.review.queries.moves import MOVE
from datasets_app.scanning import actions as scanning
from datasets_app.scanning.models import Finding
from datasets_app.schemas.actions.schemas import publish_schema, spec_of
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema, value_of
from datasets_app.schemas.relabeling import Change
from datasets_app.snapshots import makers
from datasets_app.snapshots.actions import freezing
from datasets_app.snapshots.models import Snapshot
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import annotate_items, decided_dataset, label_items, make_queue
from tests.support.people import make_person
from tests.support.scanning import scan
from tests.support.snapshots import freeze
from tests.support.trail import behind_its_back

pytestmark = pytest.mark.django_db
# of each class some in every split
ROWS = [(f"text {n}", ("billing", "card", "lost")[n % 3]) for n in range(12)]
SHARES = {"train": 60, "validation": 20, "test": 20}
LONG = (
    "the parcel that I ordered three weeks ago has still not come and nobody answers the phone in your shop"
)


def uuids(*people: User) -> list[str]:
    return sorted(str(person.uuid) for person in people)


def frozen(dataset: Dataset, by: User) -> Snapshot:
    return freeze(dataset, by, shares=SHARES)


@pytest.fixture
def rosa(project) -> User:
    """An adjudicator."""
    return make_person("rosa", project=project, role=Role.ADJUDICATOR)


@pytest.fixture
def labeled(project, mia, ana) -> Dataset:
    """Mia's texts, which Ana labeled."""
    return decided_dataset(project, ana, ROWS, manager=mia)


@pytest.fixture
def meanwhile(monkeypatch) -> Callable[[Callable[[], None]], None]:
    """Have something done while the manifest of the next snapshot is written."""

    def plan(act: Callable[[], None]) -> None:
        write = freezing.manifest.write
        monkeypatch.setattr(freezing.manifest, "write", lambda *args: (act(), write(*args)))

    return plan


# ── Near duplicates ─────────────────────────────────────────────────────────
@pytest.fixture
def alike(project, mia, ana, lee) -> Dataset:
    """Ana's labels of ten pairs of texts that are nearly the same, for which Lee had it scanned."""
    dataset = make_dataset(project, mia)
    words = [
        f"{LONG} since number {chr(97 + n) * 9} was {chr(98 + n) * 7} by {chr(99 + n) * 8} at"
        f" {chr(100 + n) * 6}"
        for n in range(10)
    ]
    import_texts(
        dataset,
        [
            (text + end, ("billing", "card")[at % 2])
            for at, text in enumerate(words)
            for end in ("", " today")
        ],
        ana,
    )
    scan(dataset, lee)
    return dataset


def dismiss_all(dataset: Dataset, by: User) -> None:
    for finding in Finding.objects.filter(dataset=dataset, kind=Finding.Kind.NEAR_DUPLICATE):
        scanning.dismiss(finding_id=finding.uuid, actor=by, reason="These say different things.")


def test_who_declared_that_test_rows_are_no_near_duplicates_is_one(alike, mia, ana, lee, omar):
    dismiss_all(alike, lee)
    snapshot = frozen(alike, mia)
    assert makers.deciders(snapshot) == uuids(ana, lee)

    behind_its_back("UPDATE scanning_finding SET reviewed_by_id = %s", omar.pk)

    assert makers.deciders(snapshot) == uuids(ana, lee)


def reopen_all(dataset: Dataset, by: User) -> None:
    for finding in Finding.objects.filter(dataset=dataset, kind=Finding.Kind.NEAR_DUPLICATE):
        scanning.reopen(finding_id=finding.uuid, actor=by)


def test_who_takes_it_back_while_the_snapshot_is_made_is_one(alike, mia, ana, lee, meanwhile):
    dismiss_all(alike, lee)
    meanwhile(lambda: reopen_all(alike, lee))

    snapshot = frozen(alike, mia)

    assert snapshot.leakage["near_rows"] == 0
    assert makers.deciders(snapshot) == uuids(ana, lee)


def test_who_declares_it_once_it_is_frozen_or_takes_it_back_before_is_none(alike, mia, ana, lee):
    dismiss_all(alike, lee)
    reopen_all(alike, lee)
    snapshot = frozen(alike, mia)

    dismiss_all(alike, lee)

    assert makers.deciders(snapshot) == uuids(ana)


# ── Names of classes ────────────────────────────────────────────────────────
def swap_names(dataset: Dataset, by: User) -> None:
    """Call the class of billing card, and that of card billing."""
    called = {"billing": "card", "card": "billing"}
    labels = labels_by_name(latest_schema(dataset))
    swapped = [replace(spec_of(label), name=called.get(name, name)) for name, label in labels.items()]
    publish_schema(dataset_id=dataset.uuid, actor=by, labels=swapped)


def test_who_gave_one_class_the_name_of_another_answers_for_the_labels(labeled, mia, ana, lee):
    swap_names(labeled, lee)

    assert makers.deciders(frozen(labeled, mia)) == uuids(ana, lee)


def test_who_publishes_other_words_about_the_same_classes_does_not(labeled, mia, ana, lee):
    labels = [
        replace(spec_of(label), definition="As agreed.")
        for label in labels_by_name(latest_schema(labeled)).values()
    ]

    publish_schema(dataset_id=labeled.uuid, actor=lee, labels=labels, guideline="Read twice.")

    assert makers.deciders(frozen(labeled, mia)) == uuids(ana)


def test_who_renames_classes_once_it_is_frozen_changes_nothing(labeled, mia, ana, lee):
    snapshot = frozen(labeled, mia)
    card = labels_by_name(latest_schema(labeled))["card"]

    change_labels(dataset_id=labeled.uuid, actor=lee, wanted=[Change(card.stable_id, "rename", ("cards",))])

    assert makers.deciders(snapshot) == uuids(ana)


# ── Classes of answers on which nothing was decided yet ─────────────────────
@pytest.fixture
def answered(project, mia, ana, ben) -> Queue:
    """Mia's texts, about which Ana and Ben agree: they wait for a reviewer to accept that."""
    dataset = make_dataset(project, mia)
    import_texts(dataset, [text for text, _ in ROWS], mia)
    queue = make_queue(
        dataset, mia, schema=["billing", "card", "lost", "other"], overlap=2, acceptance="reviewer"
    )
    label_items(queue, {person: [label for _, label in ROWS] for person in (ana, ben)})
    return queue


def accept(queue: Queue, by: User) -> None:
    """Look at one item, find its answers right, and accept the others."""
    check = start_check(queue_id=queue.uuid, actor=by, size=1, tolerated=0)
    (row,) = to_review(check)
    (label,) = with_current_labels(list(row.item.annotations.select_related("label")[:1]))
    adjudicate(queue_id=queue.uuid, item_id=row.item.uuid, actor=by, value=value_of(label))
    accept_check(check_id=check.uuid, actor=by)
    run_ok("default")


def test_who_swaps_the_names_of_classes_before_answers_are_accepted_is_one(
    answered, mia, ana, ben, lee, ravi
):
    swap_names(answered.dataset, lee)
    accept(answered, ravi)

    assert makers.deciders(frozen(answered.dataset, mia)) == uuids(mia, ana, ben, lee, ravi)


def test_who_merges_a_class_before_answers_that_lead_to_it_are_accepted_is_one(
    project, answered, mia, ana, ben, lee, ravi
):
    lena = make_person("lena", project=project, role=Role.LEAD)
    labels = labels_by_name(answered.schema)
    change_labels(
        dataset_id=answered.dataset.uuid,
        actor=lee,
        wanted=[Change(labels["lost"].stable_id, "merge", ("other",))],
    )
    change_labels(
        dataset_id=answered.dataset.uuid,
        actor=lena,
        wanted=[Change(labels["other"].stable_id, "merge", ("card",))],
    )
    accept(answered, ravi)

    snapshot = frozen(answered.dataset, mia)

    assert snapshot.counts["labels"].keys() == {"billing", "card"}
    assert makers.deciders(snapshot) == uuids(mia, ana, ben, lee, lena, ravi)


def test_who_retires_a_class_that_is_then_left_out_of_answers_is_one(project, mia, ana, ben, lee, ravi):
    dataset = make_dataset(project, mia, task="multi_label")
    import_texts(dataset, [text for text, _ in ROWS], mia)
    queue = make_queue(
        dataset, mia, schema=["billing", "card", "lost", "other"], overlap=2, acceptance="reviewer"
    )
    annotate_items(
        queue, {person: [{"labels": [label, "other"]} for _, label in ROWS] for person in (ana, ben)}
    )
    other = labels_by_name(queue.schema)["other"]
    change_labels(dataset_id=dataset.uuid, actor=lee, wanted=[Change(other.stable_id, "retire")])
    run_ok("default")
    accept(queue, ravi)

    assert makers.deciders(frozen(dataset, mia)) == uuids(mia, ana, ben, lee, ravi)


def test_who_merges_classes_that_no_answer_names_is_none(answered, mia, ana, ben, lee, ravi):
    other = labels_by_name(answered.schema)["other"]
    change_labels(
        dataset_id=answered.dataset.uuid, actor=lee, wanted=[Change(other.stable_id, "merge", ("card",))]
    )
    accept(answered, ravi)

    assert makers.deciders(frozen(answered.dataset, mia)) == uuids(mia, ana, ben, ravi)


# ── Rows that were taken out ────────────────────────────────────────────────
@pytest.mark.parametrize(("kind", "into"), [("retire", ()), ("split", ("lost parcel", "lost card"))])
def test_who_took_decided_rows_out_by_their_class_is_one(labeled, mia, ana, lee, kind, into):
    lost = labels_by_name(latest_schema(labeled))["lost"]
    before = frozen(labeled, mia)
    change_labels(dataset_id=labeled.uuid, actor=lee, wanted=[Change(lost.stable_id, kind, into)])
    run_ok("default")

    assert str(lee.uuid) in makers.deciders(frozen(labeled, mia))
    # whose rows it withdrew, and so decided, since
    assert (kind == "split") == (str(lee.uuid) in makers.deciders(before))


def test_who_retired_a_class_that_no_row_had_is_none(labeled, mia, ana, lee):
    labels = [spec_of(label) for label in labels_by_name(latest_schema(labeled)).values()]
    publish_schema(
        dataset_id=labeled.uuid, actor=lee, labels=[*labels, replace(labels[0], name="other", stable_id=None)]
    )
    other = labels_by_name(latest_schema(labeled))["other"]

    change_labels(dataset_id=labeled.uuid, actor=lee, wanted=[Change(other.stable_id, "retire")])

    assert makers.deciders(frozen(labeled, mia)) == uuids(ana)


def test_who_changes_classes_between_the_request_of_a_snapshot_and_its_job_leaves_no_row_out(
    project, labeled, mia, ana, lee
):
    lena = make_person("lena", project=project, role=Role.LEAD)
    labels = labels_by_name(latest_schema(labeled))

    asked = freezing.freeze(dataset=labeled, actor=mia, shares=SHARES)
    change_labels(
        dataset_id=labeled.uuid, actor=lee, wanted=[Change(labels["lost"].stable_id, "merge", ("card",))]
    )
    merged = run_jobs("default")
    asked_again = freezing.freeze(dataset=labeled, actor=mia, shares=SHARES)
    change_labels(
        dataset_id=labeled.uuid,
        actor=lena,
        wanted=[Change(labels["card"].stable_id, "split", ("visa", "debit"))],
    )
    split = run_jobs("default")

    assert [(each.uuid, each.state, each.refusal) for each in (merged[0], split[0])] == [
        (asked.uuid, "failed", "conflict"),
        (asked_again.uuid, "failed", "conflict"),
    ]
    assert [(each.kind, each.state) for each in (merged[1], split[1])] == 2 * [(MOVE, "succeeded")]
    assert not Snapshot.objects.exists()


def test_who_retires_one_of_several_classes_before_the_job_of_a_snapshot_begins_leaves_no_row_out(
    project, mia, ana, lee
):
    dataset = make_dataset(project, mia, task="multi_label")
    import_texts(dataset, [text for text, _ in ROWS], mia)
    queue = make_queue(dataset, mia, schema=["billing", "card", "lost", "other"], overlap=1)
    annotate_items(
        queue,
        {
            ana: [
                {"labels": [label, "other"] if number < 3 else [label]}
                for number, (_, label) in enumerate(ROWS)
            ]
        },
    )
    other = labels_by_name(queue.schema)["other"]

    freezing.freeze(dataset=dataset, actor=mia, shares=SHARES)
    change_labels(dataset_id=dataset.uuid, actor=lee, wanted=[Change(other.stable_id, "retire")])
    ended = run_jobs("default")

    assert [(each.kind, each.state, each.refusal) for each in ended] == [
        ("snapshots.create", "failed", "conflict"),
        (MOVE, "succeeded", ""),
    ]
    assert not Snapshot.objects.exists()
    assert frozen(dataset, mia).counts["rows"] == len(ROWS)


@pytest.fixture
def returned(project, mia, ana, ben, rosa) -> Queue:
    """Ana's texts, which Ben labeled; Rosa returned three of them."""
    dataset = make_dataset(project, mia)
    import_texts(dataset, [text for text, _ in ROWS], ana)
    queue = make_queue(dataset, mia, schema=["billing", "card", "lost"], overlap=1)
    label_items(queue, {ben: [label for _, label in ROWS]})
    for item in dataset.items.order_by("id")[:3]:
        return_to_annotators(queue_id=queue.uuid, item_id=item.uuid, actor=rosa, comment="Look again.")
    return queue


def label_again(queue: Queue, by: User) -> None:
    label_items(queue, {by: ["card"] * 3}, list(queue.dataset.items.order_by("id")[:3]))


def test_who_withdrew_decisions_is_one_whatever_becomes_of_their_rows_later(returned, mia, ana, ben, rosa):
    dataset, snapshot = returned.dataset, frozen(returned.dataset, mia)
    assert makers.deciders(snapshot) == uuids(ana, ben, rosa)

    label_again(returned, ben)
    assert freeze(dataset, mia, shares={"train": 90, "validation": 10, "test": 0}).counts["rows"] == len(ROWS)

    assert makers.deciders(snapshot) == uuids(ana, ben, rosa)


def test_who_withdrew_decisions_is_one_though_others_decide_while_the_snapshot_is_made(
    returned, mia, ana, ben, rosa, meanwhile
):
    meanwhile(lambda: label_again(returned, ben))

    snapshot = frozen(returned.dataset, mia)

    assert snapshot.counts["rows"] == len(ROWS) - 3
    assert makers.deciders(snapshot) == uuids(ana, ben, rosa)


# ── Texts ───────────────────────────────────────────────────────────────────
def test_who_uploaded_the_texts_that_test_it_is_one_no_matter_who_labeled_them(project, mia, ana, lee):
    dataset = make_dataset(project, mia)
    import_texts(dataset, [text for text, _ in ROWS], lee)
    queue = make_queue(dataset, mia, schema=["billing", "card", "lost"], overlap=1)
    label_items(queue, {ana: [label for _, label in ROWS]})

    assert makers.deciders(frozen(dataset, mia)) == uuids(ana, lee)
