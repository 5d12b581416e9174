"""Comments on items are listed, added, answered, and resolved from a shell."""

from __future__ import annotations

import re

import pytest

from datasets_app.queues.actions.comments import comment
from datasets_app.queues.models import Comment
from datasets_app.queues.queries import comments
from tests.support.datasets import import_texts, make_dataset
from tests.support.labeling import make_queue, queue_items


@pytest.fixture
def queue(project, mia):
    dataset = make_dataset(project, mia, "Inbox")
    import_texts(dataset, [("one", "m-1"), ("two", "m-2")], mia, header=("text", "id"))
    return make_queue(dataset, mia)


def without_times(text):
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", text).splitlines()


def test_a_comment_is_added_answered_listed_and_resolved(as_person, queue, ana, mia):
    item = queue_items(queue)[0]
    command = as_person(mia)
    assert command("comments", "list", "Batch 1").out == "No such conversations.\n"

    result = command("comments", "write", "Batch 1", "m-1", "@ana which one?")
    first = Comment.objects.get()
    assert (result.code, result.out, first.item, list(first.mentioned.all())) == (
        0,
        f"Comment {first.uuid} added.\n",
        item,
        [ana],
    )
    as_person(ana)("comments", "write", "Batch 1", "m-1", "The first.", "--reply-to", str(first.uuid))

    listed = as_person(mia)("comments", "list", "Batch 1", "--item", "m-1")
    assert without_times(listed.out) == [
        f"{first.uuid}  about item {item.uuid}",
        "  WHEN mia: @ana which one?",
        "  WHEN ana: The first.",
    ]
    assert command("comments", "list", "Batch 1", "--flags").out == "No such conversations.\n"
    assert command("comments", "resolve", "Batch 1", str(first.uuid)).out == "The conversation is resolved.\n"
    assert (
        command("comments", "list", "Batch 1", "--state", "resolved", "--field", "0.is_resolved").out
        == "true\n"
    )
    assert (
        command("comments", "reopen", "Batch 1", str(first.uuid)).out == "The conversation is open again.\n"
    )
    first.refresh_from_db()
    assert first.resolved_at is None


def test_all_pages_of_conversations_are_listed(as_person, queue, mia, monkeypatch):
    monkeypatch.setattr(comments, "PAGE", 2)
    item = queue_items(queue)[1]
    for n in range(3):
        comment(queue_id=queue.uuid, actor=mia, item_id=item.uuid, text=f"Remark {n}.")

    rows = as_person(mia)("comments", "list", "Batch 1", "--json").json

    assert [rows[0]["first"]["text"], rows[-1]["first"]["text"], len(rows)] == ["Remark 2.", "Remark 0.", 3]


def test_an_annotator_does_not_resolve_other_peoples_conversations(as_person, queue, ana, ben):
    made = comment(queue_id=queue.uuid, actor=ana, item_id=queue_items(queue)[0].uuid, text="@ben?")

    result = as_person(ben)("comments", "resolve", "Batch 1", str(made.uuid))

    made.refresh_from_db()
    assert (result.code, made.resolved_at) == (1, None)
