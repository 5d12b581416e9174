"""What a token may be good for. The scope of a change is that of its room; what moves production is in none
that a token has on its own.
"""

from __future__ import annotations

from django.db.models import TextChoices


class Scope(TextChoices):
    """A group of actions. Approving, rejecting, deciding on retraining and giving roles are in none: they are
    for people.
    """

    READ = "read", "read everything its owner can read"
    LABEL = "label", "upload data, annotate, adjudicate, scan, create dataset versions"
    TRAIN = "train", "start and stop runs and evaluations, cancel jobs, measure drift, propose retraining"
    REQUEST = "request", "register versions, edit model cards, request promotions"
    DEPLOY = (
        "deploy",
        "deploy, roll back, quarantine, freeze, steer rollouts, change and silence alerts, inject faults",
    )
    INFER = "infer", "request predictions"
    FEEDBACK = "feedback", "send feedback and outcomes"


ROOMS = {
    "datasets": Scope.LABEL,
    "schemas": Scope.LABEL,
    "prelabels": Scope.LABEL,
    "queues": Scope.LABEL,
    "quality": Scope.LABEL,
    "review": Scope.LABEL,
    "exchange": Scope.LABEL,
    "assist": Scope.LABEL,
    "scanning": Scope.LABEL,
    "snapshots": Scope.LABEL,
    "training": Scope.TRAIN,
    "evaluation": Scope.TRAIN,
    "jobs": Scope.TRAIN,
    "drift": Scope.TRAIN,
    "retraining": Scope.TRAIN,
    "catalog": Scope.REQUEST,
    "promotions": Scope.REQUEST,
    "endpoints": Scope.DEPLOY,
    "rollouts": Scope.DEPLOY,
    "alerts": Scope.DEPLOY,
    "traffic": Scope.FEEDBACK,
}
ACTIONS = {  # unlike their room
    "catalog.freeze": Scope.DEPLOY,
    "catalog.quarantine": Scope.DEPLOY,
    "traffic.define_kpi": Scope.REQUEST,
    "catalog.download": Scope.READ,  # has a file made that its owner can read, and changes nothing
}


def needed(room: str, action: str) -> Scope | None:
    """The scope that a token needs for a change; None in a room where tokens change nothing. room: whose
    address it is; action: what it needs of the person, or "signed_in".
    """
    return ACTIONS.get(action) or ROOMS.get(room)
