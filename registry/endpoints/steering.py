"""A canary that a room above steers under a rule: what people do to it by hand is refused here, with the page
where it is done.

The room above registers how it knows its canaries, since this one is below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lifecycle.runtime.refusals import Refused
from registry.endpoints.models import Deployment

PageOf = Callable[[Deployment], str]
EndsOf = Callable[[Sequence[Deployment]], Mapping[int, tuple[str, str]]]
_rooms: list[tuple[PageOf, EndsOf]] = []


def register(page_of: PageOf, ends_of: EndsOf) -> None:
    """page_of: the address of the page where a canary is steered; empty for one that it does not steer.
    ends_of: of the canaries that it steered to their end the mark and the word of it, by key.
    """
    if (page_of, ends_of) not in _rooms:
        _rooms.append((page_of, ends_of))


def page_of(canary: Deployment) -> str:
    """Where a canary is steered; empty where no rule does it."""
    return next(filter(None, (page_of(canary) for page_of, _ in _rooms)), "")


def ends_of(canaries: Sequence[Deployment]) -> dict[int, tuple[str, str]]:
    """The mark and the word of how each of these canaries ended, by key, as the page where it was steered has
    them.
    """
    found: dict[int, tuple[str, str]] = {canary.pk: ("bad", "Rolled back") for canary in canaries}
    for _, room in _rooms:
        found |= room(canaries)
    return found


def why_not_by_hand(canary: Deployment) -> str:
    """Why a person does not set its share or stop it here; empty where nothing steers it."""
    return f"{canary.version.semver} is controlled by its rollout's rule." if page_of(canary) else ""


def check_by_hand(canary: Deployment) -> None:
    """Raises Refused, with the page of its rollout and its address in the API, for a canary that a rule
    steers.
    """
    if reason := why_not_by_hand(canary):
        page = page_of(canary)
        raise Refused(
            reason,
            next_step=f"Widen, pause, or abort it on {page} (API: /api/v1{page}), or roll the endpoint back.",
        )
