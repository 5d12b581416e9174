"""The page of a queue's comments: open ones first, by keyset, filtered; answered and resolved from it, with
and without the script.
"""

import pytest
from django.urls import reverse

from datasets_app.queues.actions.comments import comment, flag, resolve_comment
from datasets_app.queues.models import Comment, Queue
from datasets_app.queues.queries.comments import ThreadFilter, thread_page
from tests.support.labeling import label_items, make_dataset, make_queue, queue_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)


@pytest.fixture
def item(queue):
    return queue_items(queue)[0]


def add(queue, item, actor, text, **options) -> Comment:
    return comment(queue_id=queue.uuid, actor=actor, item_id=item.uuid, text=text, **options)


def url(name, queue):
    return reverse(name, args=[queue.uuid])


def first_lines(page) -> list[str]:
    return [each.first.comment.text for each in page.context["threads"]]


@pytest.mark.postgres
def test_open_conversations_come_first_then_resolved_ones_page_by_page(
    queue, item, ana, ravi, client_for, monkeypatch
):
    monkeypatch.setattr("datasets_app.queues.queries.comments.PAGE", 6)
    made = [add(queue, item, ana, f"comment {n}") for n in range(8)]
    for each in made[3:7]:
        resolve_comment(queue_id=queue.uuid, actor=ravi, comment_id=each.uuid)
    wanted = [7, 2, 1, 0, 6, 5, 4, 3]

    first = client_for(ravi).get(url("queues:comments", queue))
    second = client_for(ravi).get(url("queues:comments", queue) + first.context["page"]["next"])

    assert first_lines(first) + first_lines(second) == [f"comment {n}" for n in wanted]
    assert (len(first_lines(first)), second.context["page"]["next"]) == (6, "")
    for before in ("²", "open-²", "open-" + "9" * 30, "resolved--1", "\x00"):
        assert client_for(ravi).get(url("queues:comments", queue), {"before": before}).status_code == 400


def test_they_are_filtered_by_state_flag_and_whom_they_concern(queue, item, ana, ben, ravi, client_for):
    raised = flag(queue_id=queue.uuid, actor=ben, item_id=item.uuid, text="A flag.")
    asked = add(queue, item, ana, "@ravi?")
    add(queue, item, ravi, "@ben too.", reply_to=raised.uuid)
    ended = add(queue, item, ana, "Done.")
    resolve_comment(queue_id=queue.uuid, actor=ana, comment_id=ended.uuid)

    def shown(viewer, **given):
        return first_lines(client_for(viewer).get(url("queues:comments", queue), given))

    assert shown(ravi, state="open") == ["@ravi?", "A flag."]
    assert shown(ravi, state="resolved") == ["Done."]
    assert shown(ravi, flags="on") == ["A flag."]
    assert shown(ravi, mine="on") == ["A flag."]  # he answered there
    assert shown(ravi, mentioning="on") == ["@ravi?"]
    assert shown(ben, mentioning="on") == ["A flag."]
    assert shown(ravi, item=str(item.uuid)) == ["@ravi?", "A flag.", "Done."]
    assert asked.uuid


def test_a_reviewer_is_led_to_the_review_and_others_to_the_item(queue, item, ana, ravi, client_for):
    add(queue, item, ana, "Two intents.")

    assert (
        f'href="{url("review:review", queue)}?item={item.uuid}"'.encode()
        in client_for(ravi).get(url("queues:comments", queue)).content
    )
    assert (
        f'href="{reverse("datasets:item", args=[item.uuid])}"'.encode()
        in client_for(ana).get(url("queues:comments", queue)).content
    )


@pytest.mark.postgres
def test_who_may_not_read_samples_sees_no_text_of_an_item(queue, ana, lee, client_for):
    item = queue_items(queue)[1]
    add(queue, item, ana, "About this word.", start=0, end=3)

    page = (
        client_for(lee).get(url("queues:comments", queue), {"item": str(item.uuid)}).content
        + client_for(lee).get(url("queues:comments", queue)).content
    )

    assert b"About this word." in page
    assert b"two" not in page


@pytest.mark.postgres
def test_a_plain_form_answers_and_resolves_and_comes_back_to_the_same_page(
    queue, item, ana, ravi, client_for
):
    first = add(queue, item, ana, "Two intents.")
    client, at = client_for(ravi), "state=open&flags="

    sent = {"item": item.uuid, "text": "The first.", "reply_to": first.uuid, "back": "comments", "at": at}
    answered = client.post(url("queues:comment", queue), sent)
    answer = Comment.objects.get(reply_to=first)
    resolved = client.post(
        url("queues:resolve_comment", queue),
        {"comment": first.uuid, "on": "yes", "back": "comments", "at": at},
    )

    assert answered["Location"] == f"{url('queues:comments', queue)}?{at}#comment-{answer.uuid}"
    assert resolved["Location"] == f"{url('queues:comments', queue)}?{at}#comment-{first.uuid}"
    first.refresh_from_db()
    assert first.resolved_by == ravi
    client.post(url("queues:resolve_comment", queue), {"comment": first.uuid, "on": "no", "back": "review"})
    first.refresh_from_db()
    assert first.resolved_at is None


def test_a_refusal_is_returned_to_the_script_with_its_field(queue, item, ana, client_for):
    sent = {"item": item.uuid, "text": "@nobody?", "back": "bench"}

    answer = client_for(ana).post(url("queues:comment", queue), sent, headers={"accept": "application/json"})

    assert answer.status_code == 422
    message = "No one who can read comments in Batch 1 is named @nobody."
    assert answer.json()["fields"] == {"text": [message]}
    assert answer.json()["message"].startswith(message)
    assert Comment.objects.count() == 0


@pytest.mark.postgres
def test_names_are_completed_from_those_who_may_read_the_queue(queue, ana, ben, ravi, otto, omar, client_for):
    def named(typed):
        return [
            each["name"]
            for each in client_for(ana).get(url("queues:people", queue), {"q": typed}).json()["people"]
        ]

    assert named("") == ["ana", "ben", "mia", "ravi"]
    assert (named("ra"), named("B"), named("o"), named("x"), named("ra\0")) == (["ravi"], ["ben"], [], [], [])
    assert client_for(otto).get(url("queues:people", queue)).status_code == 404
    assert client_for(omar).get(url("queues:people", queue)).status_code == 403


def test_the_queue_shows_the_number_of_open_threads(queue, item, ana, ravi, aida, client_for):
    add(queue, item, ana, "Two intents.")

    link = f'href="{url("queues:comments", queue)}"'
    shown, of_aida = (client_for(person).get(url("queues:queue", queue)) for person in (ravi, aida))
    assert (shown.context["open_comments"], link in shown.content.decode()) == (1, True)
    assert (of_aida.status_code, link in of_aida.content.decode()) == (200, False)


@pytest.mark.postgres
def test_the_review_shows_the_conversation_by_letter(queue, item, ana, ben, ravi, client_for):
    label_items(queue, {ana: ["card"], ben: ["billing"]}, [item])
    first = add(queue, item, ana, "Two intents.")
    add(queue, item, ravi, "The first counts.", reply_to=first.uuid)

    page = client_for(ravi).get(url("review:review", queue)).content.decode()

    assert "<strong>Annotator A</strong>" in page
    assert "The first counts." in page
    assert "Ana" not in page
    assert f'data-answer="{first.uuid}"' in page


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("person", ["ana", "ravi"])
def test_a_page_takes_the_same_statements_however_many_conversations(
    queue, item, ana, ravi, count, person, request, django_assert_num_queries
):
    viewer = request.getfixturevalue(person)
    for n in range(count):
        add(queue, item, ravi, "@ana here.", reply_to=add(queue, item, ana, f"comment {n}").uuid)

    with django_assert_num_queries({"ana": 6, "ravi": 9}[person]):
        page = thread_page(queue, viewer, ThreadFilter())
        assert [len(each.lines) for each in page.threads] == [2] * count
