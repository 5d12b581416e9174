"""What the columns of a file are used for, and the names by which they are recognised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a column is used for. All but metadata and ignore are taken by one column at most. words: as people read it."""

    words: str

    TEXT = "text", "Text"
    MESSAGES = "messages", "Messages of a dialogue"
    PROMPT = "prompt", "Prompt"
    FIRST = "first", "First response"
    SECOND = "second", "Second response"
    RESPONSES = "responses", "Responses, as a list"
    COMPLETION = "completion", "Completion: the assistant's answer to the prompt"
    CONTEXT = "context", "Context: stands below the text"
    CONTENT = "content", "Content, as one JSON object"
    LABEL = "label", "Label: what is said of the text"
    ANNOTATOR = "annotator", "Annotator: who gave the label"
    ID = "id", "Id"
    GROUP = "group", "Group: never on both sides of a split"
    TIME = "time", "Time"
    SPLIT = "split", "Split"
    METADATA = "metadata", "Metadata: kept beside the text"
    PACKED = "packed", "Metadata, as one JSON object"
    IGNORE = "ignore", "Left out"

    def __new__(cls, value: str, words: str = "") -> Role:
        """A role with its words."""
        made = str.__new__(cls, value)
        made._value_, made.words = value, words
        return made


OF_ITEMS = (
    Role.TEXT, Role.MESSAGES, Role.PROMPT, Role.COMPLETION, Role.FIRST, Role.SECOND, Role.RESPONSES, Role.CONTEXT, Role.CONTENT,
)  # fmt: skip
NAMES: Mapping[Role, tuple[str, ...]] = {  # plain ones, the best first, where a task has none of its own
    Role.TEXT: (
        "text", "fulltext", "sentence", "utterance", "message", "body", "content", "comment", "review",
        "tweet", "document", "question", "query", "input", "sms",
    ),
    Role.MESSAGES: ("messages", "conversations", "conversation", "dialogue", "turns"),
    Role.PROMPT: ("prompt", "instruction", "question", "input", "context"),
    Role.FIRST: ("chosen", "first", "responsea", "response1", "completiona", "answera"),
    Role.SECOND: ("rejected", "second", "responseb", "response2", "completionb", "answerb"),
    Role.RESPONSES: ("responses", "completions", "candidates", "answers"),
    Role.LABEL: ("labelname", "labeltext", "label", "labels", "category", "class", "intent", "target", "topic", "sentiment", "tag"),
    Role.ANNOTATOR: ("annotator", "annotatorid", "worker", "workerid", "workerids", "amtworkerids", "rater", "raterid", "coder", "labeler"),
    Role.ID: ("id", "externalid", "itemid", "messageid", "rowid", "uuid", "guid"),
    Role.GROUP: (
        "group", "groupid", "groupkey", "thread", "threadid", "conversation", "conversationid",
        "session", "customer", "customerid", "author",
    ),
    Role.TIME: ("time", "date", "timestamp", "datetime", "createdat", "created", "sentat", "receivedat", "eventtime"),
    Role.SPLIT: ("split", "subset", "partition", "fold", "set"),
}  # fmt: skip


def plain_name(column: str) -> str:
    """A column's name without case, blanks and marks, and without the place that a labeling tool puts in front."""
    return re.sub(r"[\W_]", "", column.casefold().removeprefix("data."))
