"""States of a promotion request (GOVERNANCE names them), and what may follow what. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import TextChoices

from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.words import phrase
from registry.policies.rules import Step

REASON_MAX = 4000


class Status(TextChoices):
    """fulfilled, rejected, withdrawn, voided and expired are final."""

    DRAFT = "draft", "Draft"
    CHECKING = "checking", "Checking"
    IN_REVIEW = "in_review", "In review"
    APPROVED = "approved", "Approved"
    FULFILLED = "fulfilled", "Fulfilled"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    VOIDED = "voided", "Voided"
    EXPIRED = "expired", "Expired"


OPEN = frozenset({Status.DRAFT, Status.CHECKING, Status.IN_REVIEW, Status.APPROVED})
ENDINGS = frozenset({Status.WITHDRAWN, Status.VOIDED, Status.EXPIRED, Status.REJECTED})
MOVES = {
    Status.DRAFT: {Status.CHECKING, Status.WITHDRAWN, Status.VOIDED, Status.EXPIRED},
    Status.CHECKING: {Status.DRAFT, Status.IN_REVIEW, Status.WITHDRAWN, Status.VOIDED, Status.EXPIRED},
    Status.IN_REVIEW: {Status.APPROVED} | ENDINGS,
    Status.APPROVED: {Status.FULFILLED} | ENDINGS,
}


MARKS = {
    Status.DRAFT: "wait",
    Status.CHECKING: "live",
    Status.IN_REVIEW: "half",
    Status.APPROVED: "ok",
    Status.FULFILLED: "ok",
    Status.REJECTED: "bad",
    Status.WITHDRAWN: "stop",
    Status.VOIDED: "warn",
    Status.EXPIRED: "off",
}


# What makes a person one of those whose work is judged, in the order in which it is listed.
PARTS = {
    "requester": "You requested this promotion, so you can't approve it.",
    "trained": "You launched or resumed a run behind this version, so you can't approve it.",
    "behind": "You proposed this retraining, or labeled or uploaded texts for it, so you can't approve it.",
    "overrode": (
        "You requested promotion although the retrained model wasn't better, so you can't approve it."
    ),
    "registered": "You registered this version, so you can't approve it.",
    "decided": "You labeled, uploaded, or chose rows in its test split, so you can't approve it.",
    "froze": (
        "You created the dataset version it was trained and tested on, or one whose splits that reuses, so"
        " you can't approve it."
    ),
    "card": "You edited its model card, so you can't approve it.",
}
# Anyone who gives roles would otherwise choose, with the request before them, who decides it.
LATE = "You got your role after this request was opened, so you can't decide on it."
CHANGED = {
    "root_digest": "the version's files",
    "signature": "the version's signature",
    "state": "the version's state",
    "reports": "an evaluation report",
    "snapshot": "the dataset version",
    "test_split": "the test split",
    "test_labels": "a label in the test split",
    "label_set": "the label schema",
    "base": "the base model",
    "spec": "the run's settings",
    "card": "the model card",
    "policy": "the policy",
    "endpoint": "the endpoint",
    "plan": "the rollout plan",
    "baseline": "the live version",
    "comparison": "the comparison",
    "gates": "the gate results",
    "people": "who worked on it",
}
# what of a gate's result an approval rests on
RESULT = ("gate", "status", "blocking", "value", "threshold", "evidence", "source")
FOUND = ("comparison", "gates", "reports")  # what a check finds out on its own


def part_of(person: str, people: Mapping[str, Iterable[str]]) -> str:
    """Why a person may not approve, as a sentence to them; "" when nothing is in the way. person: uuid;
    people: uuids by part.
    """
    return next((sentence for part, sentence in PARTS.items() if person in people.get(part, ())), "")


def check_separation(person: str, people: Mapping[str, Iterable[str]]) -> None:
    """Raises PermissionDenied for anyone whose own work is judged: whatever their role, superusers and admins
    included.
    """
    if sentence := part_of(person, people):
        raise PermissionDenied(f"{sentence} Someone who didn't work on it can.")


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the subject of an approval and the present state, in words."""
    return [words for key, words in CHANGED.items() if then.get(key) != now.get(key)]


def changes_during(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs in what the gates were to judge, between the beginning of a check and its end, in
    words.
    """
    return changes({**before, **{key: after[key] for key in FOUND}}, after)


INACTIVE = "The version is no longer active."
SINCE, WHILE = "Changed since the last gate check: {}.", "Changed during the gate check: {}."


def change_sentence(changed: Iterable[str], sentence: str = SINCE) -> str:
    """The card and the policy have changed since the check, or while it ran."""
    return sentence.format(phrase([*changed]))


def check_same_subject(seen: str, digest: str) -> None:
    """Raises Conflict unless the reviewer decided on what the request now rests on."""
    if seen != digest:
        raise Conflict(
            "The gates were re-run while you were reading.", next_step="Reload the page, then decide."
        )


def check_decidable(status: Status) -> None:
    """Raises Conflict unless the request is in review."""
    if status != Status.IN_REVIEW:
        raise Conflict(
            f"This request is {status.label.lower()}, so there's nothing to decide.",
            next_step="Reload the page.",
        )


def asked_by(requester: str, *, by_system: bool) -> dict[str, list[str]]:
    """Whose work a request is on its own, as uuids by part."""
    return {"requester": [] if by_system else [requester]}


def waiting_sentence(step: Step | None) -> str:
    """Whose turn it is, for someone whose turn it is not."""
    if step is None:
        return "All steps are decided."
    article = "an" if step.role.label[0] in "AMO" else "a"
    return f"Waiting for {article} {step.role.label}: {step.title.lower()}."
