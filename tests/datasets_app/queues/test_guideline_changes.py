"""Annotators who labeled with an older guideline see the changes once on the labeling page."""

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.guideline import know_guideline
from datasets_app.queues.models import Queue, Seat
from datasets_app.queues.queries.pages import known_before
from datasets_app.review.actions.changes import move_queue
from datasets_app.schemas.differences import LIMIT, DiffLine, differences
from tests.support.labeling import make_dataset, make_queue, make_schema
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["one", "two"]), mia)


def move_on(queue, mia, guideline) -> None:
    make_schema(queue.dataset, mia, guideline=guideline)
    move_queue(queue_id=queue.uuid, actor=mia)


def bench(queue):
    return reverse("queues:bench", args=[queue.uuid])


def known(queue):
    return reverse("queues:know_guideline", args=[queue.uuid])


@pytest.mark.postgres
def test_the_labeling_page_shows_guideline_changes_once(queue, ana, ben, mia, client_for):
    client = client_for(ana)
    assert client.get(bench(queue)).context["before"] is None
    move_on(queue, mia, "Fees are billing.")

    page = client.get(bench(queue))
    assert page.context["before"].version == 1
    assert page.context["differences"] == [
        DiffLine(2, " ", "card"),
        DiffLine(3, " ", "transfer"),
        DiffLine(4, "+", "Fees are billing."),
    ]
    assert b'id="changed">' in page.content  # shown, not hidden
    assert b'commandfor="changes-dialog"' in page.content
    assert client_for(ben).get(bench(queue)).context["before"] is None  # who begins now knows no other

    assert client.post(known(queue), {"version": 2})["Location"] == bench(queue)
    assert client.get(bench(queue)).context["before"] is None
    move_on(queue, mia, "Fees are billing, always.")
    assert client.get(bench(queue)).context["before"].version == 2


def test_a_version_that_was_published_and_not_given_to_the_queue_is_no_change(queue, ana, mia, client_for):
    client_for(ana).get(bench(queue))
    make_schema(queue.dataset, mia, guideline="Fees are billing.")

    assert client_for(ana).get(bench(queue)).context["before"] is None


@pytest.mark.postgres
def test_a_saved_annotation_returns_the_queues_version(queue, ana, mia, client_for):
    client = client_for(ana)
    item = client.get(bench(queue)).context["item"]
    move_on(queue, mia, "Fees are billing.")

    sent = {"slot": item["slot"], "reason": "", "client_key": item["token"]}
    answered = client.post(
        reverse("queues:skip", args=[queue.uuid]), sent, headers={"accept": "application/json"}
    ).json()

    assert answered["version"] == 2


@pytest.mark.postgres
def test_the_version_read_by_a_person_never_decreases(queue, ana, mia):
    claim(queue_id=queue.uuid, actor=ana)
    move_on(queue, mia, "Fees are billing.")

    assert know_guideline(queue_id=queue.uuid, actor=ana, version=2) == 1
    assert know_guideline(queue_id=queue.uuid, actor=ana, version=1) == 0
    assert Seat.objects.get().seen_schema.version == 2
    queue.refresh_from_db()
    assert known_before(queue, ana) is None


def test_a_version_that_is_not_there_and_a_wrong_role_change_nothing(queue, ana, aida):
    claim(queue_id=queue.uuid, actor=ana)

    with refused(naming=("7",)):
        know_guideline(queue_id=queue.uuid, actor=ana, version=7)
    with pytest.raises(PermissionDenied):
        know_guideline(queue_id=queue.uuid, actor=aida, version=1)

    assert Seat.objects.get().seen_schema == queue.schema


def test_the_page_of_a_version_shows_how_it_differs_from_the_one_before(queue, ana, mia, client_for):
    move_on(queue, mia, "Fees are billing.")

    page = client_for(ana).get(reverse("schemas:schema_version", args=[queue.dataset.uuid, 2]))

    assert [line.text for line in page.context["differences"] if line.sign == "+"] == ["Fees are billing."]
    assert page.context["before"].version == 1
    assert b"Fees are billing." in page.content


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("a\nb", "a\nb", []),
        ("", "a", [(1, "+", "a")]),
        ("a", "", [(1, "-", "a")]),
        (
            "1\n2\n3\n4\n5",
            "1\n2\n3\nfour\n5",
            [(2, " ", "2"), (3, " ", "3"), (4, "-", "4"), (4, "+", "four"), (5, " ", "5")],
        ),
    ],
)
def test_changed_lines_are_shown_with_two_lines_of_context(before, after, found):
    assert differences(before, after) == [DiffLine(*each) for each in found]


def test_texts_that_are_too_long_are_not_compared():
    assert differences("a\n" * LIMIT, "b") is None
