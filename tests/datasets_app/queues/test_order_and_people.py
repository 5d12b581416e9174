"""In which order a queue hands out its items, to whom, and until when."""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse

from datasets_app.datasets.models import Dataset
from datasets_app.prelabels.actions import suggestions
from datasets_app.prelabels.queries import best_scores
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.actions.ordering import reorder
from datasets_app.queues.models import Queue, Slot
from datasets_app.queues.rules import RANGE, random_place, uncertain_place
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from registry.ground.ledger.models import Event
from tests.support.jobs import run_ok
from tests.support.labeling import answer, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
TEXTS = [f"text {n}" for n in range(6)]


@pytest.fixture
def dataset(project, mia) -> Dataset:
    return make_dataset(project, mia, TEXTS)


@pytest.fixture
def described(dataset, mia) -> Dataset:
    """With a version of its classes, and a queue of them."""
    make_queue(dataset, mia, name="for its schema")
    return dataset


@pytest.fixture
def of_ben(dataset, mia, ben) -> Queue:
    """A queue that Ben alone works in."""
    return make_queue(dataset, mia, people=[ben])


def handed_out(queue, user) -> list[str]:
    return [slot.item.text for slot in claim(queue_id=queue.uuid, actor=user, k=6)]


def suggest(dataset, scores, digest="a" * 64):
    rows = [
        (item.pk, "card", score)
        for item, score in zip(dataset.items.order_by("id"), scores, strict=False)
        if score is not None
    ]
    suggestions.suggest(dataset=dataset, rows=rows, source="run", source_digest=digest, source_name="run 7")


def test_places_are_whole_numbers_and_stay_the_same():
    assert uncertain_place(0.0) == 0
    assert uncertain_place(0.5) == 500_000
    assert uncertain_place(1.0) == RANGE - 1
    assert uncertain_place(None) == RANGE
    queue = "8d7d2a2e-0000-4000-8000-000000000001"
    assert random_place(queue, 7) == random_place(queue, 7) < RANGE
    assert len({random_place(queue, n) for n in range(100)}) == 100


def test_items_come_by_chance_where_that_was_chosen(dataset, mia, ana):
    queue = make_queue(dataset, mia, order="random")

    found = handed_out(queue, ana)

    places = {item.text: random_place(queue.uuid, item.pk) for item in queue_items(queue)}
    assert found == sorted(TEXTS, key=places.get)
    assert found != TEXTS


def test_what_suggestions_are_least_sure_of_comes_first(described, mia, ana):
    dataset = described
    suggest(dataset, [0.9, 0.4, None, 0.7, 0.2, 1.0])

    queue = make_queue(dataset, mia, order="uncertain")

    assert handed_out(queue, ana) == ["text 4", "text 1", "text 3", "text 0", "text 5", "text 2"]


def test_open_items_are_put_in_the_order_of_newer_suggestions(described, mia, ana):
    dataset = described
    suggest(dataset, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    queue = make_queue(dataset, mia, order="uncertain")
    assert [slot.item.text for slot in claim(queue_id=queue.uuid, actor=ana, k=1)] == ["text 0"]
    suggest(dataset, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1], "b" * 64)

    reorder(queue_id=queue.uuid, actor=mia)
    run_ok("default")

    assert handed_out(queue, ana) == ["text 0", "text 5", "text 4", "text 3", "text 2", "text 1"]


def test_only_a_queue_of_suggestions_is_ordered_anew(described, mia):
    with refused(by=Conflict):
        reorder(queue_id=Queue.objects.get().uuid, actor=mia)
    assert not Job.objects.filter(kind="queues.reorder").exists()


@pytest.mark.postgres
def test_a_queue_for_certain_people_hands_out_to_them_alone(of_ben, ana, ben, client_for):
    queue = of_ben

    with refused(by=Conflict, naming=(queue.name,)):
        claim(queue_id=queue.uuid, actor=ana)
    assert Slot.objects.filter(state=Slot.State.LEASED).count() == 0
    assert len(handed_out(queue, ben)) == 6
    assert (
        reverse("queues:bench", args=[queue.uuid]).encode()
        not in client_for(ana).get(reverse("queues:list")).content
    )
    assert (
        reverse("queues:bench", args=[queue.uuid]).encode()
        in client_for(ben).get(reverse("queues:list")).content
    )
    page = client_for(ana).get(reverse("queues:bench", args=[queue.uuid])).content
    assert (b'data-state="closed"' in page, b'id="bench"' in page) == (True, False)


def test_no_one_else_annotates_by_naming_a_slot(of_ben, ana):
    with pytest.raises(Conflict):
        answer(of_ben, ana, queue_items(of_ben)[0], "card")

    assert of_ben.annotations.count() == 0


def test_people_who_may_not_annotate_and_too_few_are_refused(described, mia, otto, ana):
    dataset = described

    for people, named in (([otto], str(otto)), ([ana], "2")):
        with refused("people", naming=(named,)):
            open_queue(dataset_id=dataset.uuid, actor=mia, name="new", overlap=2, people=people)


@pytest.mark.postgres
def test_the_form_opens_such_a_queue_and_its_page_shows_it(described, mia, ana, client_for):
    dataset = described
    sent = {
        "name": "new",
        "source": "all",
        "overlap": 1,
        "hidden_share": 0,
        "order": "random",
        "people": [str(ana.uuid)],
        "due_on": "2020-01-31",
    }

    page = client_for(mia).post(reverse("queues:open", args=[dataset.uuid]), sent, follow=True)

    queue = Queue.objects.get(name="new")
    assert (queue.order, queue.due_on, list(queue.people.all())) == ("random", date(2020, 1, 31), [ana])
    due = page.content.decode().partition('data-state="overdue">')[2].partition("</span>")[0]
    assert "2020-01-31" in due
    assert str(ana.uuid) in Event.objects.filter(verb="labeling.queue_opened").order_by("-id")[0].canonical


def test_the_newest_source_with_scores_counts(described):
    dataset, item = described, described.items.first()
    suggestions.suggest(
        dataset=dataset,
        rows=[(item.pk, "card", 0.9)],
        source="run",
        source_digest="a" * 64,
        source_name="old",
    )
    rows = [(item.pk, "card", 0.3), (item.pk, "billing", 0.6)]
    suggestions.suggest(dataset=dataset, rows=rows, source="run", source_digest="b" * 64, source_name="new")

    assert best_scores([item.pk], "", "single_label") == {item.pk: 0.6}
