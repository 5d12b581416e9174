"""Classes that are renamed, merged, split and retired, and the work that goes along."""

import json
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.datasets.models import Dataset
from datasets_app.prelabels.actions.suggestions import suggest
from datasets_app.prelabels.models import Suggestion
from datasets_app.quality.queries.quality import queue_agreement
from datasets_app.queues.actions.answers import submit
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Annotation, Decision, Dispute, Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.queues.queries.pages import get_queue
from datasets_app.review.actions.changes import change_labels, move_decisions, supersede
from datasets_app.review.actions.reviews import adjudicate, undo_decision
from datasets_app.review.queries.moves import MOVE, touched
from datasets_app.schemas.models import LabelChange, LabelSchema
from datasets_app.schemas.queries import changes
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.relabeling import Change, Removed, follow, plan
from datasets_app.schemas.rules import LabelSpec
from datasets_app.snapshots.actions import freeze
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import (
    adjudicators_of,
    answer,
    label_items,
    label_value,
    make_dataset,
    make_queue,
    make_schema,
    queue_items,
)
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
NAMES = ("billing", "card", "lost", "transfer")
UUIDS = [UUID(int=n) for n in range(4)]


@pytest.fixture
def dataset(project, mia):
    return make_dataset(project, mia, ["one", "two", "three", "four"])


@pytest.fixture
def queue(dataset, mia) -> Queue:
    return make_queue(dataset, mia, schema=NAMES)


@pytest.fixture
def answered(queue, ana) -> Queue:
    """Three items are decided: as lost, as card and as lost."""
    label_items(queue, {ana: ["lost", "card", "lost"]})
    return queue


@pytest.fixture
def published(dataset, mia) -> Dataset:
    make_schema(dataset, mia, NAMES)
    return dataset


def payload(event) -> dict:
    return json.loads(event.canonical)["payload"]


def labels(dataset):
    return labels_by_name(latest_schema(dataset))


def change(dataset, actor, *wanted, **options) -> LabelSchema:
    """wanted: (class, kind, names)."""
    now = labels(dataset)
    made = [Change(now[name].stable_id, kind, tuple(into)) for name, kind, into in wanted]
    return change_labels(dataset_id=dataset.uuid, actor=actor, wanted=made, **options)


def standing(dataset) -> list[tuple[str, str, str]]:
    return [(each.item.text, each.label.name, each.how) for each in current_decisions(dataset)]


def counters(queue) -> tuple[int, int]:
    queue.refresh_from_db()
    return queue.items_labeled, queue.items_disputed


@pytest.mark.postgres
def test_a_renamed_class_keeps_its_identity_and_its_work(dataset, answered, mia):
    before = labels(dataset)["card"]

    schema = change(dataset, mia, ("card", "rename", ["plastic"]))

    assert [label.name for label in schema.labels.all()] == ["billing", "plastic", "lost", "transfer"]
    assert labels(dataset)["plastic"].stable_id == before.stable_id
    assert (LabelChange.objects.count(), Job.objects.count()) == (0, 0)
    assert changes.renamed(before.schema, schema) == [("card", "plastic")]


def test_decisions_of_a_merged_class_move_and_answers_stay(dataset, answered, mia):
    queue = answered
    old = Decision.objects.get(item__text="one")
    answers = list(Annotation.objects.order_by("id").values("id", "label__name"))

    schema = change(dataset, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert standing(dataset) == [
        ("one", "card", "single"),
        ("two", "card", "single"),
        ("three", "card", "single"),
    ]
    made = Decision.objects.get(supersedes=old)
    assert (made.label, made.queue, made.by) == (labels(dataset)["card"], queue, None)
    assert (made.change.kind, made.reason) == ("merge", "lost was merged into card in version 2.")
    assert [each.pk for each in made.annotations.all()] == [each.pk for each in old.annotations.all()]
    assert list(Annotation.objects.order_by("id").values("id", "label__name")) == answers
    assert (counters(queue), [label.name for label in schema.labels.all()]) == (
        (3, 0),
        ["billing", "card", "transfer"],
    )


def test_nothing_is_frozen_while_decisions_are_being_moved(dataset, answered, mia):
    change(dataset, mia, ("lost", "merge", ["card"]))

    with pytest.raises(Conflict, match="are still being moved"):
        freeze(dataset=dataset, actor=mia)
    assert not Job.objects.filter(kind="snapshots.create").exists()

    run_ok()
    assert freeze(dataset=dataset, actor=mia).kind == "snapshots.create"


def test_the_event_of_moved_decisions_carries_their_digest(dataset, answered, mia):
    change(dataset, mia, ("lost", "merge", ["card"]))
    run_ok()

    event = Event.objects.get(verb=Verb.LABELS_MOVED)
    made = list(Decision.objects.filter(change__isnull=False).order_by("id").values_list("digest", flat=True))
    assert (event.actor, payload(event)["rows"], payload(event)["withdrawn"]) == (str(mia.uuid), 2, 0)
    assert payload(event)["digest"] == digest_of({"decisions": made})
    changed = payload(Event.objects.get(verb=Verb.LABELS_CHANGED))
    assert (changed["merge"], changed["split"], changed["retire"], changed["renamed"]) == (1, 0, 0, 0)


@pytest.mark.postgres
def test_who_adjudicated_still_answers_for_a_moved_decision_and_so_does_who_merged(
    dataset, queue, mia, ana, ravi
):
    label_items(queue, {ana: ["billing"]})
    item = queue_items(queue)[0]
    adjudicate(
        queue_id=queue.uuid,
        item_id=item.uuid,
        actor=ravi,
        value=label_value(labels(dataset)["lost"]),
        reason="It says so.",
    )

    change(dataset, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert standing(dataset) == [("one", "card", "adjudicated")]
    assert adjudicators_of([item.pk]) == {ravi.pk, mia.pk}
    with refused(match="no label to undo"):
        undo_decision(queue_id=queue.uuid, actor=ravi)


def test_items_of_a_split_class_are_undecided_again_and_a_new_queue_takes_them(dataset, queue, mia, ana):
    label_items(queue, {ana: ["card", "billing", "card"]})

    schema = change(dataset, mia, ("card", "split", ["card_lost", "card_arrival"]))
    run_ok()

    assert [label.name for label in schema.labels.all()] == [
        "billing",
        "card_lost",
        "card_arrival",
        "lost",
        "transfer",
    ]
    assert standing(dataset) == [("two", "billing", "single")]
    withdrawn = Decision.objects.filter(how="withdrawn")
    assert {(each.by, each.label.name, each.reason) for each in withdrawn} == {
        (mia, "card", "card was split in version 2.")
    }
    assert counters(queue) == (1, 0)
    fresh = open_queue(dataset_id=dataset.uuid, actor=mia, name="Again")
    assert [item.text for item in queue_items(fresh)] == ["one", "three", "four"]


def test_a_class_may_be_split_into_one_that_is_there_and_a_new_one(published, mia):
    dataset = published

    schema = change(dataset, mia, ("card", "split", ["lost", "arrival"]))

    assert [label.name for label in schema.labels.all()] == ["billing", "arrival", "lost", "transfer"]
    now = labels(dataset)
    assert LabelChange.objects.get().targets == [str(now["lost"].stable_id), str(now["arrival"].stable_id)]


@pytest.mark.postgres
def test_a_retired_class_takes_no_new_answers_and_keeps_its_decisions(dataset, queue, mia, ana):
    label_items(queue, {ana: ["lost"]})
    lost = labels(dataset)["lost"]

    change(dataset, mia, ("lost", "retire", []), move=[queue.uuid])
    run_ok()

    assert standing(dataset) == [("one", "lost", "single")]
    queue.refresh_from_db()
    slot = queue.slots.get(item__text="two")
    with refused("value"):
        submit(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, value=label_value(lost), client_key=lost.uuid)
    assert Annotation.objects.count() == 1


def test_a_queue_moves_and_a_page_that_was_open_meanwhile_is_understood(dataset, queue, mia, ana):
    old = labels(dataset)

    schema = change(dataset, mia, ("lost", "merge", ["card"]), move=[queue.uuid])

    queue.refresh_from_db()
    assert queue.schema == schema
    for item, name in zip(queue_items(queue), ("billing", "lost"), strict=False):
        slot = queue.slots.get(item=item)
        submit(
            queue_id=queue.uuid,
            actor=ana,
            slot_id=slot.pk,
            value=label_value(old[name]),
            client_key=old[name].uuid,
        )
    assert standing(dataset) == [("one", "billing", "single"), ("two", "card", "single")]
    assert payload(Event.objects.get(verb=Verb.QUEUE_MOVED))["new"] == 2


def test_a_queue_that_stays_behind_decides_for_the_merged_class(dataset, mia, ana, ravi):
    queue = make_queue(dataset, mia, schema=NAMES, overlap=2)
    label_items(queue, {ana: ["lost", "lost"]})
    change(dataset, mia, ("lost", "merge", ["card"]))
    run_ok()

    label_items(queue, {ravi: ["card", "billing"]})

    assert standing(dataset) == [("one", "card", "unanimous")]
    assert counters(queue) == (1, 1)


def test_disagreements_between_merged_classes_end_by_rule(dataset, mia, ana, ravi):
    queue = make_queue(dataset, mia, schema=NAMES, overlap=2)
    label_items(queue, {ana: ["lost", "lost"], ravi: ["card", "billing"]})
    assert counters(queue) == (0, 2)

    change(dataset, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert standing(dataset) == [("one", "card", "unanimous")]
    assert counters(queue) == (1, 1)
    ids = sorted(str(labels(dataset)[name].stable_id) for name in ("billing", "card"))
    assert Dispute.objects.get(state="open").pair == "|".join(ids)


def test_agreement_reads_answers_through_merges(dataset, mia, ana, ravi, monkeypatch):
    monkeypatch.setattr("datasets_app.quality.agreement.FEWEST", 4)
    queue = make_queue(dataset, mia, schema=NAMES, overlap=2)
    label_items(queue, {ana: ["lost"] * 2 + ["billing"] * 2, ravi: ["card"] * 2 + ["billing"] * 2})
    assert queue_agreement(queue).percent == 0.5

    change(queue.dataset, mia, ("lost", "merge", ["card"]))

    assert queue_agreement(queue).percent == 1.0


def test_what_was_suggested_for_a_merged_class_is_shown_for_the_other(dataset, mia, ana):
    queue = make_queue(dataset, mia, schema=NAMES, hidden_share=0)
    rows = [(queue_items(queue)[0].pk, "lost", 0.9)]
    suggest(
        dataset=dataset, rows=rows, source=Suggestion.Source.RUN, source_digest="a" * 64, source_name="Run 1"
    )

    change(dataset, mia, ("lost", "merge", ["card"]), move=[queue.uuid])

    queue = get_queue(mia, queue.uuid)
    items = bench_items(queue, claim(queue_id=queue.uuid, actor=ana), ana)
    assert items[0]["ranks"] == [(str(labels(dataset)["card"].uuid), 0.9)]


def test_merges_in_a_row_lead_to_the_last_class_and_a_split_ends_them(dataset, answered, mia, ana):
    label_items(answered, {ana: ["", "", "transfer"]})
    change(dataset, mia, ("lost", "merge", ["card"]))
    change(dataset, mia, ("card", "merge", ["transfer"]))
    run_ok()
    assert [label for _, label, _ in standing(dataset)] == ["transfer"] * 3

    change(dataset, mia, ("transfer", "split", ["in", "out"]))
    run_ok()

    assert standing(dataset) == []


def test_a_cancelled_move_goes_on_when_it_is_asked_for_again(dataset, queue, mia, ana, monkeypatch):
    monkeypatch.setattr("datasets_app.review.actions.changes.BATCH", 2)
    label_items(queue, {ana: ["lost"] * 4})
    change(dataset, mia, ("lost", "merge", ["card"]))
    job = Job.objects.get(kind=MOVE)

    def then_cancel(*args):
        jobs.cancel(job.uuid, mia)
        return supersede(*args)

    monkeypatch.setattr("datasets_app.review.actions.changes.supersede", then_cancel)
    assert [ended.state for ended in run_jobs()] == ["cancelled"]
    assert sorted(label for _, label, _ in standing(dataset)) == ["card"] * 2 + ["lost"] * 2
    monkeypatch.undo()

    move_decisions(dataset_id=dataset.uuid, actor=mia)
    run_ok()

    assert [label for _, label, _ in standing(dataset)] == ["card"] * 4
    assert Decision.objects.count() == 8
    assert [
        payload(event)["rows"] for event in Event.objects.filter(verb=Verb.LABELS_MOVED).order_by("id")
    ] == [2, 2]
    with refused():
        move_decisions(dataset_id=dataset.uuid, actor=mia)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "No change was chosen."),
        ([("card", "merge", ["card"])], "card can't be merged or split into itself."),
        ([("card", "split", ["card", "new"])], "card can't be merged or split into itself."),
        (
            [("card", "merge", ["lost"]), ("lost", "merge", ["card"])],
            "stays in the next version; lost doesn't",
        ),
        ([("card", "merge", ["lost"]), ("lost", "retire", [])], "stays in the next version; lost doesn't"),
        ([("card", "merge", ["nothing"])], "stays in the next version; nothing doesn't"),
        ([("card", "merge", [])], "one label that stays in the next version."),
        ([("card", "split", ["one"])], "split into two or more labels"),
        ([("card", "rename", [" "])], "card needs one new name."),
        ([("card", "vanish", [])], "Unknown change"),
        ([("card", "retire", []), ("card", "rename", ["x"])], "card has 2 changes at once."),
        ([("card", "rename", ["lost"])], "'lost' is listed 2 times."),
    ],
)
def test_what_makes_no_sense_changes_nothing(published, mia, wanted, message):
    with pytest.raises(Refused) as refused:
        change(published, mia, *wanted)

    assert message in refused.value.next_step
    assert (LabelSchema.objects.count(), LabelChange.objects.count(), Job.objects.count()) == (1, 0, 0)


def test_who_did_not_see_the_newest_version_changes_nothing(published, mia, ana):
    dataset = published

    with pytest.raises(Conflict, match="was published while you were editing"):
        change(dataset, mia, ("card", "retire", []), seen=0)
    with pytest.raises(PermissionDenied):
        change(dataset, ana, ("card", "retire", []), seen=1)

    assert LabelSchema.objects.count() == 1


def test_a_class_dropped_in_the_editor_is_retired(published, mia):
    make_schema(published, mia, ("billing", "card"))

    assert sorted(LabelChange.objects.values_list("kind", "name", "targets")) == [
        ("retire", "lost", []),
        ("retire", "transfer", []),
    ]


def test_a_merge_and_a_rename_of_its_class_go_together():
    present = [LabelSpec(name, stable_id=uuid) for name, uuid in zip(NAMES, UUIDS, strict=True)]

    made = plan(present, [Change(UUIDS[2], "merge", ("card",)), Change(UUIDS[1], "rename", ("plastic",))])

    assert [label.name for label in made.labels] == ["billing", "plastic", "transfer"]
    assert (made.removed[0].into, made.renamed) == (("plastic",), [("card", "plastic")])


def test_following_merges_ends_in_a_circle_too():
    a, b, c, _ = UUIDS
    assert (follow(a, {a: b, b: c}), follow(c, {a: b}), follow(a, {a: b, b: a})) == (c, c, b)


def test_what_is_touched_is_counted(dataset, answered, mia, ana):
    queue = answered
    answer(queue, ana, queue_items(queue)[0], "card")

    lost = Removed(labels(dataset)["lost"].stable_id, "lost", "merge", ("card",))

    found = touched(dataset, lost, [lost])

    assert (found.resolved_labels, found.withdrawn, found.annotations, found.prelabels, found.queues) == (
        1,
        0,
        2,
        0,
        1,
    )
    assert Queue.objects.count() == 1
