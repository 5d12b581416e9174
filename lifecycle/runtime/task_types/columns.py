"""Roles of a file's columns, and the names by which they are recognised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a column is used for. Only metadata and ignore can be assigned to several columns. words: the
    display name.
    """

    words: str

    TEXT = "text", "Text"
    MESSAGES = "messages", "Messages of a dialogue"
    PROMPT = "prompt", "Prompt"
    FIRST = "first", "First response"
    SECOND = "second", "Second response"
    RESPONSES = "responses", "Responses, as a list"
    COMPLETION = "completion", "Completion: the assistant's response to the prompt"
    CONTEXT = "context", "Context: shown below the text"
    CONTENT = "content", "Content, as one JSON object"
    LABEL = "label", "Label: the annotation of the text"
    ANNOTATOR = "annotator", "Annotator: who labeled the text"
    ID = "id", "Id"
    GROUP = "group", "Group: rows that stay in the same split"
    TIME = "time", "Time"
    SPLIT = "split", "Split"
    METADATA = "metadata", "Metadata: stored with the text"
    PACKED = "packed", "Metadata, as one JSON object"
    IGNORE = "ignore", "Not imported"

    def __new__(cls, value: str, words: str = "") -> Role:
        """Create a role with its display name."""
        made = str.__new__(cls, value)
        made._value_, made.words = value, words
        return made


OF_ITEMS = (
    Role.TEXT,
    Role.MESSAGES,
    Role.PROMPT,
    Role.COMPLETION,
    Role.FIRST,
    Role.SECOND,
    Role.RESPONSES,
    Role.CONTEXT,
    Role.CONTENT,
)
NAMES: Mapping[Role, tuple[str, ...]] = {  # normalised names, best first, unless the task has its own
    Role.TEXT: (
        "text",
        "fulltext",
        "sentence",
        "utterance",
        "message",
        "body",
        "content",
        "comment",
        "review",
        "tweet",
        "document",
        "question",
        "query",
        "input",
        "sms",
    ),
    Role.MESSAGES: ("messages", "conversations", "conversation", "dialogue", "turns"),
    Role.PROMPT: ("prompt", "instruction", "question", "input", "context"),
    Role.FIRST: ("chosen", "first", "responsea", "response1", "completiona", "answera"),
    Role.SECOND: ("rejected", "second", "responseb", "response2", "completionb", "answerb"),
    Role.RESPONSES: ("responses", "completions", "candidates", "answers"),
    Role.LABEL: (
        "labelname",
        "labeltext",
        "label",
        "labels",
        "category",
        "class",
        "intent",
        "target",
        "topic",
        "sentiment",
        "tag",
    ),
    Role.ANNOTATOR: (
        "annotator",
        "annotatorid",
        "worker",
        "workerid",
        "workerids",
        "amtworkerids",
        "rater",
        "raterid",
        "coder",
        "labeler",
    ),
    Role.ID: ("id", "externalid", "itemid", "messageid", "rowid", "uuid", "guid"),
    Role.GROUP: (
        "group",
        "groupid",
        "groupkey",
        "thread",
        "threadid",
        "conversation",
        "conversationid",
        "session",
        "customer",
        "customerid",
        "author",
    ),
    Role.TIME: (
        "time",
        "date",
        "timestamp",
        "datetime",
        "createdat",
        "created",
        "sentat",
        "receivedat",
        "eventtime",
    ),
    Role.SPLIT: ("split", "subset", "partition", "fold", "set"),
}


def plain_name(column: str) -> str:
    """The column's name without case, spaces, and punctuation, and without a labeling tool's `data.`
    prefix.
    """
    return re.sub(r"[\W_]", "", column.casefold().removeprefix("data."))
