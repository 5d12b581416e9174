"""Update an item after its annotations change: agreement becomes its label, disagreement a dispute. Callers
hold the item's lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.queues import rules
from datasets_app.queues.actions.agreed import stop_waiting, wait_for_acceptance
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Decision, Dispute
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.queues.queries.answers import answers_in
from datasets_app.queues.queries.decisions import newest_decision
from datasets_app.queues.rules import SlotState
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.changes import newest_labels
from datasets_app.schemas.queries.labels import labels_by_id, value_of
from lifecycle.runtime.task_types.answers import Value, canonical
from lifecycle.runtime.task_types.values import labels_of, stored
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

How = Decision.How
BY_RULE = (How.SINGLE, How.UNANIMOUS)
BY_REVIEWER = (How.ADJUDICATED, How.ACCEPTED)


def lock_item(queue: Queue, item: Item, *, gold_of: User | None = None) -> list[Slot]:
    """The slots of an item in a queue with their annotations, locked by key. Changing an item's annotations
    needs this lock.

    Gold slots are left out, except those of `gold_of`, the person who annotates, skips, or undoes.
    """
    theirs = Q(is_gold=False) | Q(user=gold_of) if gold_of else Q(is_gold=False)
    slots = Slot.objects.select_for_update(of=("self",)).filter(theirs, queue=queue, item=item).order_by("id")
    return list(slots.select_related("annotation__label"))


def lock_item_of(queue: Queue, slot_id: int, *, gold_of: User) -> list[Slot]:
    """As `lock_item` for the item of one slot, with `item` set on each slot; empty if the queue has no such
    slot.
    """
    item = Item.objects.filter(slots__pk=slot_id, slots__queue=queue).first()
    slots = lock_item(queue, item, gold_of=gold_of) if item else []
    for slot in slots:
        slot.item = item  # type: ignore[assignment]  # there is one where there are slots
    return slots


def settle(queue: Queue, item: Item, slots: list[Slot]) -> Decision | None:
    """Update label, dispute, and counters of an item from its slots. Returns the automatic label, if one was
    made.

    An automatic label never overrides a person: if an adjudicated or imported label differs, the item becomes
    disputed.
    """
    states = [slot.state for slot in slots]
    answers = answers_in(slots) if rules.is_complete(states) else []
    verdict = rules.judge(states, [value_of(answer) for answer in answers])
    dispute = (
        Dispute.objects.select_for_update().filter(queue=queue, item=item, state=Dispute.State.OPEN).first()
    )
    current = newest_decision(item.pk)
    if current and current.how in BY_REVIEWER and current.queue_id == queue.pk:
        return None  # resolved here: later annotations are kept but change nothing
    if not verdict.complete:
        end_dispute(queue, dispute, Dispute.State.VANISHED)
        stop_waiting(queue, item)
        withdraw_rule(queue, item, current)
        return None
    if verdict.value is None:
        stop_waiting(queue, item)
        withdraw_rule(queue, item, current)
        dispute_item(queue, item, dispute, verdict)
        return None
    return decide_by_rule(queue, item, answers, current, dispute, verdict)


def decide_by_rule(
    queue: Queue,
    item: Item,
    answers: list[Annotation],
    current: Decision | None,
    dispute: Dispute | None,
    verdict: rules.Verdict,
) -> Decision | None:
    """All needed annotations agree: save the label unless this queue already has it, or leave it to an
    adjudicator.
    """
    value = value_of(answers[0])
    held = value_of(current) if current is not None and current.how != How.WITHDRAWN else None
    if held is not None and current is not None and held != value and current.how not in BY_RULE:
        against = rules.judge([SlotState.DONE, SlotState.DONE], [value, held])
        stop_waiting(queue, item)
        dispute_item(queue, item, dispute, against)
        return None
    end_dispute(queue, dispute, Dispute.State.VANISHED)
    if held == value and current is not None and current.queue_id == queue.pk:
        return None
    if queue.acceptance == Queue.Acceptance.REVIEWER:
        wait_for_acceptance(queue, item)
        return None
    how = How.SINGLE if len(answers) == 1 else How.UNANIMOUS
    labels = labels_for(queue, answers[0])
    decision = write_decision(
        item=item, value=value, labels=labels, queue=queue, how=how, answers=answers, current=current
    )
    record(decision, Verb.UNANIMOUS_RESOLVED, None, queue, answers=len(answers))
    return decision


def labels_for(queue: Queue, row: Annotation | Decision) -> Mapping[str, Label]:
    """The labels that an annotation or a decision uses, by stable id; in their newest version if the queue's
    schema lacks them.
    """
    return (
        {str(row.label.stable_id): row.label}
        if row.label
        else with_named(labels_by_id(queue.schema), [value_of(row)])
    )


def with_named(labels: Mapping[str, Label], values: Iterable[Value]) -> dict[str, Label]:
    """These labels, and those that the values use besides, each in its newest version."""
    missing = {UUID(key) for value in values for key in labels_of(value)} - {
        label.stable_id for label in labels.values()
    }
    return {**labels, **{str(key): label for key, label in newest_labels(missing).items()}}


def write_decision(
    *,
    item: Item,
    value: Value,
    labels: Mapping[str, Label],
    queue: Queue | None,
    how: str,
    current: Decision | None,
    answers: Iterable[Annotation] = (),
    by: User | None = None,
    reason: str = "",
) -> Decision:
    """Append a decision after `current`, with its digest, and count it in its queue. labels: those that the
    value uses, by stable id.
    """
    digest = rules.decision_digest(
        item=item.digest,
        value=value,
        names={key: label.name for key, label in labels.items()},
        how=how,
        by=by.uuid if by else None,
        supersedes=current.digest if current else "",
    )
    decision = Decision.objects.create(
        item=item,
        **stored(value, labels),
        queue=queue,
        how=how,
        by=by,
        reason=reason,
        supersedes=current,
        digest=digest,
    )
    based_on = Decision.annotations.through
    based_on.objects.bulk_create([based_on(decision=decision, annotation=answer) for answer in answers])
    counted = current is not None and current.how != How.WITHDRAWN and current.queue_id == decision.queue_id
    if queue is not None and how != How.WITHDRAWN and not counted:
        Queue.objects.filter(pk=queue.pk).update(items_labeled=F("items_labeled") + 1)
    if queue is not None and how == How.WITHDRAWN and counted:
        Queue.objects.filter(pk=queue.pk).update(items_labeled=F("items_labeled") - 1)
    return decision


def withdraw_rule(queue: Queue, item: Item, current: Decision | None) -> None:
    """Withdraw an automatic label of this queue whose annotations are no longer current."""
    if current is None or current.queue_id != queue.pk or current.how not in BY_RULE:
        return
    withdrawn = write_decision(
        item=item,
        value=value_of(current),
        labels=labels_for(queue, current),
        queue=queue,
        how=How.WITHDRAWN,
        current=current,
        reason="Its annotations changed.",
    )
    record(withdrawn, Verb.UNANIMOUS_RESOLVED, None, queue, withdraws=current.digest)


def dispute_item(queue: Queue, item: Item, dispute: Dispute | None, verdict: rules.Verdict) -> None:
    """Open a dispute, or update the open one."""
    if dispute is not None:
        dispute.pair, dispute.answers = verdict.pair, verdict.answers
        dispute.save(update_fields=["pair", "answers"])
        return
    Dispute.objects.create(queue=queue, item=item, pair=verdict.pair, answers=verdict.answers)
    Queue.objects.filter(pk=queue.pk).update(
        items_disputed=F("items_disputed") + 1, disputes_total=F("disputes_total") + 1
    )


def end_dispute(
    queue: Queue, dispute: Dispute | None, state: Dispute.State, decision: Decision | None = None
) -> None:
    """End an open dispute; one that vanished isn't counted as a disagreement."""
    if dispute is None:
        return
    dispute.state, dispute.decision, dispute.ended_at = state, decision, timezone.now()
    dispute.save(update_fields=["state", "decision", "ended_at"])
    vanished = int(state != Dispute.State.SETTLED)
    Queue.objects.filter(pk=queue.pk).update(
        items_disputed=F("items_disputed") - 1, disputes_total=F("disputes_total") - vanished
    )


def record(
    decision: Decision, verb: Verb, actor: User | None, queue: Queue | None, **payload: object
) -> None:
    """Record one decision in the audit log, in the same transaction. Written values are included only as a
    digest.
    """
    label = (
        {"label": decision.label.stable_id} if decision.label else {"value": value_digest(value_of(decision))}
    )
    ledger.record(
        actor,
        verb,
        decision,
        project=decision.item.dataset.project.uuid,
        item=decision.item.digest,
        **label,
        how=decision.how,
        digest=decision.digest,
        queue=queue.uuid if queue else None,
        **payload,
    )


def value_digest(value: Value) -> str:
    """sha256, in hex, over the canonical value."""
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()
