"""retraining approve, decline; what the other verbs print."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find
from lifecycle.runtime.cli.arguments import Proposal
from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words
from lifecycle.runtime.refusals import Refused

Row = dict[str, Any]
LIST = (
    "no.={number:d}; endpoint={endpoint:endpoint}; state=ended; by={trigger|'a person'}; next={step|''};"
    " proposed=created_at"
)
ABOUT = (
    "proposal={number:d}, {ended}; proposed={created_at} by {trigger|'a person'}; note; next; failed=failure;"
    " new labels={labels_new:,} of {min_labels:,}; compared={comparison.why}; page"
)
noun = Noun(
    "A proposal lists the reasons for and against retraining. When a lead approves it, labels are collected,"
    " a run is launched and measured beside the live version, and promotion is requested. It never promotes"
    " automatically."
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
    """Refuse, naming the page where a lead decides."""
    return Refused(
        "An ML lead who is signed in decides on a proposal, never a token.",
        next_step=f"Decide on {session.page('/retraining/' + find.proposal(session, name)['uuid'] + '/')}",
    )


@noun.draws("list")
def listed(words: Words, found: list[Row]) -> list[str | Table]:
    """A row for each."""
    return [words.table(LIST, [row | {"ended": state(row)} for row in found])]


@noun.draws("show")
def described(words: Words, found: Row) -> list[str | Table]:
    """The proposal as an ML lead reviews it."""
    about = {"ended": state(found), "next": ", ".join(filter(None, (found["step"], found["blocked_by"])))}
    return [words.facts(ABOUT, found | about), "", *reasons(found)]


@noun.draws("propose")
def proposed(words: Words, found: Row) -> list[str | Table]:
    """The proposal, its reasons, and who decides."""
    waits = f"Proposal {found['number']} for {words.known['endpoint']['full_name']} waits for an ML lead."
    return [waits, *reasons(found), words.cell("Page: {page}", found)]


@noun.draws("consider")
def considered(words: Words, found: Row) -> list[str | Table]:
    """The reasons, and whether it can be proposed."""
    name = words.known["endpoint"]["full_name"]
    return [
        *reasons(found),
        (
            f"Propose it: lifecycle retraining propose {name}"
            if found["possible"]
            else "It can't be proposed now."
        ),
    ]


def reasons(found: Row) -> list[str | Table]:
    """The reasons with their facts."""
    against = (
        f"Against  {reason(each)}" + (" (blocks it)" if each["stops"] else "")
        for each in found["reasons_against"]
    )
    return [*(f"For      {reason(each)}" for each in found["reasons_for"]), *against]


def reason(each: Row) -> str:
    """The fact and its value."""
    return ": ".join(filter(None, (each["fact"], each["value"])))


def state(found: Row) -> str:
    """The state, with the outcome once decided."""
    ended = found["outcome"].replace("_", " ")
    return found["state"] + (f", {ended}" if ended and ended != found["state"] else "")
