"""What is asked of a decoder, and what it gives back, token by token."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

MAX_ALTERNATIVES = 20


class Full(Exception):
    """As many answers wait as may. seconds: until one of them should have ended."""

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many answers wait.")
        self.seconds = seconds


class Finish(StrEnum):
    """Why an answer ended: an end token or a stop text, its length limit, the client, or the model."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. temperature: 0 for the likeliest token; top_p: above 0 to 1. seed: the same
    tokens each time; None for a random one. alternatives: how many of the likeliest tokens to report at each
    place. Raises ValueError for anything else.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    alternatives: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError("max_tokens must be at least 1.")
        if not (math.isfinite(self.temperature) and 0 <= self.temperature <= 2):
            raise ValueError("temperature must be from 0 to 2.")
        if not 0 < self.top_p <= 1:
            raise ValueError("top_p must be above 0 and at most 1.")
        if not 0 <= self.alternatives <= MAX_ALTERNATIVES:
            raise ValueError(f"The number of alternatives must be from 0 to {MAX_ALTERNATIVES}.")


class Token(NamedTuple):
    """A generated token. logprob: in nats, before temperature and top_p; alternatives: the likeliest tokens
    with theirs.
    """

    id: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...] = ()


class Ended(NamedTuple):
    """The end of an answer. tokens: all that were generated, the end token too; seconds in all, in the queue,
    until the first token, and of the processor.
    """

    finish: Finish
    tokens: int = 0
    seconds: float = 0.0
    queue_seconds: float = 0.0
    first_seconds: float | None = None
    cpu_seconds: float = 0.0


Listener = Callable[[Token | Ended], object]


@dataclass(frozen=True, slots=True)
class Prompt:
    """ids: of the prompt in its frame. version: key of the adapter or of the virtual tokens that answer;
    empty for the model alone. ends: tokens that end an answer.
    """

    ids: tuple[int, ...]
    ends: frozenset[int]
    version: str = ""


@dataclass(frozen=True, slots=True)
class Adapter:
    """Low-rank weights by the name of the layer they are added to: A (in, r) and B (r, out), with the scale
    in B.
    """

    layers: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prefix:
    """Keys and values (heads, n, width) of n virtual tokens before a prompt, for each layer."""

    layers: tuple[tuple[Any, Any], ...]

    def __len__(self) -> int:
        return int(self.layers[0][0].shape[1]) if self.layers else 0
