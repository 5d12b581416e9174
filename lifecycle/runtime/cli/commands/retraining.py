"""retraining approve, decline."""

from __future__ import annotations

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import Proposal
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.refusals import Refused

noun = Noun(
    "A proposal lists the reasons for and against retraining. When a lead approves it, labels are collected, a run is launched and "
    "measured beside the live version, and promotion is requested. It never promotes automatically."
)


@noun.verb
def approve(session: Session, proposal: Proposal) -> None:
    """Print where an ML lead approves: signed in, never with a token."""
    raise decided(session, proposal)


@noun.verb
def decline(session: Session, proposal: Proposal) -> None:
    """Print where an ML lead declines: signed in, never with a token."""
    raise decided(session, proposal)


def decided(session: Session, name: str) -> Refused:
    """Where it is decided."""
    return Refused(
        "An ML lead who is signed in decides on a proposal, never a token.",
        next_step=f"Decide on {session.page('/retraining/' + find.proposal(session, name)['uuid'] + '/')}",
    )
