"""What the columns of a file are used for. Pure."""

from __future__ import annotations

import re

from django.db.models import TextChoices


class Role(TextChoices):
    """What a column is used for. All but metadata and ignore are taken by one column at most."""

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


def plain_name(column: str) -> str:
    """A column's name without case, blanks and marks, and without the place that a labeling tool puts in front."""
    return re.sub(r"[\W_]", "", column.casefold().removeprefix("data."))
