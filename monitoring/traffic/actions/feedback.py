"""What people and programs say of an answer."""

from __future__ import annotations

from dataclasses import dataclass
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
from registry.ledger.rules import digest_of
from registry.ledger.verbs import Verb

BATCH_MAX = 1000


@dataclass(frozen=True)
class Word:
    """What somebody says of one prediction. label: the right one, where the answer was wrong and it is known; else empty."""

    prediction: UUID
    right: bool
    label: str = ""


@transaction.atomic
def record_feedback(*, prediction_id: UUID, right: bool, label: str, actor: User) -> Feedback:
    """Say that an answer was right, or wrong and what would be right. The newest word counts; the same word twice is one.

    label: one of the version's labels, where the answer was wrong and the right one is known; else empty.
    Raises NotReady (not taken in yet), PermissionDenied or Refused (unknown label, an answer that was never given).
    """
    feedback, is_new = say(Word(prediction_id, right, label), actor)
    if is_new:
        record(
            actor, Verb.FEEDBACK_RECORDED, feedback, project=feedback.prediction.endpoint.model.project.uuid, prediction=prediction_id,
            right=right, label=label,
        )  # fmt: skip
    return feedback


@transaction.atomic
def record_many(*, words: list[Word], actor: User) -> list[Feedback]:
    """Say something of many predictions at once, all or nothing, with one event for each project and a digest of what was said.

    Raises as record_feedback does; nothing is kept then. At most 1,000 words.
    """
    if not 0 < len(words) <= BATCH_MAX:
        raise Refused(f"A batch holds 1 to {BATCH_MAX:,} predictions.", next_step="Send it in parts.")
    said = [say(word, actor) for word in sorted(words, key=lambda word: word.prediction)]
    fresh: dict[UUID, list[Feedback]] = {}
    for feedback, is_new in said:
        if is_new:
            fresh.setdefault(feedback.prediction.endpoint.model.project.uuid, []).append(feedback)
    for project, rows in sorted(fresh.items()):
        digest = digest_of([[str(row.prediction.uuid), row.right, row.label] for row in rows])
        record(actor, Verb.FEEDBACK_RECORDED, rows[0], project=project, count=len(rows), digest=digest)
    return [feedback for feedback, _ in said]


def say(word: Word, actor: User) -> tuple[Feedback, bool]:
    """One word in the caller's transaction, and whether it is new."""
    prediction = queries.find(actor, word.prediction)
    if prediction is None:
        raise NotReady(
            "This prediction is not known yet, or not to you.", next_step="Predictions arrive within seconds; send the feedback again."
        )
    prediction = (
        Prediction.objects.select_for_update(of=("self",)).select_related("endpoint__model__project", "version").get(pk=prediction.pk)
    )
    policy.require(actor, "traffic.record_feedback", prediction)
    check_label(prediction, word.right, word.label)
    before = queries.newest_feedback(prediction)
    if before and (before.right, before.label) == (word.right, word.label):
        return before, False
    feedback = Feedback.objects.create(prediction=prediction, user=actor, right=word.right, label=word.label, is_demo=prediction.is_demo)
    count(prediction, before, word.right)
    return feedback, True


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
