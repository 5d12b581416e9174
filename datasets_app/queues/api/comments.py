"""Conversations about items over REST: the same actions, and the same blindness, as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from datasets_app.queues.actions import comments as actions
from datasets_app.queues.actions.comments import resolve_comment
from datasets_app.queues.forms.comments import ThreadFilterForm
from datasets_app.queues.models.decisions import Comment
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.comments import Line, Thread, thread_page
from datasets_app.queues.queries.pages import get_queue
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read


class CommentIn(serializers.Serializer[Any]):
    """A comment on an item, or an answer. start, end: code points of the passage that it is about; quote: the
    words there.
    """

    item = serializers.UUIDField()
    text = serializers.CharField(max_length=2000)
    reply_to = serializers.UUIDField(required=False, allow_null=True, default=None)
    start = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)
    end = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)
    quote = serializers.CharField(required=False, allow_null=True, default=None, trim_whitespace=False)


class CommentOut(serializers.Serializer[Comment]):
    """What was written."""

    uuid = serializers.UUIDField()
    item = serializers.UUIDField(source="item.uuid")
    reply_to = serializers.UUIDField(source="reply_to.uuid", allow_null=True, default=None)
    text = serializers.CharField()
    start = serializers.IntegerField(allow_null=True)
    end = serializers.IntegerField(allow_null=True)
    is_flag = serializers.BooleanField()
    is_return = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)


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
    """A conversation. first: null where you have yet to answer the item, and only answers were written to
    you.
    """

    uuid = serializers.UUIDField(source="root.uuid")
    item = serializers.UUIDField(source="root.item.uuid")
    first = CommentLineOut(allow_null=True)
    answers = CommentLineOut(many=True)
    is_resolved = serializers.BooleanField()
    may_resolve = serializers.BooleanField()


class ThreadPageOut(serializers.Serializer[Any]):
    """Up to 30 conversations, open ones first, then the newest. before: give it as ?before= to get the next
    page; empty on the last.
    """

    results = ThreadOut(many=True)
    before = serializers.CharField()


class ResolveIn(serializers.Serializer[Any]):
    """A conversation, by any of its comments. resolved: false opens it again."""

    comment = serializers.UUIDField()
    resolved = serializers.BooleanField(required=False, default=True)


FILTERS = [
    OpenApiParameter("state", str, enum=["open", "resolved"]),
    *(OpenApiParameter(name, bool) for name in ("flags", "mine", "mentioning")),
    OpenApiParameter("item", UUID),
    OpenApiParameter("before", str),
]


class Comments(View):
    """Conversations about items of a queue."""

    needs = {
        "GET": Needs("labeling.annotate", Queue, "labeling.view"),
        "POST": Needs("labeling.annotate", Queue, "labeling.view"),
    }

    @extend_schema(operation_id="labeling_comments", responses=ThreadPageOut, parameters=FILTERS)
    def get(self, request: Request, uuid: UUID) -> Response:
        """What you may read: before you have answered an item, only what was written to you."""
        queue = get_queue(request.user, uuid)
        asked = request.query_params
        found = thread_page(queue, request.user, ThreadFilterForm(asked).wanted(), asked.get("before", ""))
        return Response(ThreadPageOut({"results": found.threads, "before": found.before}).data)

    @extend_schema(operation_id="labeling_comment", request=CommentIn, responses={201: CommentOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Comment on an item, or reply to a comment; notifies people mentioned by @name."""
        data = read(CommentIn, request.data)
        made = actions.comment(queue_id=uuid, actor=request.user, item_id=data.pop("item"), **data)
        return Response(CommentOut(made).data, status=201)


class ResolveComment(View):
    """Conversations that are settled."""

    needs = {"POST": Needs("labeling.annotate", Queue, "labeling.view")}

    @extend_schema(operation_id="labeling_resolve_comment", request=ResolveIn, responses=CommentOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Resolve a conversation, or open it again: who began it, and those who manage labels. Returns its
        first comment.
        """
        data = read(ResolveIn, request.data)
        root = resolve_comment(
            queue_id=uuid, actor=request.user, comment_id=data["comment"], on=data["resolved"]
        )
        return Response(CommentOut(root).data)


urlpatterns = [
    path("labeling/queues/<uuid:uuid>/comments/", Comments.as_view(), name="api-labeling-comments"),
    path(
        "labeling/queues/<uuid:uuid>/comments/resolve/",
        ResolveComment.as_view(),
        name="api-labeling-resolve-comment",
    ),
]
