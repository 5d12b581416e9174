"""Classes that are merged, split and retired where a text may have several of them."""

import pytest

from datasets_app.prelabels.actions.suggestions import suggest, suggest_values
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Decision, Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.pages import get_queue
from datasets_app.review.actions.changes import move_decisions
from datasets_app.review.queries.moves import decisions_behind, looked_through, to_move
from tests.support.changing import (
    TEXTS,
    change,
    label_all,
    labels,
    new_dataset,
    resolved_labels,
    sets,
    spans,
)
from tests.support.jobs import run_ok
from tests.support.labeling import annotate, make_queue, queue_items

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


def counters(queue) -> tuple[int, int]:
    queue.refresh_from_db()
    return queue.items_labeled, queue.items_disputed


# ── Merging ─────────────────────────────────────────────────────────────────
@pytest.mark.postgres
def test_marked_parts_that_differed_only_in_merged_classes_agree(marked, mia, ana, ben):
    queue = make_queue(marked, mia, overlap=2)
    label_all(queue, ana, [spans((3, 7, "lost")), spans((2, 6, "lost"))])
    label_all(queue, ben, [spans((3, 7, "card")), spans((2, 5, "card"))])

    change(marked, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert resolved_labels(marked) == [(TEXTS[0], spans((3, 7, "card")), "unanimous")]
    assert counters(queue) == (1, 1)


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
def test_an_item_whose_decision_was_withdrawn_is_labeled_again(of_several, several, mia, ana, ben):
    label_all(of_several, ana, [sets("lost")])
    change(several, mia, ("lost", "retire", []))
    run_ok()
    again = open_queue(dataset_id=several.uuid, actor=mia, name="Again")

    annotate(again, ben, queue_items(again)[0], sets("card"))

    assert resolved_labels(several) == [(TEXTS[0], sets("card"), "single")]
    assert counters(again) == (1, 0)


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
