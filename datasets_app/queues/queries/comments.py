"""Threads about items. Blind: before annotating an item, people read only comments to them; label managers
read all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from datasets_app.datasets.models import Item
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Comment
from datasets_app.queues.models.queues import Queue, Slot
from lifecycle.ui.addresses import key_in, unreadable
from registry.ground.access import policy
from registry.ground.access.models import User

PAGE = 30
REPLIES = 500  # replies of all threads on a page
COUNT_MAX = 100
PEOPLE = 8
MENTIONED = Comment.mentioned.through


def readers(queue: Queue) -> QuerySet[User]:
    """People who may read comments in a queue, and be mentioned there."""
    return policy.who_can("labeling.annotate", queue)


def find_people(queue: Queue, typed: str) -> list[User]:
    """Up to 8 readers whose user name or display name starts with `typed`, by user name."""
    rows = readers(queue)
    if typed:
        rows = rows.filter(
            Q(username__istartswith=typed)
            | Q(display_name__istartswith=typed)
            | Q(display_name__icontains=f" {typed}")
        )
    return list(rows.order_by("username")[:PEOPLE])


def written_to(viewer: User) -> Q:
    """Comments that a blind annotator may read: their own, replies to theirs, mentions of them, those that
    returned an item to them, and all about items that they have annotated.
    """
    here = {"queue": OuterRef("queue"), "item": OuterRef("item"), "user": viewer}
    labeled = Annotation.objects.filter(**here, action=Annotation.Action.LABEL)
    answered = Slot.objects.filter(**here, state=Slot.State.DONE)
    return (
        Q(user=viewer)
        | Q(reply_to__user=viewer)
        | Q(Exists(MENTIONED.objects.filter(comment=OuterRef("pk"), user=viewer)))
        | Q(is_return=True) & Q(Exists(labeled))
        | Q(Exists(answered))
    )


def sees_all(queue: Queue, viewer: User) -> bool:
    """Whether the person reads every comment: label managers, including adjudicators and leads."""
    return policy.can(viewer, "labeling.manage", queue)


def visible_comments(queue: Queue, viewer: User) -> QuerySet[Comment]:
    """The comments of a queue that this person may read."""
    rows = Comment.objects.filter(queue=queue)
    return rows if sees_all(queue, viewer) else rows.filter(written_to(viewer))


@dataclass(frozen=True, slots=True)
class ThreadFilter:
    """Filters of a thread list. state: "open", "resolved", or empty for open ones first. mine: threads that
    the person wrote in.
    """

    state: str = ""
    flags: bool = False
    mine: bool = False
    mentioning: bool = False
    item: UUID | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One comment. who: pseudonym of the author if names are hidden; else empty."""

    comment: Comment
    who: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread. first: None if the person may read only a reply in it."""

    root: Comment
    first: Line | None
    replies: list[Line] = field(default_factory=list)
    may_resolve: bool = False

    @property
    def lines(self) -> list[Line]:
        """The readable comments, oldest first."""
        return [*([self.first] if self.first else []), *self.replies]

    @property
    def is_resolved(self) -> bool:
        """Whether the thread is resolved."""
        return self.root.resolved_at is not None


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """Threads, open ones first, then the newest. before: the key of the next page, empty on the last."""

    threads: list[Thread]
    before: str


def roots_of(queue: Queue, viewer: User, *, everything: bool) -> QuerySet[Comment]:
    """The first comments of threads in which the person may read something. everything: whether they read all
    comments.
    """
    rows = Comment.objects.filter(queue=queue, reply_to=None)
    if everything:
        return rows
    return rows.filter(
        written_to(viewer) | Q(Exists(Comment.objects.filter(written_to(viewer), reply_to=OuterRef("pk"))))
    )


def filtered(rows: QuerySet[Comment], viewer: User, wanted: ThreadFilter) -> QuerySet[Comment]:
    """Apply all filters but the state."""
    if wanted.item:
        rows = rows.filter(item__uuid=wanted.item)
    if wanted.flags:
        rows = rows.filter(is_flag=True)
    if wanted.mine:
        rows = rows.filter(
            Q(user=viewer) | Q(Exists(Comment.objects.filter(reply_to=OuterRef("pk"), user=viewer)))
        )
    if wanted.mentioning:
        own = MENTIONED.objects.filter(comment=OuterRef("pk"), user=viewer)
        rows = rows.filter(
            Q(Exists(own))
            | Q(Exists(MENTIONED.objects.filter(comment__reply_to=OuterRef("pk"), user=viewer)))
        )
    return rows


def thread_page(queue: Queue, viewer: User, wanted: ThreadFilter, before: str = "") -> ThreadPage:
    """One page of threads. before: "open-<key>" or "resolved-<key>", from the previous page."""
    everything = sees_all(queue, viewer)
    rows = filtered(roots_of(queue, viewer, everything=everything), viewer, wanted).select_related(
        "item", "user", "resolved_by"
    )
    parts = {"open": rows.filter(resolved_at=None), "resolved": rows.filter(resolved_at__isnull=False)}
    at, key = page_start(before)
    names = [wanted.state] if wanted.state in parts else list(parts)
    found: list[tuple[str, Comment]] = []
    for name in names[names.index(at) if at in names else 0 :]:
        some = parts[name].filter(pk__lt=key) if name == at and key else parts[name]
        found += [(name, root) for root in some.order_by("-id")[: PAGE + 1 - len(found)]]
        if len(found) > PAGE:
            break
    shown = found[:PAGE]
    more = f"{shown[-1][0]}-{shown[-1][1].pk}" if len(found) > PAGE else ""
    return ThreadPage(as_threads(queue, viewer, [root for _, root in shown], everything=everything), more)


def page_start(before: str) -> tuple[str, int | None]:
    """The part and the key in a page's `before`; ("", None) for the first page. Raises Unreadable."""
    if not before:
        return "", None
    part, _, key = before.partition("-")
    if part not in ("open", "resolved") or not key:
        raise unreadable({"before": ["Use the value from the previous page's link."]})
    return part, key_in({"before": key})


def as_threads(queue: Queue, viewer: User, roots: Sequence[Comment], *, everything: bool) -> list[Thread]:
    """These threads with their replies, as far as the person may read them; a constant number of queries."""
    rows = (
        Comment.objects.filter(reply_to__in=[root.pk for root in roots])
        .select_related("item", "user", "reply_to")
        .order_by("id")
    )
    replies = list((rows if everything else rows.filter(written_to(viewer)))[:REPLIES])
    readable = {root.pk for root in roots}
    if not everything:
        readable = set(
            Comment.objects.filter(written_to(viewer), pk__in=readable).values_list("pk", flat=True)
        )
    lines = comment_lines(queue, viewer, [*roots, *replies])
    below: dict[int, list[Line]] = defaultdict(list)
    for reply in replies:
        below[reply.reply_to_id or 0].append(lines[reply.pk])
    return [
        Thread(
            root,
            lines[root.pk] if root.pk in readable else None,
            below[root.pk],
            everything or root.user_id == viewer.pk,
        )
        for root in roots
    ]


def comment_lines(queue: Queue, viewer: User, comments: Sequence[Comment]) -> dict[int, Line]:
    """The comments with pseudonyms of their authors: letters, as in review, for adjudicators."""
    if not policy.can(viewer, "labeling.adjudicate", queue):
        return {row.pk: Line(row, "", row.user_id == viewer.pk) for row in comments}
    letters = letters_of(queue, {row.item_id for row in comments})
    known = set(policy.who_can("labeling.manage", queue).values_list("pk", flat=True))
    return {row.pk: Line(row, pseudonym(row, letters, known), row.user_id == viewer.pk) for row in comments}


def pseudonym(comment: Comment, letters: dict[tuple[int, int], str], known: set[int]) -> str:
    """An author's pseudonym for adjudicators; empty for label managers who haven't annotated the item, who
    are shown by name.
    """
    if letter := letters.get((comment.item_id, comment.user_id)):
        return f"Annotator {letter}"
    return "" if comment.user_id in known else "An annotator"


def letters_of(queue: Queue, item_ids: Iterable[int]) -> dict[tuple[int, int], str]:
    """The letters of the annotators of these items, as in review: in the order of their annotations."""
    rows = Slot.objects.filter(
        queue=queue, item__in=list(item_ids), state=Slot.State.DONE, annotation__isnull=False
    )
    found: dict[int, list[int]] = defaultdict(list)
    for item, user in rows.order_by("annotation_id").values_list("item_id", "annotation__user_id"):
        found[item].append(user)
    return {
        (item, user): chr(ord("A") + at) for item, users in found.items() for at, user in enumerate(users)
    }


def conversations(queue: Queue, item: Item, viewer: User) -> list[Thread]:
    """The threads about one item that the person may read, oldest first; of any queue for those who read
    all.
    """
    everything = sees_all(queue, viewer)
    rows = Comment.objects.filter(reply_to=None) if everything else roots_of(queue, viewer, everything=False)
    rows = rows.filter(item=item).select_related("item", "user", "resolved_by")
    return as_threads(queue, viewer, list(rows.order_by("id")[:REPLIES]), everything=everything)


def open_comments(queue: Queue, viewer: User) -> int:
    """The number of open threads that the person may read, counted up to 100."""
    rows = roots_of(queue, viewer, everything=sees_all(queue, viewer)).filter(resolved_at=None)
    return rows.order_by()[:COUNT_MAX].count()


def open_mentions(viewer: User) -> int:
    """The number of comments in open threads that mention this person and that they may read, counted up to
    100.
    """
    resolved = Q(resolved_at__isnull=False) | Q(reply_to__resolved_at__isnull=False)
    rows = policy.visible_to(viewer, Comment.objects.filter(mentioned=viewer), "labeling.annotate")
    return rows.exclude(resolved).order_by()[:COUNT_MAX].count()


def bench_comments(queue: Queue, item_ids: Sequence[int], viewer: User) -> dict[int, list[dict[str, Any]]]:
    """The comments on the labeling page, by item: of open threads, only those to this person or by them,
    whatever their role.
    """
    mentions = Q(Exists(MENTIONED.objects.filter(comment=OuterRef("pk"), user=viewer)))
    mine = Q(user=viewer) | Q(reply_to__user=viewer) | mentions
    rows = Comment.objects.filter(mine, queue=queue, item_id__in=item_ids, is_return=False).exclude(
        is_flag=True, user=viewer
    )
    ended = Q(resolved_at__isnull=False) | Q(reply_to__resolved_at__isnull=False)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.exclude(ended).select_related("user").order_by("id")[:REPLIES]:
        found[row.item_id].append(comment_data(row, viewer))
    return found


def comment_data(row: Comment, viewer: User) -> dict[str, Any]:
    """One comment as JSON for the labeling page's script."""
    who = "You" if row.user_id == viewer.pk else str(row.user)
    return {"id": str(row.uuid), "who": who, "text": row.text, "own": row.user_id == viewer.pk}
