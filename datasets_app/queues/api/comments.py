"""Threads about items over REST: the same actions and permissions as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from datasets_app.queues.actions import comments as actions
from datasets_app.queues.forms.comments import ThreadFilterForm
from datasets_app.queues.models.decisions import Comment
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.comments import Line, Thread, thread_page
from datasets_app.queues.queries.pages import get_queue
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, methods, operation


class CommentIn(serializers.Serializer[Any]):
    """A comment on an item, or a reply. start, end: code points of the passage that it is about; quote: its
    text.
    """

    item = serializers.UUIDField()
    text = serializers.CharField(max_length=2000)
    reply_to = serializers.UUIDField(required=False, allow_null=True, default=None)
    start = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)
    end = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)
    quote = serializers.CharField(required=False, allow_null=True, default=None, trim_whitespace=False)


class CommentOut(RowOut[Comment]):
    """A comment."""

    class Meta:
        model = Comment
        fields = [
            "uuid",
            "item",
            "reply_to",
            "text",
            "start",
            "end",
            "is_flag",
            "is_return",
            "created_at",
            "resolved_at",
        ]


class CommentLineOut(serializers.Serializer[Line]):
    """One comment of a thread. by: the author, or a pseudonym if names are hidden."""

    uuid = serializers.UUIDField(source="comment.uuid")
    by = serializers.SerializerMethodField()
    text = serializers.CharField(source="comment.text")
    start = serializers.IntegerField(source="comment.start", allow_null=True)
    end = serializers.IntegerField(source="comment.end", allow_null=True)
    is_flag = serializers.BooleanField(source="comment.is_flag")
    is_return = serializers.BooleanField(source="comment.is_return")
    created_at = serializers.DateTimeField(source="comment.created_at")

    def get_by(self, line: Line) -> str:
        """The user name, or the pseudonym."""
        return line.who or line.comment.user.username


class ThreadOut(serializers.Serializer[Thread]):
    """A thread. first: null while you haven't labeled the item and only replies mention you."""

    uuid = serializers.UUIDField(source="root.uuid")
    item = serializers.UUIDField(source="root.item.uuid")
    first = CommentLineOut(allow_null=True)
    replies = CommentLineOut(many=True)
    is_resolved = serializers.BooleanField()
    may_resolve = serializers.BooleanField()


class ThreadPageOut(serializers.Serializer[Any]):
    """Up to 30 threads, open ones first, then the newest. before: pass it as ?before= for the next page;
    empty
    on the last.
    """

    results = ThreadOut(many=True)
    before = serializers.CharField()


class ResolveIn(serializers.Serializer[Any]):
    """A thread, by any of its comments. resolved: false reopens it."""

    comment = serializers.UUIDField()
    resolved = serializers.BooleanField(required=False, default=True)


FILTERS = [
    OpenApiParameter("state", str, enum=["open", "resolved"]),
    *(OpenApiParameter(name, bool) for name in ("flags", "mine", "mentioning")),
    OpenApiParameter("item", UUID),
    OpenApiParameter("before", str),
]


ANNOTATE = Needs("labeling.annotate", Queue, "labeling.view")


@operation("GET", "labeling_comments", ANNOTATE, gives=ThreadPageOut, parameters=FILTERS)
def comments(request: Request, uuid: UUID) -> object:
    """List a queue's threads that you may read: before you have labeled an item, only those that mention
    you.
    """
    queue, asked = get_queue(request.user, uuid), request.query_params
    found = thread_page(queue, request.user, ThreadFilterForm(asked).wanted(), asked.get("before", ""))
    return {"results": found.threads, "before": found.before}


@operation("POST", "labeling_comment", ANNOTATE, takes=CommentIn, gives=CommentOut, status=201)
def comment(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Comment on an item, or reply to a comment; notifies people mentioned by @name."""
    return actions.comment(queue_id=uuid, actor=request.user, item_id=given.pop("item"), **given)


@operation("POST", "labeling_resolve_comment", ANNOTATE, takes=ResolveIn, gives=CommentOut)
def resolve(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Resolve or reopen a thread that you started, or any as a label manager. Returns its first comment."""
    return actions.resolve_comment(
        queue_id=uuid, actor=request.user, comment_id=given["comment"], on=given["resolved"]
    )


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/comments/", methods(comments, comment), name="api-labeling-comments"),
    path("labeling/queues/<uuid:uuid>/comments/resolve/", resolve, name="api-labeling-resolve-comment"),
]
