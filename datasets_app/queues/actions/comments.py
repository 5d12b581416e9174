"""Comments, flags, and threads about items."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.queues import mentions
from datasets_app.queues.models.decisions import Comment
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries import comments
from datasets_app.queues.queries.comments import sees_all, visible_comments
from lifecycle.ground.notices.actions import notify
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy, roles
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

LIMIT = 2_000
NAMES = 20  # people whom one comment mentions


def find_item(queue: Queue, item_id: UUID) -> Item:
    """An item of the queue. Raises Refused."""
    item = Item.objects.filter(uuid=item_id, slots__queue=queue).first()
    if item is None:
        raise Refused("This item isn't in the queue.", next_step="Reload the page.")
    return item


@transaction.atomic
def comment(
    *,
    queue_id: UUID,
    actor: User,
    item_id: UUID,
    text: str,
    reply_to: UUID | None = None,
    start: int | None = None,
    end: int | None = None,
    quote: str | None = None,
) -> Comment:
    """Comment on an item, or reply to a comment. Notifies people mentioned by @name and the author replied
    to.

    reply_to: a comment that the actor may read; its thread continues. start, end: the passage of the text
    that it is about, in code points; quote: the words there, as the writer saw them. Raises PermissionDenied,
    Refused (empty, too long, a name without access, a changed passage), or Conflict (the thread is resolved).
    """
    queue = Queue.objects.get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    text = check_text(text)
    item = find_item(queue, item_id)
    root = find_root(queue, item, actor, reply_to) if reply_to else None
    check_passage(item, start, end, quote)
    same = Comment.objects.filter(
        item=item, queue=queue, user=actor, text=text, is_flag=False, reply_to=root, start=start, end=end
    )
    # a double click saves one comment
    return same.first() or write(queue, item, actor, text, reply_to=root, start=start, end=end)


def write(
    queue: Queue,
    item: Item,
    actor: User,
    text: str,
    *,
    is_flag: bool = False,
    is_return: bool = False,
    reply_to: Comment | None = None,
    start: int | None = None,
    end: int | None = None,
) -> Comment:
    """Save a comment and notify whom it concerns, in the caller's transaction. Raises Refused (a name without
    access).
    """
    people = mentioned_in(queue, text)
    made = Comment.objects.create(
        item=item,
        queue=queue,
        user=actor,
        text=text,
        is_flag=is_flag,
        is_return=is_return,
        reply_to=reply_to,
        start=start,
        end=end,
    )
    made.mentioned.set(people)
    notify_people(made, actor, people, "mentioned you in a comment in")
    author = [reply_to.user] if reply_to and policy.can(reply_to.user, "labeling.annotate", queue) else []
    notify_people(made, actor, [user for user in author if user not in people], "replied to your comment in")
    return made


def mentioned_in(queue: Queue, text: str) -> list[User]:
    """The people whom a text mentions. Raises Refused with the names that can't read comments in the queue,
    existing or not.
    """
    found = mentions.readings(text)
    if not found:
        return []
    if len(found) > NAMES:
        raise mention_refusal(f"The comment mentions {len(found)} people; the limit is {NAMES}.")
    readers = {user.username.lower(): user for user in comments.readers(queue)}
    names, unknown = mentions.match(found, readers)
    if unknown:
        closest = mentions.closest(unknown[0], readers)
        message = (
            f"No one who can read comments in {queue.name} is named"
            f" {', '.join('@' + name for name in unknown[:5])}."
        )
        raise mention_refusal(message, f"Did you mean @{closest}? " if closest else "")
    return [readers[name] for name in names]


def mention_refusal(message: str, hint: str = "") -> Refused:
    """The refusal for an unknown name, with the way to write @ without a mention."""
    return Refused(
        f"{message} {hint}".strip(),
        next_step="Put ` before the @ if you aren't mentioning anyone.",
        fields={"text": [message]},
    )


def notify_people(comment: Comment, actor: User, people: Iterable[User], what: str) -> None:
    """Notify these people, except the author, with a link to the thread. Adjudicators don't see annotators'
    names.
    """
    queue = comment.queue
    others = [user for user in people if user.pk != actor.pk]
    if queue is None or not others:
        return
    url = f"{reverse('queues:comments', args=[queue.uuid])}?item={comment.item.uuid}#comment-{comment.uuid}"
    adjudicators = set(policy.who_can("labeling.adjudicate", queue).values_list("pk", flat=True))
    hidden = not policy.can(actor, "labeling.manage", queue)
    notify(
        [user for user in others if hidden and user.pk in adjudicators],
        f"An annotator {what} {queue.name}.",
        url,
    )
    notify(
        [user for user in others if not hidden or user.pk not in adjudicators],
        f"{actor} {what} {queue.name}.",
        url,
    )


def find_root(queue: Queue, item: Item, actor: User, comment_id: UUID) -> Comment:
    """The first comment of the thread that is replied to. Raises Refused (not readable) or Conflict
    (resolved).
    """
    found = (
        visible_comments(queue, actor)
        .filter(uuid=comment_id, item=item)
        .select_related("reply_to__user", "user")
        .first()
    )
    if found is None:
        raise Refused("Comment not found, or you can't read it yet.", next_step="Reload the page.")
    root = found.reply_to or found
    if root.resolved_at is not None:
        raise Conflict(
            "This thread is resolved.", next_step="Write a new comment, or ask for the thread to be reopened."
        )
    return root


def check_passage(item: Item, start: int | None, end: int | None, quote: str | None) -> None:
    """Raises Refused unless the passage is within the text and equals the quote."""
    if start is None and end is None:
        return
    message = ""
    if start is None or end is None or not 0 <= start < end <= len(item.text):
        message = (
            f"The passage {start} to {end} is outside the text, which has {len(item.text):,} characters."
        )
    elif quote is not None and item.text[start:end] != quote:
        message = "The passage doesn't match the text you selected."
    if message:
        raise Refused(
            message, next_step="Select it again, or comment on the whole text.", fields={"start": [message]}
        )


def check_text(text: str) -> str:
    """The text without blanks around it. Raises Refused."""
    text = text.strip()
    if not text:
        raise Refused("The comment is empty.", fields={"text": ["Describe what a reviewer should know."]})
    if len(text) > LIMIT:
        message = f"The comment has {len(text):,} characters; the limit is {LIMIT:,}."
        raise Refused(message, fields={"text": [message]})
    return text


@transaction.atomic
def resolve_comment(*, queue_id: UUID, actor: User, comment_id: UUID, on: bool = True) -> Comment:
    """Resolve the thread of a comment, or reopen it. The same again changes nothing. Returns its first
    comment.

    Raises PermissionDenied for anyone but the person who started it and label managers, Refused (no such
    comment), or Conflict (the item was flagged again in the meantime).
    """
    queue = Queue.objects.get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    found = visible_comments(queue, actor).filter(uuid=comment_id).values_list("pk", "reply_to").first()
    if found is None:
        raise Refused("Comment not found, or you can't read it yet.", next_step="Reload the page.")
    root = Comment.objects.select_for_update(of=("self",)).select_related("item").get(pk=found[1] or found[0])
    if root.user_id != actor.pk and not sees_all(queue, actor):
        raise PermissionDenied(
            f"The person who started a thread can resolve it. {roles.sentence('labeling.manage')}"
        )
    if on == (root.resolved_at is not None):
        return root
    if not on and root.is_flag and own_flag(queue, root.item, root.user):
        raise Conflict("The item is already flagged again.", next_step="Resolve that flag instead.")
    root.resolved_at, root.resolved_by = (timezone.now(), actor) if on else (None, None)
    root.save(update_fields=["resolved_at", "resolved_by"])
    return root


def own_flag(queue: Queue, item: Item, user: User) -> Comment | None:
    """This person's open flag on an item."""
    return (
        Comment.objects.select_for_update()
        .filter(item=item, queue=queue, user=user, is_flag=True, resolved_at__isnull=True)
        .first()
    )


@transaction.atomic
def flag(*, queue_id: UUID, actor: User, item_id: UUID, on: bool = True, text: str = "") -> Comment | None:
    """Flag an item for review, or remove the flag. Safe to repeat. Raises PermissionDenied or Refused."""
    queue = Queue.objects.select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    item = find_item(queue, item_id)
    mine = own_flag(queue, item, actor)
    if on and mine is None:
        mine = write(queue, item, actor, text.strip()[:LIMIT] or "Flagged.", is_flag=True)
        ledger.record(
            actor,
            Verb.ITEM_FLAGGED,
            mine,
            project=queue.dataset.project.uuid,
            item=item.digest,
            queue=queue.uuid,
        )
    if not on and mine is not None:
        mine.resolved_at, mine.resolved_by = timezone.now(), actor
        mine.save(update_fields=["resolved_at", "resolved_by"])
    return mine
