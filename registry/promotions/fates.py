"""The outcome of a fulfilled request's version: provided by the room that deploys, since this one is below
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from registry.ground.access.models import User
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status


@dataclass(frozen=True, slots=True)
class Fate:
    """How a version fared on its endpoint. kind: a mark; word: Live, Canary, Rolled back, Aborted, Replaced,
    Ended; text: a sentence.

    at: since when; by: who ended it, None for the product itself. serves: whether it still gets traffic.
    deployed_by: who began it.
    """

    kind: str
    word: str
    text: str
    at: datetime
    by: User | None = None
    serves: bool = False
    deployed_by: User | None = None


Source = Callable[[PromotionRequest], Fate | None]
_sources: list[Source] = []


def register(source: Source) -> None:
    """source: of the room above; None for a request of which it deployed nothing."""
    if source not in _sources:
        _sources.append(source)


def of(request: PromotionRequest) -> Fate | None:
    """What became of it; None where it was not deployed."""
    if request.status != Status.FULFILLED:
        return None
    return next((found for source in _sources if (found := source(request)) is not None), None)
