"""Classes that are merged, split and retired where a text may have several of them."""

import json
from uuid import uuid4

import pytest
from django.urls import reverse

from datasets_app.labeling import actions, queries
from datasets_app.labeling.models import Annotation, Decision, GuidelineProposal, LabelChange, LabelSchema, Suggestion
from datasets_app.labeling.queries import changes
from datasets_app.labeling.relabelling import Change, ChangeKind, Gone, moved
from datasets_app.labeling.rules import ClassesNow, is_right, through
from datasets_app.labeling.values import rename, words
from datasets_app.snapshots.actions import freeze
from lifecycle.jobs import actions as jobs
from lifecycle.jobs.models import Job
from lifecycle.refusals import Conflict, Refused
from registry.ledger.models import Event
from registry.ledger.verbs import Verb
from tests.support.gold import know
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import make_dataset, make_queue, make_schema, queue_items, say

pytestmark = pytest.mark.django_db
NAMES = ("billing", "card", "lost", "transfer")
TEXTS = ["my card is lost", "a lost bill", "one transfer", "nothing", "a fifth"]


def new_dataset(project, mia, task, texts=TEXTS):
    dataset = make_dataset(project, mia, texts, task=task, slug=task)
    make_schema(dataset, mia, NAMES)
    return dataset


@pytest.fixture
def several(project, mia):
    return new_dataset(project, mia, "multi_label")


@pytest.fixture
def marked(project, mia):
    return new_dataset(project, mia, "spans")


def labels(dataset):
    return queries.labels_by_name(queries.latest_schema(dataset))


def change(dataset, actor, *wanted, **options) -> LabelSchema:
    """wanted: (class, kind, names)."""
    now = labels(dataset)
    made = [Change(now[name].stable_id, kind, tuple(into)) for name, kind, into in wanted]
    return actions.change_classes(dataset_id=dataset.uuid, actor=actor, wanted=made, **options)


def sets(*names):
    return {"labels": sorted(names)}


def spans(*found):
    return {"spans": [{"start": start, "end": end, "label": label} for start, end, label in found]}


def said_of(dataset) -> list:
    """What holds for each decided item, its classes by the names that they had last."""
    names = queries.names_ever(dataset)
    return [(each.item.text, rename(each.value, names), each.how) for each in queries.current_decisions(dataset)]


def label_all(queue, user, values) -> None:
    for item, value in zip(queue_items(queue), values, strict=False):
        if value is not None:
            say(queue, user, item, value)


def told(event) -> dict:
    return json.loads(event.canonical)["payload"]


def counters(queue) -> tuple[int, int]:
    queue.refresh_from_db()
    return queue.items_decided, queue.items_disputed


# ── Pure ────────────────────────────────────────────────────────────────────
NOW = ClassesNow({"lost": "card"}, frozenset({"old"}))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (sets("lost", "card"), sets("card")),
        (sets("lost", "billing"), sets("billing", "card")),
        (sets("billing", "old"), sets("billing")),
        (sets("old"), sets("old")),
        (sets(), sets()),
        (spans((0, 4, "lost"), (0, 4, "card"), (5, 6, "lost")), spans((0, 4, "card"), (5, 6, "card"))),
        (spans((0, 4, "old"), (1, 3, "lost")), spans((1, 3, "card"))),
        (spans((0, 4, "old")), spans((0, 4, "old"))),
        ({"label": "lost"}, {"label": "card"}),
        ({"label": "old"}, {"label": "old"}),
        ({"text": "lost"}, {"text": "lost"}),
    ],
)
def test_a_value_is_read_through_what_became_of_its_classes(value, read):
    assert through(value, NOW) == read
    assert is_right(value, read, NOW)


def test_what_differs_after_merges_is_still_wrong():
    assert not is_right(sets("card"), sets("billing"), NOW)
    assert not is_right(spans((0, 4, "card")), spans((0, 5, "lost")), NOW)


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (sets("lost", "card"), sets("card")),
        (sets("torn", "card"), None),
        (sets("old", "lost"), sets("card")),
        (sets("old"), None),
        (sets("old", "older"), None),
        (spans((0, 2, "old"), (3, 4, "card")), spans((3, 4, "card"))),
        (spans((0, 2, "old"), (3, 4, "older")), None),
        (spans((0, 2, "torn"), (3, 4, "card")), None),
    ],
)
def test_what_was_decided_moves_or_holds_no_longer(value, after):
    assert moved(value, merged={"lost": "card"}, split={"torn"}, retired={"old", "older"}) == after


# ── Merging ─────────────────────────────────────────────────────────────────
def test_sets_lose_the_doubled_class_and_answers_stay(several, mia, ana):
    queue = make_queue(several, mia)
    label_all(queue, ana, [sets("card", "lost"), sets("billing", "lost"), sets("billing"), sets()])
    old = Decision.objects.get(item__text=TEXTS[0])
    answers = list(Annotation.objects.order_by("id").values("id", "value"))

    schema = change(several, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert said_of(several) == [
        (TEXTS[0], sets("card"), "single"), (TEXTS[1], sets("billing", "card"), "single"), (TEXTS[2], sets("billing"), "single"),
        (TEXTS[3], sets(), "single"),
    ]  # fmt: skip
    made = Decision.objects.get(supersedes=old)
    assert (made.label, made.queue, made.by, made.change.kind) == (None, queue, None, "merge")
    assert made.reason == "lost was merged into card in version 2."
    assert [each.pk for each in made.annotations.all()] == [each.pk for each in old.annotations.all()]
    assert list(Annotation.objects.order_by("id").values("id", "value")) == answers
    event = told(Event.objects.get(verb=Verb.DECISIONS_MOVED))
    assert (event["rows"], event["withdrawn"], counters(queue)) == (2, 0, (4, 0))
    assert [label.name for label in schema.labels.all()] == ["billing", "card", "transfer"]
    assert queries.adjudicators_of([made.item_id]) == {mia.pk}


def test_equal_spans_of_both_classes_become_one(marked, mia, ana):
    queue = make_queue(marked, mia)
    label_all(queue, ana, [spans((3, 7, "card"), (3, 7, "lost"), (11, 15, "lost")), spans((2, 6, "billing"))])

    change(marked, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert said_of(marked) == [
        (TEXTS[0], spans((3, 7, "card"), (11, 15, "card")), "single"),
        (TEXTS[1], spans((2, 6, "billing")), "single"),
    ]
    assert Decision.objects.count() == 3


def test_disagreements_between_merged_classes_end_by_rule(several, mia, ana, ben):
    queue = make_queue(several, mia, overlap=2)
    label_all(queue, ana, [sets("lost"), sets("card", "lost"), sets("lost")])
    label_all(queue, ben, [sets("card"), sets("card"), sets("billing")])
    assert counters(queue) == (0, 3)

    change(several, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert said_of(several) == [(TEXTS[0], sets("card"), "unanimous"), (TEXTS[1], sets("card"), "unanimous")]
    assert counters(queue) == (2, 1)


def test_marked_parts_that_differed_only_in_merged_classes_agree(marked, mia, ana, ben):
    queue = make_queue(marked, mia, overlap=2)
    label_all(queue, ana, [spans((3, 7, "lost")), spans((2, 6, "lost"))])
    label_all(queue, ben, [spans((3, 7, "card")), spans((2, 5, "card"))])

    change(marked, mia, ("lost", "merge", ["card"]))
    run_ok()

    assert said_of(marked) == [(TEXTS[0], spans((3, 7, "card")), "unanimous")]
    assert counters(queue) == (1, 1)


def test_a_queue_that_stays_behind_decides_for_the_merged_class(several, mia, ana, ben):
    queue = make_queue(several, mia, overlap=2)
    label_all(queue, ana, [sets("lost", "billing")])
    change(several, mia, ("lost", "merge", ["card"]))
    run_ok()

    label_all(queue, ben, [sets("card", "billing")])

    assert said_of(several) == [(TEXTS[0], sets("billing", "card"), "unanimous")]
    assert not changes.decisions_behind(several).exists()


def test_a_queue_whose_version_never_had_the_class_decides_for_it(several, mia, ana, ben):
    queue = make_queue(several, mia, overlap=2)
    label_all(queue, ana, [sets("lost")])
    make_schema(several, mia, [*NAMES, "plastic"])
    change(several, mia, ("lost", "merge", ["plastic"]))
    run_ok()

    label_all(queue, ben, [sets("lost")])

    assert said_of(several) == [(TEXTS[0], sets("plastic"), "unanimous")]


@pytest.mark.parametrize("task", ["multi_label", "spans"])
def test_a_page_that_was_open_meanwhile_is_understood(project, mia, ana, task):
    dataset = new_dataset(project, mia, task)
    queue, old = make_queue(dataset, mia), labels(dataset)
    change(dataset, mia, ("lost", "merge", ["card"]), move=[queue.uuid])
    slot, ids = queue.slots.order_by("id").first(), [str(old[name].uuid) for name in ("lost", "card")]
    value = {"labels": ids} if task == "multi_label" else spans((3, 7, ids[0]), (3, 7, ids[1]))

    actions.submit(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, value=value, client_key=old["lost"].uuid)

    assert said_of(dataset) == [(TEXTS[0], sets("card") if task == "multi_label" else spans((3, 7, "card")), "single")]


def test_what_was_suggested_for_a_merged_class_stands_once(several, marked, mia, ana):
    ids = {name: str(label.stable_id) for name, label in labels(marked).items()}
    source = {"source": Suggestion.Source.RUN, "source_digest": "a" * 64, "source_name": "Run 1"}
    item, other = several.items.order_by("id").first(), marked.items.order_by("id").first()
    actions.suggest(dataset=several, rows=[(item.pk, "lost", 0.9), (item.pk, "card", 0.4)], **source)
    both = [{"start": 3, "end": 7, "label": ids[name], "score": score} for name, score in (("lost", 0.9), ("card", 0.4))]
    actions.suggest_values(dataset=marked, rows=[(other.pk, {"spans": both}, 0.9)], **source)
    shown = []
    for dataset in (several, marked):
        queue = make_queue(dataset, mia, hidden_share=0)
        change(dataset, mia, ("lost", "merge", ["card"]), move=[queue.uuid])
        queue = queries.get_queue(mia, queue.uuid)
        shown.append(queries.bench_items(queue, actions.claim(queue_id=queue.uuid, actor=ana, k=1), ana)[0])

    assert shown[0]["ranks"] == [(str(labels(several)["card"].uuid), 0.9)]
    assert shown[1]["proposed"] == {"spans": [{"start": 3, "end": 7, "label": str(labels(marked)["card"].uuid), "score": 0.9}]}


def test_agreement_reads_sets_through_merges(project, mia, ana, ben):
    dataset = new_dataset(project, mia, "multi_label", [f"t{n}" for n in range(20)])
    queue = make_queue(dataset, mia, overlap=2)
    label_all(queue, ana, [sets("lost", "billing")] * 10 + [sets("billing")] * 10)
    label_all(queue, ben, [sets("card", "billing")] * 10 + [sets("billing")] * 10)
    assert queries.queue_agreement(queue).percent == 0.5

    change(dataset, mia, ("lost", "merge", ["card"]))

    assert queries.queue_agreement(queue).percent == 1.0


def test_later_versions_follow_in_turn_and_each_publisher_answers(several, mia, lee, ana):
    label_all(make_queue(several, mia), ana, [sets("lost"), sets("billing", "lost"), sets("card")])
    change(several, mia, ("lost", "merge", ["card"]))
    change(several, lee, ("card", "merge", ["transfer"]), ("billing", "retire", []))

    run_ok()

    assert said_of(several) == [(text, sets("transfer"), "single") for text in TEXTS[:3]]
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
    both, one = (sets("billing", "card"), sets("billing")) if task == "multi_label" else (spans((0, 2, "billing"), (3, 7, "card")), spans())
    label_all(queue, ana, [both, one])

    change(dataset, mia, ("card", "split", ["card_lost", "card_arrival"]))
    run_ok()

    assert said_of(dataset) == [(TEXTS[1], one, "single")]
    withdrawn = Decision.objects.get(how="withdrawn")
    assert (withdrawn.by, withdrawn.reason, rename(withdrawn.value, queries.names_ever(dataset))) == (
        mia, "card was split in version 2.", both
    )  # fmt: skip
    assert counters(queue) == (1, 0)
    fresh = actions.open_queue(dataset_id=dataset.uuid, actor=mia, name="Again")
    assert TEXTS[0] in [item.text for item in queue_items(fresh)]


def test_a_retired_class_is_taken_out_and_what_named_no_other_is_withdrawn(several, mia, ana):
    queue = make_queue(several, mia)
    label_all(queue, ana, [sets("billing", "lost"), sets("lost"), sets("billing"), sets()])

    change(several, mia, ("lost", "retire", []), move=[queue.uuid])
    run_ok()

    assert said_of(several) == [(TEXTS[0], sets("billing"), "single"), (TEXTS[2], sets("billing"), "single"), (TEXTS[3], sets(), "single")]
    ends = {each.item.text: each for each in Decision.objects.filter(change__isnull=False)}
    assert {text: (each.how, each.by, each.reason) for text, each in ends.items()} == {
        TEXTS[0]: ("single", None, "lost was retired in version 2."),
        TEXTS[1]: ("withdrawn", mia, "lost was retired in version 2."),
    }
    assert counters(queue) == (3, 0)
    assert queries.adjudicators_of([ends[TEXTS[0]].item_id]) == {mia.pk}
    old = several.schemas.get(version=1).labels.get(name="lost")
    slot = queue.slots.get(item__text=TEXTS[4])
    with pytest.raises(Refused, match="is no class of the queue's schema"):
        actions.submit(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, value={"labels": [str(old.uuid)]}, client_key=old.uuid)
    assert Annotation.objects.count() == 4


def test_marked_parts_of_a_retired_class_are_taken_out(marked, mia, ana):
    queue = make_queue(marked, mia)
    label_all(queue, ana, [spans((3, 7, "card"), (11, 15, "lost")), spans((2, 6, "lost")), spans()])

    change(marked, mia, ("lost", "retire", []))
    run_ok()

    assert said_of(marked) == [(TEXTS[0], spans((3, 7, "card")), "single"), (TEXTS[2], spans(), "single")]
    assert freeze(dataset=marked, actor=mia).kind == "snapshots.freeze"


def test_an_item_whose_decision_was_withdrawn_is_labelled_again(several, mia, ana, ben):
    label_all(make_queue(several, mia), ana, [sets("lost")])
    change(several, mia, ("lost", "retire", []))
    run_ok()
    again = actions.open_queue(dataset_id=several.uuid, actor=mia, name="Again")

    say(again, ben, queue_items(again)[0], sets("card"))

    assert said_of(several) == [(TEXTS[0], sets("card"), "single")]
    assert counters(again) == (1, 0)


def test_a_class_dropped_in_the_editor_is_taken_out_too(several, mia, ana):
    label_all(make_queue(several, mia), ana, [sets("billing", "lost")])

    make_schema(several, mia, ("billing", "card", "transfer"))
    assert Job.objects.get().kind == changes.MOVE
    run_ok()

    assert said_of(several) == [(TEXTS[0], sets("billing"), "single")]


def test_answers_that_differ_in_a_retired_class_agree(several, mia, ana, ben):
    queue = make_queue(several, mia, overlap=2)
    label_all(queue, ana, [sets("billing", "lost"), sets("lost")])
    label_all(queue, ben, [sets("billing"), sets("billing")])

    change(several, mia, ("lost", "retire", []), move=[queue.uuid])
    run_ok()

    assert said_of(several) == [(TEXTS[0], sets("billing"), "unanimous")]
    assert counters(queue) == (1, 1)


def test_an_answer_that_named_a_retired_class_alone_is_taken_back_without_a_fault(several, mia, ana):
    queue = make_queue(several, mia)
    label_all(queue, ana, [sets("lost")])
    change(several, mia, ("lost", "retire", []), move=[queue.uuid])

    actions.undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())

    assert said_of(several) == []


def test_nothing_is_frozen_while_decisions_are_being_moved(several, mia, ana):
    label_all(make_queue(several, mia), ana, [sets("billing", "lost"), sets("card")])
    change(several, mia, ("lost", "retire", []))

    with pytest.raises(Conflict, match="are still being moved"):
        freeze(dataset=several, actor=mia)
    assert not Job.objects.filter(kind="snapshots.freeze").exists()

    run_ok()
    assert freeze(dataset=several, actor=mia).kind == "snapshots.freeze"


def test_a_cancelled_move_goes_on_when_it_is_asked_for_again(project, mia, ana, monkeypatch):
    monkeypatch.setattr("datasets_app.labeling.actions.changes.BATCH", 2)
    dataset = new_dataset(project, mia, "multi_label", [f"t{n}" for n in range(5)])
    label_all(make_queue(dataset, mia), ana, [sets("lost", "billing")] * 5)
    change(dataset, mia, ("lost", "merge", ["card"]))
    job = Job.objects.get(kind=changes.MOVE)
    supersede = actions.changes.supersede

    def then_cancel(*args):
        jobs.cancel(job.uuid, mia)
        return supersede(*args)

    monkeypatch.setattr("datasets_app.labeling.actions.changes.supersede", then_cancel)
    assert [ended.state for ended in run_jobs()] == ["cancelled"]
    assert changes.decisions_behind(dataset).count() == 3
    monkeypatch.undo()

    actions.move_decisions(dataset_id=dataset.uuid, actor=mia)
    run_ok()

    assert [said for _, said, _ in said_of(dataset)] == [sets("billing", "card")] * 5
    assert Decision.objects.count() == 10
    with pytest.raises(Refused, match=r"No decision carries a class that was merged, split or retired\."):
        actions.move_decisions(dataset_id=dataset.uuid, actor=mia)


def test_decisions_of_another_dataset_stay(several, marked, mia, ana):
    label_all(make_queue(marked, mia), ana, [spans((3, 7, "lost"))])

    change(several, mia, ("lost", "retire", []))
    run_ok()

    assert Decision.objects.count() == 1


# ── Gold ────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("task", ["multi_label", "spans"])
def test_gold_is_judged_through_merges_and_retirements(project, mia, ravi, ana, task):
    dataset = new_dataset(project, mia, task)
    item = dataset.items.order_by("id").first()
    value = sets("lost", "billing", "transfer") if task == "multi_label" else spans(
        (0, 2, "billing"), (3, 7, "lost"), (3, 7, "transfer")
    )  # fmt: skip
    know(item, ravi, value)
    queue = make_queue(dataset, mia)
    change(dataset, mia, ("lost", "merge", ["card"]), ("transfer", "retire", []), move=[queue.uuid])
    queue = queries.get_queue(mia, queue.uuid)
    ids = {name: str(label.stable_id) for name, label in labels(dataset).items()}
    now = sets("billing", "card") if task == "multi_label" else spans((0, 2, "billing"), (3, 7, "card"))

    known, right = actions.mixing.judge_gold(item, rename(now, ids))

    assert (known.item, right) == (item, True)
    assert queries.draw_gold(queue, ana, 1, 0) == [known]
    line = queries.gold_lines([known], queries.names_in(queue.schema), reads=True)[0]
    assert line.gold.words == words(rename(now, ids), queries.names_in(queue.schema), item.text)


def test_gold_that_named_a_retired_class_alone_is_not_drawn(several, mia, ravi, ana):
    know(several.items.order_by("id").first(), ravi, sets("lost"))
    queue = make_queue(several, mia)

    change(several, mia, ("lost", "retire", []), move=[queue.uuid])

    assert queries.draw_gold(queries.get_queue(mia, queue.uuid), ana, 1, 0) == []


# ── What it touches, on the page and over REST ──────────────────────────────
def test_what_is_touched_says_how_many_decisions_no_longer_hold(several, mia, ana):
    label_all(make_queue(several, mia), ana, [sets("lost"), sets("lost", "transfer"), sets("lost", "card"), sets("card")])
    now = labels(several)
    gone = {name: Gone(now[name].stable_id, name, ChangeKind.RETIRE) for name in ("lost", "transfer")}

    alone = changes.touched(several, gone["lost"], [gone["lost"]])
    both = changes.touched(several, gone["lost"], list(gone.values()))
    split = changes.touched(several, Gone(now["lost"].stable_id, "lost", ChangeKind.SPLIT, ("a", "b")), [])

    assert [(each.decisions, each.withdrawn, each.answers, each.queues) for each in (alone, both, split)] == [
        (3, 1, 3, 1), (3, 2, 3, 1), (3, 3, 3, 1)
    ]  # fmt: skip


def test_the_page_shows_it_before_anything_is_published(several, mia, ana, client_for):
    label_all(make_queue(several, mia), ana, [sets("lost"), sets("lost", "card")])
    data = {"seen": 1, "step": "look", "class_1": str(labels(several)["lost"].stable_id), "kind_1": "retire", "into_1": ""}

    page = client_for(mia).post(reverse("labeling:change_classes", args=[several.uuid]), data).content.decode()

    assert "one that holds no other is withdrawn" in page
    assert '<td class="num" data-l="decisions">2</td><td class="num" data-l="withdrawn">1</td>' in page
    assert (LabelSchema.objects.count(), Job.objects.count(), Event.objects.filter(verb=Verb.CLASSES_CHANGED).count()) == (1, 0, 0)


def test_sets_are_changed_over_rest(several, mia, ana, client_for):
    label_all(make_queue(several, mia), ana, [sets("lost", "card"), sets("lost")])
    client, base = client_for(mia), f"/api/v1/labeling/datasets/{several.uuid}/classes"
    sent = {"changes": [{"label": str(labels(several)["lost"].stable_id), "kind": "retire", "into": []}], "seen": 1}

    looked = client.post(f"{base}/preview/", sent, content_type="application/json").json()
    made = client.post(f"{base}/change/", sent, content_type="application/json")
    run_ok()

    gone = {"name": "lost", "kind": "retire", "into": [], "decisions": 2, "withdrawn": 1, "answers": 2, "suggestions": 0, "queues": 1}
    assert (looked["gone"], made.status_code) == ([gone], 201)
    assert said_of(several) == [(TEXTS[0], sets("card"), "single")]


def test_where_answers_name_no_class_there_is_none_to_change(project, mia, client_for):
    dataset = make_dataset(project, mia, ["one"], task="free_text")
    actions.publish_schema(dataset_id=dataset.uuid, actor=mia, labels=[], guideline="Write well.")

    with pytest.raises(Refused, match="there is none to change"):
        actions.change_classes(dataset_id=dataset.uuid, actor=mia, wanted=[Change(dataset.uuid, "retire")])

    assert client_for(mia).get(reverse("labeling:change_classes", args=[dataset.uuid])).status_code == 404
    assert b"Change classes" not in client_for(mia).get(reverse("labeling:schema", args=[dataset.uuid])).content
    assert (LabelSchema.objects.count(), LabelChange.objects.count()) == (1, 0)


# ── Proposals that are about it ─────────────────────────────────────────────
@pytest.fixture
def proposal(several, ana) -> GuidelineProposal:
    other = [labels(several)["billing"].stable_id]
    actions.propose_change(dataset_id=several.uuid, actor=ana, text="Say more of bills.", classes=other)
    about = [labels(several)[name].stable_id for name in ("lost", "card")]
    return actions.propose_change(dataset_id=several.uuid, actor=ana, text="Lost is a kind of card.", classes=about)


def sent(dataset, **more):
    return {
        "seen": 1, "step": "look", "class_1": str(labels(dataset)["lost"].stable_id), "kind_1": "merge", "into_1": "card", **more
    }  # fmt: skip


def test_open_proposals_about_a_changed_class_are_offered_and_taken_up(several, proposal, mia, client_for):
    client, url = client_for(mia), reverse("labeling:change_classes", args=[several.uuid])
    looked = client.post(url, sent(several))
    page = looked.content.decode()
    assert ("Lost is a kind of card." in page, "Say more of bills." in page) == (True, False)

    data = sent(several, step="publish", looked=looked.context["form"].initial["looked"], taking_up=[str(proposal.uuid)])
    client.post(url, data)

    proposal.refresh_from_db()
    assert (proposal.state, proposal.taken_up_in, proposal.answered_by) == ("taken_up", queries.latest_schema(several), mia)
    assert GuidelineProposal.objects.filter(state="open").count() == 1
    assert Event.objects.filter(verb=Verb.PROPOSAL_TAKEN_UP).count() == 1


def test_a_proposal_that_was_answered_meanwhile_stops_the_change(several, proposal, mia):
    actions.decline_proposal(proposal_id=proposal.uuid, actor=mia, answer="It is not.")

    with pytest.raises(Conflict, match="is declined already"):
        change(several, mia, ("lost", "merge", ["card"]), taking_up=[proposal.uuid])

    assert (LabelSchema.objects.count(), Job.objects.count(), Event.objects.filter(verb=Verb.CLASSES_CHANGED).count()) == (1, 0, 0)


def test_a_change_in_which_nothing_differs_takes_up_no_proposal(several, proposal, mia):
    with pytest.raises(Refused, match="Nothing differs from version 1, so it takes up no proposal"):
        change(several, mia, ("lost", "rename", ["lost"]), taking_up=[proposal.uuid])

    proposal.refresh_from_db()
    assert (proposal.state, LabelSchema.objects.count()) == ("open", 1)
