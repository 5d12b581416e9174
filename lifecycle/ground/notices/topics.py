"""The registry of message types. Upper rooms register in AppConfig.ready(); channels read it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lifecycle.ground.notices.rules import ChannelKind
from lifecycle.runtime.refusals import Refused


@dataclass(frozen=True, slots=True)
class Topic:
    """A message type. word: its name in channels and webhooks. label: in lists. for_programs: only for
    webhooks, not for e-mail.
    """

    word: str
    label: str
    for_programs: bool = False


_topics: dict[str, Topic] = {}


def register(word: str, label: str, *, for_programs: bool = False) -> None:
    """Register a message type."""
    _topics[word] = Topic(word, label, for_programs)


def choices() -> list[tuple[str, str]]:
    """Every word with its label, in the order of registration."""
    return [(topic.word, topic.label) for topic in _topics.values()]


def labels(words: Collection[str]) -> list[str]:
    """The labels of these words."""
    return [topic.label for topic in _topics.values() if topic.word in words]


def check(kind: str, words: Collection[str]) -> list[str]:
    """The words, sorted. Raises Refused for an unknown one, or one that a channel of this kind can't take."""
    for word in words:
        topic = _topics.get(word)
        error = "" if topic else f"{word!r} isn't a message type. Choose from {', '.join(_topics)}."
        if topic and topic.for_programs and kind != ChannelKind.WEBHOOK:
            error = f"Only webhooks can receive {topic.label.lower()}."
        if error:
            raise Refused(error, fields={"wants": [error]})
    return sorted(set(words))
