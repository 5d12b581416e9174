"""What people and programs say of an answer."""

from __future__ import annotations

from difflib import get_close_matches
from uuid import UUID

from django.db import transaction
from django.db.models import F

from lifecycle.refusals import NotReady, Refused
from monitoring.traffic import queries
from monitoring.traffic.models import Feedback, MinuteRollup, Prediction
from registry.access import policy
from registry.access.models import User
from registry.ledger.actions import record
from registry.ledger.verbs import Verb


@transaction.atomic
def record_feedback(*, prediction_id: UUID, right: bool, label: str, actor: User) -> Feedback:
    """Say that an answer was right, or wrong and what would be right. The newest word counts; the same word twice is one.

    label: one of the version's labels, where the answer was wrong and the right one is known; else empty.
    Raises NotReady (not taken in yet), PermissionDenied or Refused (unknown label, an answer that was never given).
    """
    prediction = queries.find(actor, prediction_id)
    if prediction is None:
        raise NotReady(
            "This prediction is not known yet, or not to you.", next_step="Predictions arrive within seconds; send the feedback again."
        )
    prediction = (
        Prediction.objects.select_for_update(of=("self",)).select_related("endpoint__model__project", "version").get(pk=prediction.pk)
    )
    policy.require(actor, "traffic.record_feedback", prediction)
    check_label(prediction, right, label)
    before = queries.newest_feedback(prediction)
    if before and (before.right, before.label) == (right, label):
        return before
    feedback = Feedback.objects.create(prediction=prediction, user=actor, right=right, label=label, is_demo=prediction.is_demo)
    count(prediction, before, right)
    project = prediction.endpoint.model.project.uuid
    record(actor, Verb.FEEDBACK_RECORDED, feedback, project=project, prediction=prediction.uuid, right=right, label=label)
    return feedback


def check_label(prediction: Prediction, right: bool, label: str) -> None:
    """Raises Refused for a label that the version does not know, and for words on an answer that was never given."""
    if prediction.version is None or not prediction.label:
        raise Refused("This request got no answer, so there is nothing to call right or wrong.")
    if right and label and label != prediction.label:
        raise Refused("A right answer has the label it was given.", fields={"label": ["Leave it empty, or say that the answer was wrong."]})
    known = queries.labels_of(prediction.version)
    if label and known and label not in known:
        near = get_close_matches(label, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise Refused(
            f"Label {label!r} is not one of this version's labels.{hint}", fields={"label": ["Choose one of the version's labels."]}
        )
    if not right and label == prediction.label:
        raise Refused("That is the label it was given.", fields={"label": ["Choose another label, or say that the answer was right."]})


def count(prediction: Prediction, before: Feedback | None, right: bool) -> None:
    """Keep the minute's counts of right and wrong: a changed mind moves from one to the other."""
    minute = prediction.at.replace(second=0, microsecond=0)
    rows = MinuteRollup.objects.filter(endpoint=prediction.endpoint_id, version=prediction.version_id, minute=minute)
    changed_mind = before is not None and before.right != right
    if before is None or changed_mind:
        field, other = ("right", "wrong") if right else ("wrong", "right")
        rows.update(**{field: F(field) + 1, **({other: F(other) - 1} if changed_mind else {})})
