"""Comment threads: replied to, resolved, and reopened, about a passage or all of the text, with mentions."""

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from datasets_app.queues import mentions
from datasets_app.queues.actions.comments import comment, flag, resolve_comment
from datasets_app.queues.models import Comment, Queue
from datasets_app.queues.queries.comments import open_comments, open_mentions
from datasets_app.review.actions.reviews import return_to_annotators
from lifecycle.ground.notices.models import Notice
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access.actions import revoke
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.labeling import label_items, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["Where is my 🂡 card?", "two"]), mia, overlap=2)


@pytest.fixture
def item(queue):
    return queue_items(queue)[0]


def add(queue, item, actor, text, **options) -> Comment:
    return comment(queue_id=queue.uuid, actor=actor, item_id=item.uuid, text=text, **options)


def notices(user) -> list[str]:
    return list(Notice.objects.filter(user=user).order_by("id").values_list("text", flat=True))


def test_a_reply_continues_the_thread_and_notifies_its_author(queue, item, ana, ravi):
    first = add(queue, item, ana, "Two intents in one.")

    answer = add(queue, item, ravi, "The first counts.", reply_to=first.uuid)
    again = add(queue, item, ana, "Even where it is polite?", reply_to=answer.uuid)

    assert (answer.reply_to, again.reply_to) == (first, first)
    assert notices(ana) == ["Ravi replied to your comment in Batch 1."]
    where = reverse("queues:comments", args=[queue.uuid])
    assert Notice.objects.get(user=ana).url == f"{where}?item={item.uuid}#comment-{answer.uuid}"
    assert notices(ravi) == []  # the conversation is Ana's; who answers her twice is mentioned


def test_the_same_comment_twice_is_saved_once(queue, item, ana, ben):
    first = add(queue, item, ana, "Two intents.")

    assert add(queue, item, ana, "Two intents.") == first
    assert add(queue, item, ana, "Two intents.", reply_to=first.uuid) != first
    assert Comment.objects.count() == 2


def test_mentioned_people_are_notified_once_with_a_link_they_can_open(
    queue, item, ana, ben, ravi, client_for
):
    made = add(
        queue, item, ana, "@ravi and @Ben. Is this (@ben) one intent? Not ana@example.test, nor `@nobody`."
    )

    assert set(made.mentioned.all()) == {ben, ravi}
    assert notices(ben) == ["Ana mentioned you in a comment in Batch 1."]
    # whose answer he may settle
    assert notices(ravi) == ["An annotator mentioned you in a comment in Batch 1."]
    assert notices(ana) == []
    for person in (ben, ravi):
        page = client_for(person).get(Notice.objects.get(user=person).url)
        assert b"Is this (<b>@ben</b>) one intent?" in page.content


def test_a_reply_that_mentions_the_author_notifies_once(queue, item, ana, ravi):
    first = add(queue, item, ana, "Two intents in one.")

    add(queue, item, ravi, "@ana The first counts.", reply_to=first.uuid)

    assert notices(ana) == ["Ravi mentioned you in a comment in Batch 1."]


@pytest.mark.parametrize(
    ("name", "hint"), [("otto", ""), ("omar", ""), ("raví", "Did you mean @ravi?"), ("nobody", "")]
)
def test_an_unknown_name_is_refused(queue, item, ana, ravi, otto, omar, name, hint):
    with pytest.raises(Refused) as refusal:
        add(queue, item, ana, f"Is this one, @ravi and @{name}?")

    assert (
        refusal.value.message == f"No one who can read comments in Batch 1 is named @{name}. {hint}".strip()
    )
    assert Comment.objects.count() == Notice.objects.count() == 0


def test_an_author_without_a_role_is_not_notified_of_replies(queue, item, project, ana, ravi):
    first = add(queue, item, ana, "Two intents in one.")
    revoke(user=ana, role=Role.ANALYST, root=project, actor=None)

    add(queue, item, ravi, "The first counts.", reply_to=first.uuid)

    assert notices(ana) == []


def test_a_mention_in_a_return_comment_notifies_too(queue, item, ana, ben, ravi):
    label_items(queue, {ana: ["card"], ben: ["billing"]})

    return_to_annotators(queue_id=queue.uuid, item_id=item.uuid, actor=ravi, comment="@ben read rule 2.")

    assert notices(ben) == ["Ravi mentioned you in a comment in Batch 1."]


def test_a_passage_is_kept_in_code_points_and_verified(queue, item, ana):
    made = add(queue, item, ana, "A playing card?", start=12, end=18, quote="🂡 card")

    assert (made.start, made.end, made.passage) == (12, 18, "🂡 card")
    for wrong in (
        {"start": 12, "end": 18, "quote": "my card"},
        {"start": 3, "end": 3},
        {"start": 0, "end": 99},
        {"start": 4},
    ):
        with refused("start"):
            add(queue, item, ana, "Another.", **wrong)
    assert Comment.objects.count() == 1


@pytest.mark.parametrize("person", ["ana", "ravi", "lee"])
def test_the_author_an_adjudicator_and_a_lead_resolve_and_reopen(queue, item, ana, ravi, request, person):
    actor = request.getfixturevalue(person)
    first = add(queue, item, ana, "Two intents in one.")
    answer = add(queue, item, ravi, "The first counts.", reply_to=first.uuid)

    resolved = resolve_comment(queue_id=queue.uuid, actor=actor, comment_id=answer.uuid)
    assert (resolved, resolved.resolved_by) == (first, actor)
    assert resolve_comment(queue_id=queue.uuid, actor=ravi, comment_id=first.uuid).resolved_by == actor
    with refused(by=Conflict):
        add(queue, item, ravi, "One more thing.", reply_to=first.uuid)

    reopened = resolve_comment(queue_id=queue.uuid, actor=actor, comment_id=first.uuid, on=False)
    assert (reopened.resolved_at, reopened.resolved_by) == (None, None)
    assert Comment.objects.count() == 2


@pytest.mark.parametrize(
    ("person", "refusal"), [("ben", PermissionDenied), ("aida", PermissionDenied), ("otto", PermissionDenied)]
)
def test_no_one_else_resolves(queue, item, ana, ben, request, person, refusal):
    first = add(queue, item, ana, "@ben two intents in one.")

    with pytest.raises(refusal):
        resolve_comment(queue_id=queue.uuid, actor=request.getfixturevalue(person), comment_id=first.uuid)

    first.refresh_from_db()
    assert first.resolved_at is None


@pytest.mark.postgres
def test_a_flag_that_was_raised_again_is_not_reopened_beside_it(queue, item, ana):
    first = flag(queue_id=queue.uuid, actor=ana, item_id=item.uuid)
    flag(queue_id=queue.uuid, actor=ana, item_id=item.uuid, on=False)
    again = flag(queue_id=queue.uuid, actor=ana, item_id=item.uuid)

    with refused(by=Conflict):
        resolve_comment(queue_id=queue.uuid, actor=ana, comment_id=first.uuid, on=False)

    assert list(Comment.objects.filter(resolved_at=None)) == [again]
    assert Event.objects.filter(verb=Verb.ITEM_FLAGGED).count() == 2


def test_only_those_who_label_comment(queue, item, ana, aida, otto):
    for person in (aida, otto):
        with pytest.raises(PermissionDenied):
            add(queue, item, person, "Hello.")

    assert Comment.objects.count() == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@ana", [["ana"]]),
        ("See @ana.b.", [["ana.b.", "ana.b"]]),
        ("(@Ana), @ana!", [["ana"]]),
        ("ana@example.test", []),
        ("`@ana`", []),
        ("@", []),
        ("@ana@example.test", [["ana@example.test"]]),
    ],
)
def test_names_are_found_where_they_are_meant(text, found):
    assert mentions.readings(text) == found


def test_the_open_ones_are_counted_as_far_as_they_may_be_read(queue, item, ana, ben, ravi):
    first = add(queue, item, ana, "@ben?")
    add(queue, item, ana, "Another.")
    add(queue, queue_items(queue)[1], ana, "A third.")

    assert [open_comments(queue, each) for each in (ana, ben, ravi)] == [3, 1, 3]
    assert [open_mentions(each) for each in (ana, ben, ravi)] == [0, 1, 0]
    resolve_comment(queue_id=queue.uuid, actor=ravi, comment_id=first.uuid)
    assert [open_comments(queue, each) for each in (ana, ben, ravi)] == [2, 0, 2]
    assert open_mentions(ben) == 0
