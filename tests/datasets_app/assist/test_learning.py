"""The built-in model: it learns from what people decide, orders what is open and suggests classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from datasets_app.assist import embeddings
from datasets_app.assist import learning as program
from datasets_app.assist.actions.learning import learn, learn_due
from datasets_app.assist.models import Fit, QueueOrder
from datasets_app.assist.queries import learning
from datasets_app.prelabels.actions.suggestions import suggest
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.actions.managing import prefer
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.actions.ordering import reorder
from datasets_app.queues.models import Decision, Queue, Slot
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.pages import queues
from datasets_app.queues.rules import RANGE
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.queries.labels import labels_by_name
from datasets_app.schemas.rules import LabelSpec
from lifecycle.ground.compute import warm
from lifecycle.ground.compute.child import Result, run_child
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from lifecycle.ui.numbers import percent
from registry.ground.ledger.models import Event
from tests.support import datasets
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import (
    annotate,
    answer,
    label_items,
    make_dataset,
    make_queue,
    make_schema,
    queue_items,
)
from tests.support.training import write_base
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
CARD = [f"my card is lost {n}" for n in range(12)]
BILL = [f"pay the bill again {n}" for n in range(12)]
UNCLEAR = ["my card bill", "the lost bill of my card"]
TEXTS = [text for pair in zip(CARD, BILL, strict=True) for text in pair] + UNCLEAR


def run_here(ctx, verb, folder, on_events, **_):
    return Result("succeeded", data=program.fit(folder))


@contextmanager
def words_alone() -> Iterator[None]:
    """Without the base model, and in this process, so that a fit takes a moment."""
    without = patch.object(embeddings, "bundled_minilm", lambda: None)
    with without, patch("datasets_app.assist.actions.learning.run_child", run_here):
        yield


@pytest.fixture(autouse=True)
def _words_alone(monkeypatch):
    """By `monkeypatch`, as tests that give a base model do: it undoes both in turn."""
    monkeypatch.setattr(embeddings, "bundled_minilm", lambda: None)
    monkeypatch.setattr("datasets_app.assist.actions.learning.run_child", run_here)


@pytest.fixture
def dataset(project, mia):
    return make_dataset(project, mia, TEXTS)


@pytest.fixture
def queue(dataset, mia):
    return make_queue(dataset, mia, schema=("billing", "card"), order="model", hidden_share=0)


@pytest.fixture
def begun(queue, ana) -> Queue:
    """With nine labels: one too few to learn from."""
    return label(queue, ana, range(9))


@pytest.fixture
def labeled(begun, ana) -> Queue:
    """With fourteen labels, seven of each class."""
    return label(begun, ana, range(9, 14))


@pytest.fixture
def labeled_more(labeled, ana) -> Queue:
    """With twenty-two labels: enough for an accuracy."""
    return label(labeled, ana, range(14, 22))


@pytest.fixture
def trained(labeled, mia) -> Queue:
    """With fourteen labels, trained once."""
    with words_alone():
        learn_now(labeled, mia)
    return labeled


def label(queue, user, places) -> Queue:
    """The items of the queue at these places, by their text."""
    items = queue_items(queue)[places.start : places.stop]
    label_items(queue, {user: ["card" if item.text in CARD else "billing" for item in items]}, items)
    return queue


def places(queue) -> dict[str, int]:
    return dict(queue.slots.filter(state=Slot.State.OPEN).values_list("item__text", "priority"))


def learn_now(queue, user) -> Fit:
    learn(queue_id=queue.uuid, actor=user)
    run_ok("default")
    return learning.last_fit(queue.dataset)


def later(minutes: int = 4):
    return timezone.now() + timedelta(minutes=minutes)


# ── Learning ────────────────────────────────────────────────────────────────
def test_it_learns_from_decisions_and_what_is_unclear_comes_first(labeled, mia, ana):
    queue = labeled

    fit = learn_now(queue, mia)

    assert (fit.edition, fit.annotations, fit.rows, fit.features) == (1, 14, 14, "words")
    assert (fit.figures["right"], fit.figures["folds"]) == (14, 5)
    names = {str(each.stable_id): each.name for each in queue.schema.labels.all()}
    assert {names[key]: count for key, count in fit.figures["counts"].items()} == {"billing": 7, "card": 7}
    first = [slot.item.text for slot in claim(queue_id=queue.uuid, actor=ana, k=2)]
    assert sorted(first) == sorted(UNCLEAR)
    assert QueueOrder.objects.get(queue=queue).fit == fit


def test_every_open_slot_has_a_place_of_its_item_and_answered_ones_keep_theirs(dataset, mia, ana, ben):
    queue = make_queue(dataset, mia, schema=("billing", "card"), order="model", overlap=2)
    for user in (ana, ben):
        label(queue, user, range(10))

    learn_now(queue, mia)

    rows = list(queue.slots.filter(state=Slot.State.OPEN).values_list("item", "priority"))
    assert sorted(place for _, place in rows) == sorted([*range(16), *range(16)])
    assert len({item for item, _ in rows}) == 16
    assert set(queue.slots.filter(state=Slot.State.DONE).values_list("priority", flat=True)) == {RANGE}


def test_it_learns_in_a_process_of_its_own_which_prints_nothing(labeled, mia, monkeypatch):
    printed = []

    def run_and_read(ctx, verb, folder, on_events, **options):
        result = run_child(ctx, verb, folder, on_events, **options)
        printed.append((folder / "output.log").read_text())
        return result

    monkeypatch.setattr("datasets_app.assist.actions.learning.run_child", run_and_read)

    fit = learn_now(labeled, mia)

    assert (fit.rows, fit.figures["right"], printed) == (14, 14, [""])
    assert sorted(places(labeled).values()) == list(range(12))


def test_it_suggests_with_the_digest_of_the_fit(trained, mia, ana):
    queue, fit = trained, learning.last_fit(trained.dataset)

    rows = Suggestion.objects.filter(source="built_in")
    assert set(rows.values_list("source_digest", "source_name")) == {
        (fit.digest, "Built-in model, 14 labeled texts")
    }
    assert set(rows.values_list("item__text", flat=True)) == set(TEXTS[14:])
    slots = claim(queue_id=queue.uuid, actor=ana, k=12)  # all that are left, in an order by chance
    shown = {each["text"]: each for each in bench_items(queue, slots, ana)}
    names = {str(each.uuid): each.name for each in queue.schema.labels.all()}
    card = next(each for text, each in shown.items() if text in CARD)
    assert names[card["ranks"][0][0]] == "card"
    assert card["source"] == "Built-in model, 14 labeled texts"
    event = Event.objects.get(verb="labeling.built_in_trained")
    assert fit.digest in event.canonical
    assert fit.rows_digest in event.canonical


def test_only_items_at_the_front_get_suggestions(labeled, mia, monkeypatch):
    monkeypatch.setattr("datasets_app.assist.actions.learning.AHEAD", 5)
    monkeypatch.setattr("datasets_app.assist.actions.learning.AHEAD_LIMIT", 5)

    learn_now(labeled, mia)

    front = (
        labeled.slots.filter(state=Slot.State.OPEN).order_by("priority").values_list("item", flat=True)[:5]
    )
    assert set(Suggestion.objects.values_list("item", flat=True)) == set(front)


def test_the_same_labels_give_the_same_digest_and_no_second_suggestions(trained, mia, ana):
    queue, first = trained, learning.last_fit(trained.dataset)
    count = Suggestion.objects.count()

    second = learn_now(queue, mia)

    assert (second.edition, second.digest, second.rows_digest) == (2, first.digest, first.rows_digest)
    assert Suggestion.objects.count() == count
    label(queue, ana, range(14, 15))
    assert learn_now(queue, mia).digest != first.digest


def test_too_few_labels_teach_nothing_and_the_order_stays_as_given(begun, mia, ana):
    queue = begun

    fit = learn_now(queue, mia)

    assert (fit.digest, fit.rows_digest, fit.rows) == ("", "", 9)
    assert not Suggestion.objects.exists()
    assert set(places(queue).values()) == {RANGE}
    assert not Event.objects.filter(verb="labeling.built_in_trained").exists()
    assert [slot.item.text for slot in claim(queue_id=queue.uuid, actor=ana, k=2)] == TEXTS[9:11]


def test_answers_count_before_they_are_decided_where_people_agree(dataset, mia, ana, ben):
    queue = make_queue(dataset, mia, schema=("billing", "card"), order="model", overlap=3)
    label(queue, ana, range(6))
    items = queue_items(queue)
    answer(queue, ben, items[0], "billing")
    answer(queue, ben, items[1], "billing")
    assert not Decision.objects.exists()

    found = learning.training_set(dataset)

    assert [row.item for row in found.rows] == [item.pk for item in items[1:6]]
    assert sorted(found.counts.values()) == [2, 3]


def test_duplicate_texts_and_removed_labels_are_not_trained_on(project, mia, ana):
    dataset = make_dataset(project, mia, ["My card", "my  card", "bill", "other"])
    queue = make_queue(dataset, mia, schema=("billing", "card", "other"))
    for item, name in zip(queue_items(queue), ("card", "card", "billing", "other"), strict=True):
        answer(queue, ana, item, name)
    labels = labels_by_name(queue.schema)
    specs = [LabelSpec(name, stable_id=labels[name].stable_id) for name in ("billing", "card")]
    publish_schema(dataset_id=dataset.uuid, actor=mia, labels=specs)

    found = learning.training_set(dataset)

    assert [row.classes for row in found.rows] == [
        (str(labels["card"].stable_id),),
        (str(labels["billing"].stable_id),),
    ]
    assert found.total == 3


def test_of_many_labels_an_even_part_is_drawn_the_same_each_time(labeled_more, monkeypatch):
    dataset = labeled_more.dataset
    monkeypatch.setattr(learning, "ROWS_LIMIT", 6)

    first, second = learning.training_set(dataset), learning.training_set(dataset)

    assert first == second
    assert (first.total, len(first.rows)) == (22, 6)
    smallest = sorted(row.digest for row in learning.labeled_texts(dataset))[:6]
    assert {row.digest for row in first.rows} == set(smallest)


def test_a_large_queue_is_scored_part_by_part(labeled, mia, monkeypatch):
    queue = labeled
    monkeypatch.setattr(learning, "POOL_LIMIT", 8)

    first = learn_now(queue, mia)
    scored = {text for text, place in places(queue).items() if place < RANGE}
    second = learn_now(queue, mia)

    assert scored == set(TEXTS[14:22])
    assert first.figures["pools"] == {str(queue.uuid): queue.slots.get(item__text=TEXTS[21]).pk}
    assert second.figures["pools"] == {str(queue.uuid): 0}
    assert all(place < RANGE for place in places(queue).values())


def test_multi_label_texts_are_trained_on_too(project, mia, ana):
    dataset = make_dataset(project, mia, [*TEXTS, "card bill"], task="multi_label")
    queue = make_queue(dataset, mia, schema=("billing", "card"), order="model", hidden_share=0)
    for item in queue_items(queue)[:10]:
        annotate(queue, ana, item, {"labels": ["card"] if item.text in CARD else ["billing"]})

    fit = learn_now(queue, mia)

    assert fit.rows == 10
    suggested = Suggestion.objects.filter(item__text=TEXTS[22]).values_list("label__name", flat=True)
    assert list(suggested) == ["card"]


# ── When it learns ──────────────────────────────────────────────────────────
def test_the_tick_has_it_learn_when_enough_has_come_in(begun, ana):
    queue = begun
    assert learn_due(timezone.now()) == 0
    label(queue, ana, range(9, 10))

    assert learn_due(timezone.now()) == 1
    assert [job.kind for job in run_ok("default")] == ["assist.learn"]
    assert learning.last_fit(queue.dataset).annotations == 10
    assert learn_due(later()) == 0
    Queue.objects.filter(pk=queue.pk).update(slots_done=29)
    assert learn_due(later()) == 0
    Queue.objects.filter(pk=queue.pk).update(slots_done=30)
    assert learn_due(timezone.now()) == 0
    assert learn_due(later()) == 1
    assert learn_due(later()) == 1
    assert Job.objects.filter(kind="assist.learn", state="queued").count() == 1


@pytest.mark.parametrize(
    "change", [{"order": "given"}, {"state": "paused"}, {"state": "closed"}, {"filled_at": None}]
)
def test_the_tick_leaves_other_queues_alone(labeled, change):
    Queue.objects.filter(pk=labeled.pk).update(**change)

    assert learn_due(timezone.now()) == 0
    assert not Job.objects.filter(kind="assist.learn").exists()


@pytest.mark.postgres
def test_imported_labels_are_trained_on_before_any_annotation(project, mia):
    dataset = datasets.make_dataset(project, mia)
    datasets.import_texts(
        dataset, [(text, "card" if text in CARD else "billing") for text in TEXTS[:24]], mia
    )
    queue = make_queue(dataset, mia, order="model", source="all")

    assert learn_due(timezone.now()) == 1
    run_ok("default")

    fit = QueueOrder.objects.get(queue=queue).fit
    assert (fit.rows, fit.annotations) == (24, 0)
    assert sorted(places(queue).values()) == list(range(24))


def test_a_new_queue_is_ordered_without_annotations(trained, mia):
    other = make_queue(trained.dataset, mia, name="Batch 2", order="model")

    assert learn_due(later()) == 1
    run_ok("default")

    assert QueueOrder.objects.get(queue=other).fit.edition == 2
    assert sorted(places(other).values()) == list(range(12))
    assert learn_due(later()) == 0


@pytest.mark.postgres
def test_a_cancelled_job_keeps_nothing(labeled, mia, monkeypatch):
    queue = labeled
    job = learn(queue_id=queue.uuid, actor=mia)
    read = learning.training_set

    def cancelled(dataset):
        jobs.cancel(job.uuid, mia)
        return read(dataset)

    monkeypatch.setattr(learning, "training_set", cancelled)

    assert [each.state for each in run_jobs("default")] == ["cancelled"]
    assert not Fit.objects.exists()
    assert set(places(queue).values()) == {RANGE}


# ── Refusals ────────────────────────────────────────────────────────────────
def test_only_a_queue_of_its_order_has_it_learn(dataset, mia):
    queue = make_queue(dataset, mia, schema=("billing", "card"))

    with refused(by=Conflict):
        learn(queue_id=queue.uuid, actor=mia)

    assert not Job.objects.filter(kind="assist.learn").exists()


def test_only_who_manages_labeling_has_it_learn_or_chooses_sources(queue, ana, gita):
    for person in (ana, gita):
        with pytest.raises(PermissionDenied):
            learn(queue_id=queue.uuid, actor=person)
        with pytest.raises(PermissionDenied):
            prefer(queue_id=queue.uuid, actor=person, source="run")

    queue.refresh_from_db()
    assert queue.suggests_from == ""
    assert not Job.objects.filter(kind="assist.learn").exists()


def test_tasks_without_classes_have_no_built_in_model(project, mia):
    for task in ("spans", "generation", "chat"):
        dataset = make_dataset(project, mia, ["hello"], name=task, slug=task.replace("_", "-"), task=task)
        if task == "spans":
            make_schema(dataset, mia, ("card",))

        with refused("order") as refusal:
            open_queue(dataset_id=dataset.uuid, actor=mia, name="new", order="model")

        assert refusal.value.fields == {
            "order": [
                "The built-in model works for single-label and multi-label tasks only; this dataset has"
                " another task."
            ]
        }
    assert not Queue.objects.exists()


# ── Which source is shown ───────────────────────────────────────────────────
def test_a_queue_shows_the_kind_of_source_that_it_wants_first(labeled, dataset, mia, ana):
    queue = labeled
    rows = [(item.pk, "card", 0.77) for item in queue_items(queue)[14:20]]
    suggest(dataset=dataset, rows=rows, source="run", source_digest="a" * 64, source_name="Run 7")
    learn_now(queue, mia)
    slots = [slot for slot in queue.slots.select_related("item") if slot.item.text in TEXTS[14:22]]

    def sources():
        return [
            each["source"] for each in bench_items(queue, sorted(slots, key=lambda slot: slot.item_id), ana)
        ]

    assert sources() == ["Built-in model, 14 labeled texts"] * 8
    queue = prefer(queue_id=queue.uuid, actor=mia, source="run")
    assert sources() == ["Run 7"] * 6 + ["Built-in model, 14 labeled texts"] * 2
    assert "suggests_from" in Event.objects.filter(verb="labeling.queue_changed").last().canonical
    with refused("source"):
        prefer(queue_id=queue.uuid, actor=mia, source="oracle")
    queue.refresh_from_db()
    assert queue.suggests_from == "run"


# ── Disagreement ────────────────────────────────────────────────────────────
@pytest.mark.postgres
def test_what_answers_or_suggestions_dispute_comes_first(project, mia, ana):
    dataset = make_dataset(project, mia, [f"text {n}" for n in range(5)])
    make_queue(dataset, mia, schema=("billing", "card", "transfer"), name="first")
    items = list(dataset.items.order_by("id"))
    suggested = {
        "a" * 64: ["card", "card", "billing", "card"],
        "b" * 64: ["card", "billing", "transfer", "card"],
        "c" * 64: [None, None, "card", "card"],
    }
    for digest, names in suggested.items():
        rows = [(item.pk, name, 0.6) for item, name in zip(items, names, strict=False) if name]
        suggest(dataset=dataset, rows=rows, source="run", source_digest=digest, source_name=digest[:1])

    queue = make_queue(dataset, mia, name="second", order="disputed")

    assert [slot.item.text for slot in claim(queue_id=queue.uuid, actor=ana, k=5)] == [
        "text 2",
        "text 1",
        "text 0",
        "text 3",
        "text 4",
    ]
    release(queue_id=queue.uuid, actor=ana)
    answer(queues(ana).get(name="first"), ana, items[3], "billing")
    reorder(queue_id=queue.uuid, actor=mia)
    run_ok("default")
    assert [slot.item.text for slot in claim(queue_id=queue.uuid, actor=ana, k=3)] == [
        "text 2",
        "text 1",
        "text 3",
    ]


# ── Pages and the API ───────────────────────────────────────────────────────
def test_the_queue_shows_an_untrained_built_in_model(queue, mia, client_for):
    client, url = client_for(mia), f"/labeling/{queue.uuid}/"
    page = client.get(url).content.decode()
    state = client.get(f"{url}built-in-model/").context["learning"]

    assert (state.fit, state.base, state.next_at, state.annotations) == (None, "", 10, 0)
    assert 'data-state="untrained"' in page
    assert 'data-features="tf-idf"' in page


def test_the_queue_shows_the_state_of_its_built_in_model(trained, mia, ana, client_for):
    queue, client, url = trained, client_for(mia), f"/labeling/{trained.uuid}/"
    page = client.get(url).content.decode()
    state = client.get(f"{url}built-in-model/").context["learning"]
    assert (state.fit.rows, state.fit.annotations, state.next_at, state.annotations) == (14, 14, 34, 14)
    assert 'data-state="trained"' in page
    assert 'data-accuracy="few"' in page
    label(queue, ana, range(14, 20))
    learn_now(queue, mia)

    page = client.get(url).content.decode()

    assert percent(1.0, 1) in page
    assert "n = 20" in page
    assert 'data-accuracy="measured"' in page
    assert "data-unsure-pairs" in page
    train = f'action="{reverse("assist:learn", args=[queue.uuid])}"'
    of_ana = client_for(ana).get(url).content.decode()
    assert (train in page, train in of_ana, 'id="learning"' in of_ana) == (True, False, True)
    assert b"<html" not in client.get(f"{url}built-in-model/", HTTP_HX_REQUEST="true").content


@pytest.mark.postgres
def test_the_page_and_the_api_have_it_learn(labeled_more, mia, client_for):
    queue, client = labeled_more, client_for(mia)

    assert client.post(f"/labeling/{queue.uuid}/built-in-model/train/").status_code == 302
    job = Job.objects.get(kind="assist.learn")
    assert f'id="job-{job.uuid}"' in client.get(f"/labeling/{queue.uuid}/").content.decode()
    again = client.post(f"/api/v1/labeling/queues/{queue.uuid}/built-in-model/")
    run_ok("default")
    found = client.get(f"/api/v1/labeling/queues/{queue.uuid}/built-in-model/").json()

    assert again.status_code == 202
    assert Fit.objects.count() == 1
    assert (
        found["fit"]["edition"],
        found["accuracy"],
        found["next_at"],
        found["ready"],
        found["working"],
    ) == (1, 1.0, 42, 2, False)
    assert client.post(f"/labeling/{queue.uuid}/pre-label-source/", {"source": "run"}).status_code == 302
    changed = client.post(
        f"/api/v1/labeling/queues/{queue.uuid}/pre-label-source/",
        {"source": ""},
        content_type="application/json",
    )
    assert changed.status_code == 200


def test_more_fits_take_no_more_statements(trained, mia, ana, client_for, django_assert_max_num_queries):
    client, url = client_for(mia), f"/labeling/{trained.uuid}/"
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for places in (range(14, 15), range(15, 20)):
        label(trained, ana, places)
        learn_now(trained, mia)

    with django_assert_max_num_queries(len(few)):
        client.get(url)


# ── Vectors ─────────────────────────────────────────────────────────────────
def test_a_text_is_read_once_by_a_base_model(labeled, mia, ana, monkeypatch, tmp_path):
    queue = labeled
    folder = write_base(tmp_path / "base")
    monkeypatch.setattr(embeddings, "bundled_minilm", lambda: folder)
    asked: list[str] = []

    def embed_base(base, texts, **_):
        asked.extend(texts)
        return [[1.0, 0.0, *[0.1] * 6] if text in CARD else [0.0, 1.0, *[0.1] * 6] for text in texts]

    monkeypatch.setattr(warm, "embed_base", embed_base)

    first = learn_now(queue, mia)
    assert sorted(asked) == sorted(TEXTS)
    label(queue, ana, range(14, 15))
    second = learn_now(queue, mia)

    assert sorted(asked) == sorted(TEXTS)
    assert (first.features, first.base_name) == ("vectors", "all-MiniLM-L6-v2")
    assert first.base_digest == second.base_digest == embeddings.packaged_base().digest
    base = embeddings.packaged_base()
    kept = embeddings.vectors(
        base, [(item.digest, "") for item in queue_items(queue)[:1]], lambda number: None
    )
    assert np.allclose(kept, [[1.0, 0.0, *[0.1] * 6]], atol=1e-3)
