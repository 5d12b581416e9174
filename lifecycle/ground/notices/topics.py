"""The port through which upper rooms say what they have to tell the outside. Filled in AppConfig.ready(), read by channels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lifecycle.ground.notices.rules import ChannelKind
from lifecycle.runtime.refusals import Refused


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of message. word: by which channels want it, and webhooks name it. label: in lists. for_programs: no e-mail tells it."""

    word: str
    label: str
    for_programs: bool = False


_topics: dict[str, Topic] = {}


def register(word: str, label: str, *, for_programs: bool = False) -> None:
    """Let channels take messages of this word."""
    _topics[word] = Topic(word, label, for_programs)


def choices() -> list[tuple[str, str]]:
    """Every word with its label, in the order in which rooms brought them."""
    return [(topic.word, topic.label) for topic in _topics.values()]


def labels(words: Collection[str]) -> list[str]:
    """How lists call these words."""
    return [topic.label for topic in _topics.values() if topic.word in words]


def check(kind: str, words: Collection[str]) -> list[str]:
    """The words, sorted. Raises Refused for one that no one tells, or that a channel of this kind cannot take."""
    for word in words:
        topic = _topics.get(word)
        told = "" if topic else f"{word!r} isn't a message type. Choose from {', '.join(_topics)}."
        if topic and topic.for_programs and kind != ChannelKind.WEBHOOK:
            told = f"Only webhooks can receive {topic.label.lower()}."
        if told:
            raise Refused(told, fields={"wants": [told]})
    return sorted(set(words))
