"""Labels of every type that has them are renamed, merged, split, and retired by the same rules, and the work
follows: resolved labels, disagreements, agreement, pre-labels, and gold. Annotations never change.
"""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest
from django.db.models import QuerySet
from django.urls import reverse

from datasets_app.prelabels.actions.suggestions import suggest, suggest_values
from datasets_app.prelabels.models import Suggestion
from datasets_app.quality.queries.quality import queue_agreement
from datasets_app.queues.actions import mixing
from datasets_app.queues.actions.answers import submit, undo
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Annotation, Decision, Dispute, Queue, Slot
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.gold import draw_gold
from datasets_app.queues.queries.pages import get_queue
from datasets_app.review.actions.changes import change_labels, move_decisions, supersede
from datasets_app.review.actions.reviews import adjudicate, undo_decision
from datasets_app.review.queries.moves import MOVE, decisions_behind, touched
from datasets_app.schemas.models import LabelChange, LabelSchema
from datasets_app.schemas.queries.changes import renamed
from datasets_app.schemas.relabeling import Change, Removed
from datasets_app.snapshots.actions import freeze
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.types import TYPES, type_of
from lifecycle.runtime.task_types.values import labels_of, rename
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from tests.support.changing import change, labels
from tests.support.gold import know
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import (
    adjudicators_of,
    annotate,
    annotate_items,
    make_dataset,
    make_queue,
    make_schema,
    named,
    queue_items,
)
from tests.support.unchanged import refused
from tests.task_types.examples import IDS, items_of, values_of
from tests.task_types.labeled import as_shown, counters, decided

pytestmark = pytest.mark.django_db
LABELED = [key for key, kind in TYPES.items() if kind.has_labels]
SEVERAL = [key for key in LABELED if not TYPES[key].one_label]
WITHOUT = [key for key in TYPES if key not in LABELED]
labeled = pytest.mark.parametrize("key", LABELED)
of_several = pytest.mark.parametrize("key", SEVERAL)
without_labels = pytest.mark.parametrize("key", WITHOUT)
MERGE, SPLIT, RETIRE = (
    ("PLACE", "merge", ["ORG"]),
    ("PLACE", "split", ["CITY", "LAND"]),
    ("PLACE", "retire", []),
)


def of(key: str, *names: str) -> Value:
    """A value with these labels, each for the same part of the text."""
    (value, *_), answers = values_of(key), type_of(key).answers
    return answers.join(part for name in names for part in answers.parts(rename(value, {"PERSON": name})))


def payload(verb: Verb) -> dict:
    return json.loads(Event.objects.get(verb=verb).canonical)["payload"]


def decisions(queue: Queue) -> QuerySet[Decision]:
    """All decisions of a dataset, withdrawn and superseded ones too."""
    return Decision.objects.filter(item__dataset=queue.dataset).order_by("id")


def annotations() -> list[tuple]:
    """All annotations as they are stored."""
    return list(Annotation.objects.order_by("id").values_list("id", "label", "value"))


@pytest.fixture
def done_of_each_type(project, mia, ana) -> dict[str, UUID]:
    """A queue of every type with labels, by its key: of four items, Ana labeled three as PLACE, ORG, and
    PLACE.
    """
    made = {}
    for key in LABELED:
        dataset = make_dataset(
            project, mia, items_of(key, 4), name=f"Four of {key}", slug=f"4-{key}", task=key
        )
        queue = make_queue(dataset, mia, schema=[*IDS])
        annotate_items(queue, {ana: [of(key, name) for name in ("PLACE", "ORG", "PLACE")]})
        made[key] = queue.uuid
    return made


@pytest.fixture
def done(key, done_of_each_type) -> Queue:
    return Queue.objects.select_related("dataset", "schema").get(uuid=done_of_each_type[key])


def test_types_with_labels_are_known():
    assert (LABELED, SEVERAL) == (["single_label", "multi_label", "spans"], ["multi_label", "spans"])


# ── Renaming ────────────────────────────────────────────────────────────────
@pytest.mark.postgres
@labeled
def test_a_renamed_label_keeps_its_identity_and_its_work(key, done, mia, ana):
    before, rows = labels(done.dataset)["PLACE"], annotations()

    schema = change(done.dataset, mia, ("PLACE", "rename", ["SPOT"]))

    assert [label.name for label in schema.labels.all()] == ["PERSON", "ORG", "SPOT"]
    assert labels(done.dataset)["SPOT"].stable_id == before.stable_id
    assert (LabelChange.objects.count(), Job.objects.count(), annotations()) == (0, 0, rows)
    assert renamed(before.schema, schema) == [("PLACE", "SPOT")]
    assert [value for value, *_ in decided(done)] == [of(key, each) for each in ("SPOT", "ORG", "SPOT")]


# ── Merging ─────────────────────────────────────────────────────────────────
@pytest.mark.postgres
@labeled
def test_resolved_labels_of_a_merged_label_move_and_annotations_stay(key, done, mia, ana):
    old = decisions(done).first()
    rows = annotations()

    schema = change(done.dataset, mia, MERGE)
    run_ok()

    assert decided(done) == [(of(key, "ORG"), "single", None, 1)] * 3
    made = Decision.objects.get(supersedes=old)
    assert (made.queue, made.by, made.change.kind) == (done, None, "merge")
    assert made.reason == "PLACE was merged into ORG in version 2."
    assert [each.pk for each in made.annotations.all()] == [each.pk for each in old.annotations.all()]
    assert (annotations(), decisions(done).count()) == (rows, 5)
    assert counters(done) == {"done": 3, "labeled": 3, "disputed": 0, "disputes": 0}
    assert [label.name for label in schema.labels.all()] == ["PERSON", "ORG"]
    assert adjudicators_of([made.item_id]) == {mia.pk}


@labeled
def test_the_event_of_moved_labels_carries_their_digest(done, mia):
    change(done.dataset, mia, MERGE)
    run_ok()

    moved = Decision.objects.filter(change__isnull=False).order_by("id").values_list("digest", flat=True)
    found, changed = payload(Verb.LABELS_MOVED), payload(Verb.LABELS_CHANGED)
    assert (found["rows"], found["withdrawn"]) == (2, 0)
    assert found["digest"] == digest_of({"decisions": list(moved)})
    assert {name: changed[name] for name in ("merge", "split", "retire", "renamed")} == {
        "merge": 1,
        "split": 0,
        "retire": 0,
        "renamed": 0,
    }


@of_several
def test_a_part_with_both_merged_labels_has_the_one_once(key, done, mia, ana):
    annotate(done, ana, queue_items(done)[3], of(key, "PERSON", "ORG", "PLACE"))

    change(done.dataset, mia, MERGE)
    run_ok()

    assert decided(done)[3] == (of(key, "PERSON", "ORG"), "single", None, 1)


@pytest.mark.postgres
@labeled
def test_who_adjudicated_still_answers_for_a_moved_label_and_so_does_who_merged(key, done, mia, ravi):
    item = queue_items(done)[1]
    adjudicate(
        queue_id=done.uuid,
        item_id=item.uuid,
        actor=ravi,
        value=named(done, of(key, "PLACE")),
        reason="It says so.",
    )

    change(done.dataset, mia, MERGE)
    run_ok()

    assert decided(done)[1] == (of(key, "ORG"), "adjudicated", ravi, 1)
    assert adjudicators_of([item.pk]) == {ravi.pk, mia.pk}
    with refused(match="no label to undo"):
        undo_decision(queue_id=done.uuid, actor=ravi)


@labeled
def test_merges_in_a_row_lead_to_the_last_label_and_a_split_ends_them(key, done, mia, lee):
    change(done.dataset, mia, MERGE)
    change(done.dataset, lee, ("ORG", "merge", ["PERSON"]))
    run_ok()
    assert [value for value, *_ in decided(done)] == [of(key, "PERSON")] * 3
    moved = Decision.objects.filter(item=queue_items(done)[0], change__isnull=False).order_by("id")
    assert [each.change.schema.created_by for each in moved] == [mia, lee]

    change(done.dataset, mia, ("PERSON", "split", ["ONE", "GROUP"]))
    run_ok()

    assert decided(done) == []


@labeled
def test_a_page_that_was_open_meanwhile_is_understood(key, done, mia, ana):
    shown = as_shown(done, of(key, "PLACE") if type_of(key).one_label else of(key, "PLACE", "ORG"))

    schema = change(done.dataset, mia, MERGE, move=[done.uuid])

    done.refresh_from_db()
    assert (done.schema, payload(Verb.QUEUE_MOVED)["new"]) == (schema, 2)
    slot = done.slots.get(item=queue_items(done)[3])
    submit(queue_id=done.uuid, actor=ana, slot_id=slot.pk, value=shown, client_key=uuid4())
    assert decided(done)[3] == (of(key, "ORG"), "single", None, 1)


@labeled
def test_an_item_in_anothers_hand_stays_there(key, done, mia, ben):
    (slot,) = claim(queue_id=done.uuid, actor=ben, k=1)
    before = Slot.objects.filter(pk=slot.pk).values().get()

    change(done.dataset, mia, MERGE, move=[done.uuid])
    run_ok()

    assert Slot.objects.filter(pk=slot.pk).values().get() == before
    assert (before["user_id"], before["state"]) == (ben.pk, Slot.State.LEASED)
    assert len(decided(done)) == 3


@labeled
def test_a_queue_that_stays_behind_decides_for_the_merged_label(key, queue, mia, ana, ben):
    annotate_items(queue, {ana: [of(key, "PLACE")]})
    change(queue.dataset, mia, MERGE)
    run_ok()

    annotate_items(queue, {ben: [of(key, "ORG")]})

    assert decided(queue) == [(of(key, "ORG"), "unanimous", None, 2)]
    assert not decisions_behind(queue.dataset).exists()


@labeled
def test_a_queue_whose_version_never_had_the_label_decides_for_it(key, queue, mia, ana, ben):
    annotate_items(queue, {ana: [of(key, "PLACE")]})
    make_schema(queue.dataset, mia, [*IDS, "SPOT"])
    change(queue.dataset, mia, ("PLACE", "merge", ["SPOT"]))
    run_ok()

    annotate_items(queue, {ben: [of(key, "PLACE")]})

    assert decided(queue) == [(of(key, "SPOT"), "unanimous", None, 2)]


@pytest.mark.postgres
@labeled
def test_disagreements_between_merged_labels_end_by_rule(key, queue, mia, ana, ben):
    annotate_items(
        queue,
        {ana: [of(key, "PLACE")] * 2, ben: [of(key, "ORG"), of(key, "PERSON")]},
    )
    assert counters(queue) == {"done": 4, "labeled": 0, "disputed": 2, "disputes": 2}

    change(queue.dataset, mia, MERGE)
    run_ok()

    assert decided(queue) == [(of(key, "ORG"), "unanimous", None, 2)]
    assert counters(queue) == {"done": 4, "labeled": 1, "disputed": 1, "disputes": 1}
    open_ = Dispute.objects.get(queue=queue, state="open")
    assert (open_.item, open_.pair) == (
        queue_items(queue)[1],
        "|".join(sorted(str(labels(queue.dataset)[name].stable_id) for name in ("ORG", "PERSON"))),
    )


@labeled
def test_agreement_reads_annotations_through_merges(key, queue, mia, ana, ben, monkeypatch):
    monkeypatch.setattr("datasets_app.quality.agreement.FEWEST", 3)
    one, other, third = (of(key, name) for name in ("PLACE", "ORG", "PERSON"))
    annotate_items(queue, {ana: [one, one, third], ben: [other, one, third]})
    assert queue_agreement(queue).percent == pytest.approx(2 / 3)

    change(queue.dataset, mia, MERGE)

    assert queue_agreement(queue).percent == 1.0


@labeled
def test_pre_labels_of_a_merged_label_are_shown_once_for_the_other(key, single_queue, mia, ana):
    queue, (item, *_) = single_queue, queue_items(single_queue)
    source = {"source": Suggestion.Source.RUN, "source_digest": "a" * 64, "source_name": "Run 1"}
    if type_of(key).labels_texts:
        suggest(dataset=queue.dataset, rows=[(item.pk, "PLACE", 0.9), (item.pk, "ORG", 0.4)], **source)
    else:
        value = named(queue, of(key, "PLACE", "ORG"))
        suggest_values(dataset=queue.dataset, rows=[(item.pk, value, 0.9)], **source)
    Queue.objects.filter(pk=queue.pk).update(hidden_share=0)

    change(queue.dataset, mia, MERGE, move=[queue.uuid])

    queue = get_queue(mia, queue.uuid)
    shown = bench_items(queue, claim(queue_id=queue.uuid, actor=ana, k=1), ana)[0]
    now = as_shown(queue, of(key, "ORG"))
    assert (shown["ranks"], shown["prelabeled"]) == (
        ([(labels_of(now)[0], 0.9)], None) if type_of(key).labels_texts else ([], now)
    )


@pytest.mark.postgres
@labeled
def test_gold_is_judged_through_merges(key, done, mia, ravi, ana):
    item = queue_items(done)[3]
    know(item, ravi, of(key, "PLACE"))

    change(done.dataset, mia, MERGE, move=[done.uuid])

    queue = get_queue(mia, done.uuid)
    known, right = mixing.judge_gold(item, named(queue, of(key, "ORG")))
    assert (known.item, right) == (item, True)
    assert mixing.judge_gold(item, named(queue, of(key, "PERSON"))) == (known, False)
    assert draw_gold(queue, ana, 1, 0) == [known]


# ── Splitting ───────────────────────────────────────────────────────────────
@labeled
def test_items_of_a_split_label_are_unlabeled_and_a_new_queue_takes_them(key, done, mia):
    schema = change(done.dataset, mia, SPLIT)
    run_ok()

    assert [label.name for label in schema.labels.all()] == ["PERSON", "ORG", "CITY", "LAND"]
    assert decided(done) == [(of(key, "ORG"), "single", None, 1)]
    withdrawn = Decision.objects.filter(how="withdrawn")
    assert [(each.by, each.reason, each.annotations.count()) for each in withdrawn] == [
        (mia, "PLACE was split in version 2.", 0)
    ] * 2
    assert (payload(Verb.LABELS_MOVED)["withdrawn"], counters(done)["labeled"]) == (2, 1)
    fresh = open_queue(dataset_id=done.dataset.uuid, actor=mia, name="Again")
    items = queue_items(done)
    assert queue_items(fresh) == [items[0], items[2], items[3]]


@of_several
def test_an_item_with_a_split_label_beside_another_is_unlabeled(key, done, mia, ana):
    annotate(done, ana, queue_items(done)[3], of(key, "ORG", "PLACE"))

    change(done.dataset, mia, SPLIT)
    run_ok()

    assert [value for value, *_ in decided(done)] == [of(key, "ORG")]
    assert Decision.objects.filter(how="withdrawn").count() == 3


# ── Retiring ────────────────────────────────────────────────────────────────
@pytest.mark.postgres
@labeled
def test_a_retired_label_takes_no_new_annotations(key, done, mia, ana):
    shown, slot = as_shown(done, of(key, "PLACE")), done.slots.get(item=queue_items(done)[3])
    before = annotations()

    change(done.dataset, mia, RETIRE, move=[done.uuid])
    run_ok()

    with refused("value"):
        submit(queue_id=done.uuid, actor=ana, slot_id=slot.pk, value=shown, client_key=uuid4())
    assert annotations() == before


@labeled
def test_a_retired_label_stays_resolved_where_an_annotation_is_one_label_and_is_withdrawn_elsewhere(
    key, done, mia
):
    one_label = type_of(key).one_label

    change(done.dataset, mia, RETIRE, move=[done.uuid])
    run_ok()

    kept = ("PLACE", "ORG", "PLACE") if one_label else ("ORG",)
    assert decided(done) == [(of(key, name), "single", None, 1) for name in kept]
    withdrawn = Decision.objects.filter(how="withdrawn")
    assert [(each.by, each.reason) for each in withdrawn] == [(mia, "PLACE was retired in version 2.")] * (
        3 - len(kept)
    )
    assert counters(done)["labeled"] == len(kept)
    assert Job.objects.filter(kind=MOVE).exists() is not one_label


@of_several
def test_a_retired_label_is_removed_where_another_stays(key, done, mia, ana):
    item = queue_items(done)[3]
    annotate(done, ana, item, of(key, "ORG", "PLACE"))

    change(done.dataset, mia, RETIRE)
    run_ok()

    assert decided(done) == [(of(key, "ORG"), "single", None, 1)] * 2
    assert Decision.objects.latest("id").reason == "PLACE was retired in version 2."
    assert adjudicators_of([item.pk]) == {mia.pk}


@of_several
def test_annotations_that_differ_in_a_retired_label_agree(key, queue, mia, ana, ben):
    annotate_items(queue, {ana: [of(key, "ORG", "PLACE"), of(key, "PLACE")], ben: [of(key, "ORG")] * 2})

    change(queue.dataset, mia, RETIRE, move=[queue.uuid])
    run_ok()

    assert decided(queue) == [(of(key, "ORG"), "unanimous", None, 2)]
    assert counters(queue) == {"done": 4, "labeled": 1, "disputed": 1, "disputes": 1}


@of_several
def test_gold_with_a_retired_label_alone_is_not_drawn(key, done, mia, ravi, ben):
    first, *_, last = queue_items(done)
    know(last, ravi, of(key, "PLACE"))
    kept = know(first, ravi, of(key, "ORG", "PLACE"))

    change(done.dataset, mia, RETIRE, move=[done.uuid])

    queue = get_queue(mia, done.uuid)
    assert draw_gold(queue, ben, 2, 0) == [kept]
    assert mixing.judge_gold(first, named(queue, of(key, "ORG"))) == (kept, True)


@labeled
def test_an_annotation_with_a_retired_label_alone_can_be_undone(key, done, mia, ana):
    change(done.dataset, mia, RETIRE, move=[done.uuid])
    run_ok()

    undo(queue_id=done.uuid, actor=ana, client_key=uuid4())

    kept = ("PLACE", "ORG") if type_of(key).one_label else ("ORG",)
    assert [value for value, *_ in decided(done)] == [of(key, name) for name in kept]
    assert counters(done) == {"done": 2, "labeled": len(kept), "disputed": 0, "disputes": 0}


@labeled
def test_a_label_left_out_in_the_editor_is_retired(key, done, mia):
    make_schema(done.dataset, mia, ["PERSON", "ORG"])
    run_ok()

    assert list(LabelChange.objects.values_list("kind", "name", "targets")) == [("retire", "PLACE", [])]
    assert len(decided(done)) == (3 if type_of(key).one_label else 1)


# ── Jobs and previews ───────────────────────────────────────────────────────
@labeled
def test_no_version_is_created_while_labels_are_being_moved(done, mia):
    change(done.dataset, mia, MERGE)

    with pytest.raises(Conflict, match="are still being moved"):
        freeze(dataset=done.dataset, actor=mia)
    assert not Job.objects.filter(kind="snapshots.create").exists()

    run_ok()
    assert freeze(dataset=done.dataset, actor=mia).kind == "snapshots.create"


@pytest.mark.postgres
@labeled
def test_a_cancelled_move_continues_when_requested_again(key, done, mia, monkeypatch):
    monkeypatch.setattr("datasets_app.review.actions.changes.BATCH", 1)
    change(done.dataset, mia, MERGE)
    job = Job.objects.get(kind=MOVE)

    def then_cancel(*args):
        jobs.cancel(job.uuid, mia)
        return supersede(*args)

    monkeypatch.setattr("datasets_app.review.actions.changes.supersede", then_cancel)
    assert [ended.state for ended in run_jobs()] == ["cancelled"]
    assert decisions_behind(done.dataset).count() == 1
    monkeypatch.undo()

    move_decisions(dataset_id=done.dataset.uuid, actor=mia)
    run_ok()

    assert [value for value, *_ in decided(done)] == [of(key, "ORG")] * 3
    events = Event.objects.filter(verb=Verb.LABELS_MOVED).order_by("id")
    assert [json.loads(event.canonical)["payload"]["rows"] for event in events] == [1, 1]
    with refused(match="No resolved label uses a label that was merged"):
        move_decisions(dataset_id=done.dataset.uuid, actor=mia)
    assert decisions(done).count() == 5


@labeled
def test_the_preview_counts_what_uses_a_label(key, done, mia, ana):
    annotate(done, ana, queue_items(done)[0], of(key, "ORG"))
    source = labels(done.dataset)["PLACE"].stable_id
    found = [
        touched(done.dataset, removed, [removed])
        for removed in (
            Removed(source, "PLACE", "merge", ("ORG",)),
            Removed(source, "PLACE", "split", ("CITY", "LAND")),
            Removed(source, "PLACE", "retire"),
        )
    ]

    several = not type_of(key).one_label
    assert [
        (each.resolved_labels, each.withdrawn, each.annotations, each.prelabels, each.queues)
        for each in found
    ] == [(1, 0, 2, 0, 1), (1, 1, 2, 0, 1), (1, int(several), 2, 0, 1)]


@labeled
def test_labels_of_another_dataset_stay(key, done, done_of_each_type, mia):
    others = Queue.objects.filter(uuid__in=done_of_each_type.values()).exclude(pk=done.pk)
    before = {other.pk: decided(other) for other in others}

    change(done.dataset, mia, SPLIT)
    run_ok()

    assert {other.pk: decided(other) for other in others} == before
    assert len(decided(done)) == 1


# ── Types without labels ────────────────────────────────────────────────────
@without_labels
def test_a_type_without_labels_has_none_to_change(queue, mia, client_for):
    dataset = queue.dataset
    schemas = LabelSchema.objects.count()

    with refused(match="there are none to change"):
        change_labels(dataset_id=dataset.uuid, actor=mia, wanted=[Change(dataset.uuid, "retire")])

    client = client_for(mia)
    url = reverse("review:change_labels", args=[dataset.uuid])
    assert client.get(url).status_code == 404
    page = client.get(reverse("schemas:schema", args=[dataset.uuid]))
    assert (page.context["may_manage"], page.context["has_labels"]) == (True, False)
    assert url not in page.content.decode()
    assert (LabelSchema.objects.count(), LabelChange.objects.count()) == (schemas, 0)
