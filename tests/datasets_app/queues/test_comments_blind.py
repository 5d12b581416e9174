"""Comments reveal no annotations of others before the reader annotates; adjudicators see letters instead of
names.
"""

import pytest

from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.comments import comment, flag, resolve_comment
from datasets_app.queues.models import Comment, Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.queues.queries.comments import ThreadFilter, thread_page, visible_comments
from datasets_app.review.actions.reviews import return_to_annotators
from tests.support.labeling import label_items, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)


@pytest.fixture
def items(queue):
    return queue_items(queue)


def add(queue, item, actor, text, **options) -> Comment:
    return comment(queue_id=queue.uuid, actor=actor, item_id=item.uuid, text=text, **options)


def texts(queue, viewer, **wanted) -> list[list[str]]:
    """What the person reads: each conversation from its first comment on; "?" for one that is hidden."""
    page = thread_page(queue, viewer, ThreadFilter(**wanted))
    return [
        [each.first.comment.text if each.first else "?", *(line.comment.text for line in each.replies)]
        for each in page.threads
    ]


def test_an_annotator_reads_only_comments_to_them_until_they_annotate(queue, items, ana, ben, ravi):
    first = add(queue, items[0], ana, "Surely card.")
    add(queue, items[0], ravi, "@ben what do you think?", reply_to=first.uuid)
    own = add(queue, items[0], ben, "Hard to say.")
    (
        add(queue, items[0], ana, "Is it?", reply_to=own.uuid)
        if visible_comments(queue, ana).filter(pk=own.pk)
        else None
    )
    add(queue, items[1], ana, "Billing, I think.")

    assert texts(queue, ben) == [["Hard to say."], ["?", "@ben what do you think?"]]
    assert texts(queue, ana) == [["Billing, I think."], ["Surely card.", "@ben what do you think?"]]
    assert len(texts(queue, ravi)) == 3

    label_items(queue, {ben: ["card"]}, [items[0]])
    assert texts(queue, ben) == [["Hard to say."], ["Surely card.", "@ben what do you think?"]]


@pytest.mark.postgres
def test_only_comments_to_the_annotator_are_on_the_labeling_page(queue, items, ana, ben, ravi):
    add(queue, items[0], ana, "Surely card.")
    add(queue, items[0], ravi, "@ben mind rule 2.")
    flag(queue_id=queue.uuid, actor=ben, item_id=items[0].uuid)

    shown = bench_items(queue, claim(queue_id=queue.uuid, actor=ben), ben)

    assert [[(each["who"], each["text"]) for each in row["talk"]] for row in shown] == [
        [("Ravi", "@ben mind rule 2.")],
        [],
    ]


def test_even_who_manages_labels_is_blind_on_the_bench(queue, items, ana, mia):
    add(queue, items[0], ana, "Surely card.")

    shown = bench_items(queue, claim(queue_id=queue.uuid, actor=mia), mia)

    assert [row["talk"] for row in shown] == [[], []]
    assert texts(queue, mia) == [["Surely card."]]


def test_no_one_replies_to_comments_they_cannot_read(queue, items, ana, ben):
    first = add(queue, items[0], ana, "Surely card.")

    for act in (
        lambda: add(queue, items[0], ben, "Why?", reply_to=first.uuid),
        lambda: resolve_comment(queue_id=queue.uuid, actor=ben, comment_id=first.uuid),
    ):
        with refused():
            act()

    assert list(Comment.objects.values_list("text", "resolved_at")) == [("Surely card.", None)]


@pytest.mark.postgres
def test_what_returned_an_item_is_read_by_those_who_had_answered_it(queue, items, ana, ben, lee, ravi):
    label_items(queue, {ana: ["card"], lee: ["billing"]}, [items[0]])
    add(queue, items[0], lee, "Billing, I think.")
    return_to_annotators(queue_id=queue.uuid, item_id=items[0].uuid, actor=ravi, comment="Read rule 2.")

    assert texts(queue, ana) == [["Read rule 2."]]  # she is asked again, so what others say is hidden again
    assert texts(queue, ben) == []


def test_a_reviewer_sees_letters_where_names_are_hidden_and_everybody_else_names(
    queue, items, ana, ben, mia, ravi
):
    label_items(queue, {ana: ["card"], ben: ["billing"]}, [items[0]])
    for person in (ben, ana, mia, ravi):
        add(queue, items[0], person, f"I am {person}.")
    add(queue, items[1], ana, "I am Ana.")

    def seen(viewer):
        rows = thread_page(queue, viewer, ThreadFilter()).threads
        return [(each.first.who or str(each.first.comment.user), each.first.is_own) for each in rows]

    assert seen(ravi) == [
        ("An annotator", False),
        ("Ravi", True),
        ("Mia", False),
        ("Annotator A", False),
        ("Annotator B", False),
    ]
    assert seen(mia) == [("Ana", False), ("Ravi", False), ("Mia", True), ("Ana", False), ("Ben", False)]
