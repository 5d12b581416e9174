"""Classes that are merged, split and retired where a text may have several of them."""

import json
from uuid import uuid4

import pytest

from datasets_app.prelabels.actions.suggestions import suggest, suggest_values
from datasets_app.prelabels.models import Suggestion
from datasets_app.quality.queries.quality import queue_agreement
from datasets_app.queues.actions.answers import submit, undo
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Annotation, Decision, Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.pages import get_queue
from datasets_app.review.actions.changes import move_decisions, supersede
from datasets_app.review.queries.moves import MOVE, decisions_behind, looked_through, to_move
from datasets_app.schemas.queries.labels import names_ever
from datasets_app.snapshots.actions import freeze
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.task_types.values import rename
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.changing import (
    NAMES,
    TEXTS,
    change,
    label_all,
    labels,
    new_dataset,
    resolved_labels,
    sets,
    spans,
)
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import adjudicators_of, annotate, make_queue, make_schema, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def several(project, mia):
    return new_dataset(project, mia, "multi_label")


@pytest.fixture
def marked(project, mia):
    return new_dataset(project, mia, "spans")


@pytest.fixture
def of_several(several, mia) -> Queue:
    return make_queue(several, mia)


@pytest.fixture
def of_marked(marked, mia) -> Queue:
    return make_queue(marked, mia)


@pytest.fixture
def of_two(several, mia) -> Queue:
    """Two people answer each of its items."""
    return make_queue(several, mia, overlap=2)


def counters(queue) -> tuple[int, int]:
    queue.refresh_from_db()
    return queue.items_labeled, queue.items_disputed


# ── Merging ─────────────────────────────────────────────────────────────────
def test_sets_lose_the_doubled_class_and_answers_stay(of_several, several, mia, ana):
    queue = of_several
    label_all(queue, ana, [sets("card", "lost"), sets("billing", "lost"), sets("billing"), sets()])
    old = Decision.objects.get(item__text=TEXTS[0])
    answers = list(Annotation.objects.order_by("id").values("id", "value"))

    schema = change(several, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert resolved_labels(several) == [
        (TEXTS[0], sets("card"), "single"),
        (TEXTS[1], sets("billing", "card"), "single"),
        (TEXTS[2], sets("billing"), "single"),
        (TEXTS[3], sets(), "single"),
    ]
    made = Decision.objects.get(supersedes=old)
    assert (made.label, made.queue, made.by, made.change.kind) == (None, queue, None, "merge")
    assert made.reason == "lost was merged into card in version 2."
    assert [each.pk for each in made.annotations.all()] == [each.pk for each in old.annotations.all()]
    assert list(Annotation.objects.order_by("id").values("id", "value")) == answers
    event = json.loads(Event.objects.get(verb=Verb.LABELS_MOVED).canonical)["payload"]
    assert (event["rows"], event["withdrawn"], counters(queue)) == (2, 0, (4, 0))
    assert [label.name for label in schema.labels.all()] == ["billing", "card", "transfer"]
    assert adjudicators_of([made.item_id]) == {mia.pk}


def test_equal_spans_of_both_classes_become_one(of_marked, marked, mia, ana):
    queue = of_marked
    label_all(queue, ana, [spans((3, 7, "card"), (3, 7, "lost"), (11, 15, "lost")), spans((2, 6, "billing"))])

    change(marked, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert resolved_labels(marked) == [
        (TEXTS[0], spans((3, 7, "card"), (11, 15, "card")), "single"),
        (TEXTS[1], spans((2, 6, "billing")), "single"),
    ]
    assert Decision.objects.count() == 3


def test_disagreements_between_merged_classes_end_by_rule(of_two, several, mia, ana, ben):
    queue = of_two
    label_all(queue, ana, [sets("lost"), sets("card", "lost"), sets("lost")])
    label_all(queue, ben, [sets("card"), sets("card"), sets("billing")])
    assert counters(queue) == (0, 3)

    change(several, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert resolved_labels(several) == [
        (TEXTS[0], sets("card"), "unanimous"),
        (TEXTS[1], sets("card"), "unanimous"),
    ]
    assert counters(queue) == (2, 1)


@pytest.mark.postgres
def test_marked_parts_that_differed_only_in_merged_classes_agree(marked, mia, ana, ben):
    queue = make_queue(marked, mia, overlap=2)
    label_all(queue, ana, [spans((3, 7, "lost")), spans((2, 6, "lost"))])
    label_all(queue, ben, [spans((3, 7, "card")), spans((2, 5, "card"))])

    change(marked, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert resolved_labels(marked) == [(TEXTS[0], spans((3, 7, "card")), "unanimous")]
    assert counters(queue) == (1, 1)


def test_a_queue_that_stays_behind_decides_for_the_merged_class(of_two, several, mia, ana, ben):
    queue = of_two
    label_all(queue, ana, [sets("lost", "billing")])
    change(several, mia, ("lost", "merge", ["card"]))
    run_ok()

    label_all(queue, ben, [sets("card", "billing")])

    assert resolved_labels(several) == [(TEXTS[0], sets("billing", "card"), "unanimous")]
    assert not decisions_behind(several).exists()


def test_a_queue_whose_version_never_had_the_class_decides_for_it(of_two, several, mia, ana, ben):
    queue = of_two
    label_all(queue, ana, [sets("lost")])
    make_schema(several, mia, [*NAMES, "plastic"])
    change(several, mia, ("lost", "merge", ["plastic"]))
    run_ok()

    label_all(queue, ben, [sets("lost")])

    assert resolved_labels(several) == [(TEXTS[0], sets("plastic"), "unanimous")]


@pytest.mark.parametrize("task", ["multi_label", "spans"])
def test_a_page_that_was_open_meanwhile_is_understood(project, mia, ana, task):
    dataset = new_dataset(project, mia, task)
    queue, old = make_queue(dataset, mia), labels(dataset)
    change(dataset, mia, ("lost", "merge", ["card"]), move=[queue.uuid])
    slot, ids = queue.slots.order_by("id").first(), [str(old[name].uuid) for name in ("lost", "card")]
    value = {"labels": ids} if task == "multi_label" else spans((3, 7, ids[0]), (3, 7, ids[1]))

    submit(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, value=value, client_key=old["lost"].uuid)

    assert resolved_labels(dataset) == [
        (TEXTS[0], sets("card") if task == "multi_label" else spans((3, 7, "card")), "single")
    ]


def test_pre_labels_of_a_merged_label_are_listed_once(several, marked, mia, ana):
    ids = {name: str(label.stable_id) for name, label in labels(marked).items()}
    source = {"source": Suggestion.Source.RUN, "source_digest": "a" * 64, "source_name": "Run 1"}
    item, other = several.items.order_by("id").first(), marked.items.order_by("id").first()
    suggest(dataset=several, rows=[(item.pk, "lost", 0.9), (item.pk, "card", 0.4)], **source)
    both = [
        {"start": 3, "end": 7, "label": ids[name], "score": score}
        for name, score in (("lost", 0.9), ("card", 0.4))
    ]
    suggest_values(dataset=marked, rows=[(other.pk, {"spans": both}, 0.9)], **source)
    shown = []
    for dataset in (several, marked):
        queue = make_queue(dataset, mia, hidden_share=0)
        change(dataset, mia, ("lost", "merge", ["card"]), move=[queue.uuid])
        queue = get_queue(mia, queue.uuid)
        shown.append(bench_items(queue, claim(queue_id=queue.uuid, actor=ana, k=1), ana)[0])

    assert shown[0]["ranks"] == [(str(labels(several)["card"].uuid), 0.9)]
    assert shown[1]["prelabeled"] == {
        "spans": [{"start": 3, "end": 7, "label": str(labels(marked)["card"].uuid), "score": 0.9}]
    }


def test_agreement_reads_sets_through_merges(several, mia, ana, ben, monkeypatch):
    monkeypatch.setattr("datasets_app.quality.agreement.FEWEST", 4)
    queue = make_queue(several, mia, overlap=2)
    label_all(queue, ana, [sets("lost", "billing")] * 2 + [sets("billing")] * 2)
    label_all(queue, ben, [sets("card", "billing")] * 2 + [sets("billing")] * 2)
    assert queue_agreement(queue).percent == 0.5

    change(several, mia, ("lost", "merge", ["card"]))

    assert queue_agreement(queue).percent == 1.0


def test_later_versions_follow_in_turn_and_each_publisher_answers(of_several, several, mia, lee, ana):
    label_all(of_several, ana, [sets("lost"), sets("billing", "lost"), sets("card")])
    change(several, mia, ("lost", "merge", ["card"]))
    change(several, lee, ("card", "merge", ["transfer"]), ("billing", "retire", []))

    run_ok()

    assert resolved_labels(several) == [(text, sets("transfer"), "single") for text in TEXTS[:3]]
    first = Decision.objects.filter(item__text=TEXTS[1]).order_by("id")
    assert [(each.change and each.change.schema.created_by, each.reason) for each in first] == [
        (None, ""),
        (mia, "lost was merged into card in version 2."),
        (lee, "card was merged into transfer in version 3. billing was retired in version 3."),
    ]


# ── Splitting and retiring ──────────────────────────────────────────────────
@pytest.mark.parametrize("task", ["multi_label", "spans"])
def test_a_decision_that_holds_a_split_class_is_withdrawn(project, mia, ana, task):
    dataset = new_dataset(project, mia, task)
    queue = make_queue(dataset, mia)
    both, one = (
        (sets("billing", "card"), sets("billing"))
        if task == "multi_label"
        else (spans((0, 2, "billing"), (3, 7, "card")), spans())
    )
    label_all(queue, ana, [both, one])

    change(dataset, mia, ("card", "split", ["card_lost", "card_arrival"]))
    run_ok()

    assert resolved_labels(dataset) == [(TEXTS[1], one, "single")]
    withdrawn = Decision.objects.get(how="withdrawn")
    assert (withdrawn.by, withdrawn.reason, rename(withdrawn.value, names_ever(dataset))) == (
        mia,
        "card was split in version 2.",
        both,
    )
    assert counters(queue) == (1, 0)
    fresh = open_queue(dataset_id=dataset.uuid, actor=mia, name="Again")
    assert TEXTS[0] in [item.text for item in queue_items(fresh)]


def test_a_retired_class_is_taken_out_and_what_named_no_other_is_withdrawn(of_several, several, mia, ana):
    queue = of_several
    label_all(queue, ana, [sets("billing", "lost"), sets("lost"), sets("billing"), sets()])

    change(several, mia, ("lost", "retire", []), move=[queue.uuid])
    run_ok()

    assert resolved_labels(several) == [
        (TEXTS[0], sets("billing"), "single"),
        (TEXTS[2], sets("billing"), "single"),
        (TEXTS[3], sets(), "single"),
    ]
    ends = {each.item.text: each for each in Decision.objects.filter(change__isnull=False)}
    assert {text: (each.how, each.by, each.reason) for text, each in ends.items()} == {
        TEXTS[0]: ("single", None, "lost was retired in version 2."),
        TEXTS[1]: ("withdrawn", mia, "lost was retired in version 2."),
    }
    assert counters(queue) == (3, 0)
    assert adjudicators_of([ends[TEXTS[0]].item_id]) == {mia.pk}
    old = several.schemas.get(version=1).labels.get(name="lost")
    slot = queue.slots.get(item__text=TEXTS[4])
    with refused("value"):
        submit(
            queue_id=queue.uuid,
            actor=ana,
            slot_id=slot.pk,
            value={"labels": [str(old.uuid)]},
            client_key=old.uuid,
        )
    assert Annotation.objects.count() == 4


@pytest.mark.postgres
def test_marked_parts_of_a_retired_class_are_taken_out(of_marked, marked, mia, ana):
    queue = of_marked
    label_all(queue, ana, [spans((3, 7, "card"), (11, 15, "lost")), spans((2, 6, "lost")), spans()])

    change(marked, mia, ("lost", "retire", []))
    run_ok()

    assert resolved_labels(marked) == [
        (TEXTS[0], spans((3, 7, "card")), "single"),
        (TEXTS[2], spans(), "single"),
    ]
    assert freeze(dataset=marked, actor=mia).kind == "snapshots.create"


def test_an_item_whose_decision_was_withdrawn_is_labeled_again(of_several, several, mia, ana, ben):
    label_all(of_several, ana, [sets("lost")])
    change(several, mia, ("lost", "retire", []))
    run_ok()
    again = open_queue(dataset_id=several.uuid, actor=mia, name="Again")

    annotate(again, ben, queue_items(again)[0], sets("card"))

    assert resolved_labels(several) == [(TEXTS[0], sets("card"), "single")]
    assert counters(again) == (1, 0)


def test_a_class_dropped_in_the_editor_is_taken_out_too(of_several, several, mia, ana):
    label_all(of_several, ana, [sets("billing", "lost")])

    make_schema(several, mia, ("billing", "card", "transfer"))
    assert Job.objects.get().kind == MOVE
    run_ok()

    assert resolved_labels(several) == [(TEXTS[0], sets("billing"), "single")]


def test_answers_that_differ_in_a_retired_class_agree(of_two, several, mia, ana, ben):
    queue = of_two
    label_all(queue, ana, [sets("billing", "lost"), sets("lost")])
    label_all(queue, ben, [sets("billing"), sets("billing")])

    change(several, mia, ("lost", "retire", []), move=[queue.uuid])
    run_ok()

    assert resolved_labels(several) == [(TEXTS[0], sets("billing"), "unanimous")]
    assert counters(queue) == (1, 1)


def test_an_answer_that_named_a_retired_class_alone_is_taken_back_without_a_fault(
    of_several, several, mia, ana
):
    queue = of_several
    label_all(queue, ana, [sets("lost")])
    change(several, mia, ("lost", "retire", []), move=[queue.uuid])

    undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())

    assert resolved_labels(several) == []


def test_nothing_is_frozen_while_decisions_are_being_moved(of_several, several, mia, ana):
    label_all(of_several, ana, [sets("billing", "lost"), sets("card")])
    change(several, mia, ("lost", "retire", []))

    with pytest.raises(Conflict):
        freeze(dataset=several, actor=mia)
    assert not Job.objects.filter(kind="snapshots.create").exists()

    run_ok()
    assert freeze(dataset=several, actor=mia).kind == "snapshots.create"


@pytest.mark.postgres
def test_a_cancelled_move_goes_on_when_it_is_asked_for_again(several, mia, ana, monkeypatch):
    monkeypatch.setattr("datasets_app.review.actions.changes.BATCH", 2)
    dataset = several
    label_all(make_queue(dataset, mia), ana, [sets("lost", "billing")] * 5)
    change(dataset, mia, ("lost", "merge", ["card"]))
    job = Job.objects.get(kind=MOVE)

    def then_cancel(*args):
        jobs.cancel(job.uuid, mia)
        return supersede(*args)

    monkeypatch.setattr("datasets_app.review.actions.changes.supersede", then_cancel)
    assert [ended.state for ended in run_jobs()] == ["cancelled"]
    assert decisions_behind(dataset).count() == 3
    monkeypatch.undo()

    move_decisions(dataset_id=dataset.uuid, actor=mia)
    run_ok()

    assert [value for _, value, _ in resolved_labels(dataset)] == [sets("billing", "card")] * 5
    assert Decision.objects.count() == 10
    with refused(match=r"No resolved label uses a label that was merged, split, or retired\."):
        move_decisions(dataset_id=dataset.uuid, actor=mia)


def test_what_a_job_looked_through_is_not_looked_at_again_and_later_decisions_are(
    of_several, several, mia, ana
):
    queue = of_several
    label_all(queue, ana, [sets("lost", "billing"), sets("card")])
    change(several, mia, ("lost", "split", ["stolen", "mislaid"]))
    last = Decision.objects.latest("id").pk
    run_ok()
    assert looked_through(several, to_move(several)) == last

    annotate(queue, ana, queue_items(queue)[2], sets("lost"))  # whose version still has the class
    assert [each.item.text for each in decisions_behind(several)] == [TEXTS[2]]
    move_decisions(dataset_id=several.uuid, actor=mia)
    run_ok()

    assert resolved_labels(several) == [(TEXTS[1], sets("card"), "single")]
    change(several, mia, ("card", "retire", []))
    assert looked_through(several, to_move(several)) == 0
    run_ok()
    assert resolved_labels(several) == []


def test_decisions_of_another_dataset_stay(several, marked, mia, ana):
    label_all(make_queue(marked, mia), ana, [spans((3, 7, "lost"))])

    change(several, mia, ("lost", "retire", []))
    run_ok()

    assert Decision.objects.count() == 1
