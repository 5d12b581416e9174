"""What people and programs say of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.answers import Labels, Value, canonical
from monitoring.traffic import queries
from monitoring.traffic.actions.deposit import Place, deposit
from monitoring.traffic.actions.ingest import waits_since
from monitoring.traffic.actions.missing import unknown
from monitoring.traffic.counts import Counts
from monitoring.traffic.models import Feedback, Prediction
from monitoring.traffic.rules import BATCH_MAX, MINUTE, FeedbackKind, Source, floor
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb


@dataclass(frozen=True)
class Entry:
    """Feedback on one prediction. label: the correct one, where the prediction was wrong and it is known;
    else empty. value: the correct annotation instead, of a task with more than a label.

    request: the uuid of its request, where the prediction's is derived from it.
    """

    prediction: UUID
    right: bool
    label: str = ""
    kind: str = FeedbackKind.REVIEW
    request: UUID | None = None
    value: Any = None


@transaction.atomic
def record_feedback(
    *,
    prediction_id: UUID,
    right: bool,
    label: str = "",
    value: Any = None,
    actor: User,
    kind: str = FeedbackKind.REVIEW,
    source: str = Source.API,
    request_id: UUID | None = None,
) -> Feedback:
    """Record that a prediction was right, or wrong and what is right. The newest feedback counts; repeated
    feedback is stored once.

    label: one of the version's labels, where the prediction was wrong and the right one is known; else empty.
    value: of other tasks the right annotation, with label names; None where it isn't known. kind: review,
    override, or truth. request_id: of its request, where the prediction's uuid is derived from it. Raises
    NotReady (not ingested yet), PermissionDenied, or Refused (no such prediction, what can't be right, a
    request without a prediction, an override of a correct prediction).
    """
    counts: dict[Place, Counts] = {}
    ((feedback, is_new),) = add_feedback(
        [Entry(prediction_id, right, label, kind, request_id, value)], actor, source, counts
    )
    if is_new:
        deposit(counts, timezone.now())
        record(
            actor,
            Verb.FEEDBACK_RECORDED,
            feedback,
            project=feedback.prediction.endpoint.model.project.uuid,
            prediction=prediction_id,
            right=right,
            label=label,
            kind=str(kind),
            **({"value": frozen(feedback)} if feedback.value else {}),
        )
    return feedback


@transaction.atomic
def record_many(*, entries: list[Entry], actor: User, source: str = Source.API) -> list[Feedback]:
    """Record feedback on many predictions, all or nothing, with one event per project that has a digest of
    the feedback.

    Raises as record_feedback does; nothing is stored then. At most 1,000 entries.
    """
    if not 0 < len(entries) <= BATCH_MAX:
        raise Refused(f"A batch can have 1 to {BATCH_MAX:,} predictions.", next_step="Send it in parts.")
    counts: dict[Place, Counts] = {}
    results = add_feedback(sorted(entries, key=lambda entry: entry.prediction), actor, source, counts)
    if counts:
        deposit(counts, timezone.now())
    fresh: dict[UUID, list[Feedback]] = {}
    for feedback, is_new in results:
        if is_new:
            fresh.setdefault(feedback.prediction.endpoint.model.project.uuid, []).append(feedback)
    for project, rows in sorted(fresh.items()):
        digest = digest_of(
            [
                [
                    str(row.prediction.uuid),
                    row.right,
                    row.label,
                    row.kind,
                    *([frozen(row)] if row.value else []),
                ]
                for row in rows
            ]
        )
        record(actor, Verb.FEEDBACK_RECORDED, rows[0], project=project, count=len(rows), digest=digest)
    return [feedback for feedback, _ in results]


def add_feedback(
    entries: Sequence[Entry], actor: User, source: str, counts: dict[Place, Counts]
) -> list[tuple[Feedback, bool]]:
    """Store feedback in the caller's transaction; returns each with whether it is new. counts collects the
    changes to the figures.
    """
    waits = waits_since()
    predictions = locked(entries, actor)
    newest = latest_feedback(predictions)
    may: set[int] = set()
    results: list[tuple[Feedback, bool]] = []
    for entry in entries:
        prediction = predictions.get(entry.prediction)
        if prediction is None:
            raise unknown(entry.prediction, entry.request, waits)
        if prediction.endpoint_id not in may:
            policy.require(actor, "traffic.record_feedback", prediction)
            may.add(prediction.endpoint_id)
        value = truth(prediction, entry)
        check_kind(entry.kind, entry.right)
        before = newest.get(prediction.pk)
        given = (entry.right, entry.label, value, entry.kind)
        if before and (before.right, before.label, before.value, before.kind) == given:
            results.append((before, False))
            continue
        feedback = newest[prediction.pk] = Feedback(
            prediction=prediction,
            endpoint_id=prediction.endpoint_id,
            predicted_at=prediction.at,
            user=actor,
            kind=entry.kind,
            source=source,
            right=entry.right,
            label=entry.label,
            value=value,
            is_demo=prediction.is_demo,
        )
        place = Place(
            prediction.endpoint_id, prediction.version_id, prediction.arm, floor(prediction.at, MINUTE)
        )
        count(counts.setdefault(place, Counts()), before, feedback)
        results.append((feedback, True))
    Feedback.objects.bulk_create([feedback for feedback, is_new in results if is_new])
    return results


def locked(entries: Sequence[Entry], actor: User) -> dict[UUID, Prediction]:
    """The predictions of these entries that the actor may see, locked in the same order by all writers."""
    keys = (
        queries.visible(actor)
        .filter(uuid__in={entry.prediction for entry in entries})
        .values_list("pk", flat=True)
    )
    rows = Prediction.objects.select_for_update(of=("self",), no_key=True).select_related(
        "endpoint__model__project", "version"
    )
    return {row.uuid: row for row in rows.filter(pk__in=list(keys)).order_by("pk")}


def latest_feedback(predictions: Mapping[UUID, Prediction]) -> dict[int, Feedback]:
    """The newest feedback, by the primary key of its prediction."""
    known = {row.pk: row for row in predictions.values()}
    last = (
        Feedback.objects.filter(prediction__in=known)
        .values("prediction")
        .annotate(last=Max("pk"))
        .values("last")
    )
    found = {}
    for entry in Feedback.objects.filter(pk__in=last):
        entry.prediction = known[entry.prediction_id]
        found[entry.prediction_id] = entry
    return found


def check_kind(kind: str, right: bool) -> None:
    """Raises Refused for an unknown kind, and for an override of a correct prediction."""
    if kind not in FeedbackKind.values:
        raise Refused(
            f"{kind!r} isn't a kind of feedback.",
            fields={"kind": [f"Choose one of {', '.join(FeedbackKind.values)}."]},
        )
    if kind == FeedbackKind.OVERRIDE and right:
        raise Refused(
            "An override means someone decided against the prediction, so it can't be correct.",
            fields={"kind": ["Choose review or truth, or mark the prediction as wrong."]},
        )


def truth(prediction: Prediction, entry: Entry) -> Value | None:
    """The right annotation, in its canonical form; None where it is a label, or not known. Raises Refused for
    one that can't be true, and for a request without a prediction.
    """
    version = prediction.version
    if version is None or not prediction.is_answered:
        raise Refused("This request has no prediction, so it can't have feedback.")
    kind = queries.task_of(version)
    if kind.one_label:
        if entry.value is not None:
            raise Refused(
                "This version predicts a single label.", fields={"value": ["Send the correct one as label."]}
            )
        check_label(prediction, entry.right, entry.label)
        return None
    if entry.label:
        raise Refused(
            f"This version predicts {kind.gives}.",
            fields={"label": ["Send the correct annotation as value."]},
        )
    if entry.value is None:
        return None
    if entry.right:
        raise Refused(
            "A correct prediction keeps its value.",
            fields={"value": ["Leave it empty, or mark the prediction as wrong."]},
        )
    if kind.writes_text and not prediction.endpoint.keep_text:
        raise Refused(
            "This endpoint doesn't store texts, so it can't store the correct response either.",
            fields={"value": ["Leave it empty."]},
        )
    names = queries.labels_of(version)
    item = kind.answers.item_like(prediction.value, prediction.text, prediction.chars)
    value = kind.answers.parse(entry.value, item, Labels({name: name for name in names}))
    if prediction.value is not None and canonical(value) == canonical(prediction.value):
        raise Refused(
            "That's the prediction.",
            fields={"value": ["Give another one, or mark the prediction as correct."]},
        )
    return value


def frozen(feedback: Feedback) -> str:
    """Its value for the audit log, without text that people wrote."""
    version, value = feedback.prediction.version, feedback.value
    return queries.task_of(version).answers.frozen(value) if version and value else ""


def check_label(prediction: Prediction, right: bool, label: str) -> None:
    """Raises Refused for a label that can't be the right one."""
    if right and label and label != prediction.label:
        raise Refused(
            "A correct prediction keeps its label.",
            fields={"label": ["Leave it empty, or mark the prediction as wrong."]},
        )
    known = queries.labels_of(prediction.version) if prediction.version else []
    if label and known and label not in known:
        near = get_close_matches(label, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise Refused(
            f"This version has no label {label!r}.{hint}",
            fields={"label": ["Choose one of the version's labels."]},
        )
    if not right and label == prediction.label:
        raise Refused(
            "That's the predicted label.",
            fields={"label": ["Choose another label, or mark the prediction as correct."]},
        )


def count(counts: Counts, before: Feedback | None, now: Feedback) -> None:
    """Update the counts of right, wrong, and overridden: subtract the feedback that counted so far, add the
    new one.
    """
    for entry, sign in ((before, -1), (now, 1)):
        if entry is not None:
            counts.add_feedback(entry.right, entry.prediction.key, sign)
            counts.overrides += sign * (entry.kind == FeedbackKind.OVERRIDE)
