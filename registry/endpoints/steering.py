"""A canary that a room above steers under a rule: what people do to it by hand is refused here, with the page where it is done.

The room above registers how it knows its canaries, since this one stands below it.
"""

from __future__ import annotations

from collections.abc import Callable

from lifecycle.refusals import Refused
from registry.endpoints.models import Deployment

PageOf = Callable[[Deployment], str]
EndOf = Callable[[Deployment], tuple[str, str] | None]
_rooms: list[tuple[PageOf, EndOf]] = []


def register(page_of: PageOf, end_of: EndOf) -> None:
    """page_of: the address of the page where a canary is steered; empty for one that it does not steer. end_of: the mark and the word of
    how it ended there; None for one that it did not steer to its end."""
    if (page_of, end_of) not in _rooms:
        _rooms.append((page_of, end_of))


def page_of(canary: Deployment) -> str:
    """Where a canary is steered; empty where no rule does it."""
    return next(filter(None, (page_of(canary) for page_of, _ in _rooms)), "")


def end_of(canary: Deployment) -> tuple[str, str]:
    """The mark and the word of how a canary ended, as the page where it was steered has them."""
    return next(filter(None, (end_of(canary) for _, end_of in _rooms)), ("bad", "Rolled back"))


def why_not_by_hand(canary: Deployment) -> str:
    """Why a person does not set its share or stop it here; empty where nothing steers it."""
    return f"{canary.version.semver} is steered by the rule of its rollout." if page_of(canary) else ""


def check_by_hand(canary: Deployment) -> None:
    """Raises Refused, with the page of its rollout and its address in the API, for a canary that a rule steers."""
    if said := why_not_by_hand(canary):
        page = page_of(canary)
        raise Refused(said, next_step=f"Widen it, pause it or abort it on {page} (over the API: /api/v1{page}), or roll the endpoint back.")
