"""What follows when the answers of an item change: agreement is decided by rule, disagreement becomes a dispute. Under the item's lock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.queues import rules
from datasets_app.queues.actions.agreed import wait_for_acceptance, wait_no_more
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
    """The slots of an item in a queue, locked in the order of their keys, with answers. Changes of an item's annotations need this lock.

    Slots of gold need no answer and are left out, but for those of the person whose own answer, skip or undo it is about.
    """
    theirs = Q(is_gold=False) | Q(user=gold_of) if gold_of else Q(is_gold=False)
    slots = Slot.objects.select_for_update(of=("self",)).filter(theirs, queue=queue, item=item).order_by("id")
    return list(slots.select_related("annotation__label"))


def lock_item_of(queue: Queue, slot_id: int, *, gold_of: User) -> list[Slot]:
    """As `lock_item`, for the item of one slot, and each slot with it; none where the queue has no such slot."""
    item = Item.objects.filter(slots__pk=slot_id, slots__queue=queue).first()
    slots = lock_item(queue, item, gold_of=gold_of) if item else []
    for slot in slots:
        slot.item = item  # type: ignore[assignment]  # there is one where there are slots
    return slots


def settle(queue: Queue, item: Item, slots: list[Slot]) -> Decision | None:
    """Update label, dispute, and counters of an item from its slots. Returns the automatic label, if one was made.

    An automatic label never overrides a person: if an adjudicated or imported label differs, the item becomes disputed.
    """
    states = [slot.state for slot in slots]
    answers = answers_in(slots) if rules.is_complete(states) else []
    verdict = rules.judge(states, [value_of(answer) for answer in answers])
    dispute = Dispute.objects.select_for_update().filter(queue=queue, item=item, state=Dispute.State.OPEN).first()
    current = newest_decision(item.pk)
    if current and current.how in BY_REVIEWER and current.queue_id == queue.pk:
        return None  # settled here: what still comes in is kept, and changes nothing
    if not verdict.complete:
        end_dispute(queue, dispute, Dispute.State.VANISHED)
        wait_no_more(queue, item)
        withdraw_rule(queue, item, current)
        return None
    if verdict.value is None:
        wait_no_more(queue, item)
        withdraw_rule(queue, item, current)
        dispute_item(queue, item, dispute, verdict)
        return None
    return decide_by_rule(queue, item, answers, current, dispute, verdict)


def decide_by_rule(
    queue: Queue, item: Item, answers: list[Annotation], current: Decision | None, dispute: Dispute | None, verdict: rules.Verdict
) -> Decision | None:
    """All needed annotations agree: save the label unless this queue already has it, or leave it to an adjudicator."""
    said = value_of(answers[0])
    held = value_of(current) if current is not None and current.how != How.WITHDRAWN else None
    if held is not None and current is not None and held != said and current.how not in BY_RULE:
        against = rules.judge([SlotState.DONE, SlotState.DONE], [said, held])
        wait_no_more(queue, item)
        dispute_item(queue, item, dispute, against)
        return None
    end_dispute(queue, dispute, Dispute.State.VANISHED)
    if held == said and current is not None and current.queue_id == queue.pk:
        return None
    if queue.acceptance == Queue.Acceptance.REVIEWER:
        wait_for_acceptance(queue, item)
        return None
    how = How.SINGLE if len(answers) == 1 else How.UNANIMOUS
    labels = labels_for(queue, answers[0])
    decision = write_decision(item=item, value=said, labels=labels, queue=queue, how=how, answers=answers, current=current)
    record(decision, Verb.DECISIONS_BY_RULE, None, queue, answers=len(answers))
    return decision


def labels_for(queue: Queue, row: Annotation | Decision) -> Mapping[str, Label]:
    """The classes that an answer or a decision names, by their stable ids, those that the queue's schema lacks by their newest version."""
    return {str(row.label.stable_id): row.label} if row.label else with_named(labels_by_id(queue.schema), [value_of(row)])


def with_named(labels: Mapping[str, Label], said: Iterable[Value]) -> dict[str, Label]:
    """These classes, and those that the values name beside them: of other versions, as the newest of these writes each."""
    missing = {UUID(key) for value in said for key in labels_of(value)} - {label.stable_id for label in labels.values()}
    return {**labels, **{str(key): label for key, label in newest_labels(missing).items()}}


def write_decision(
    *, item: Item, value: Value, labels: Mapping[str, Label], queue: Queue | None, how: str, current: Decision | None,
    answers: Iterable[Annotation] = (), by: User | None = None, reason: str = "",
) -> Decision:  # fmt: skip
    """Append a decision after `current`, with its digest, and count it in its queue. labels: the classes that value names, by stable id."""
    digest = rules.decision_digest(
        item=item.digest,
        value=value,
        names={key: label.name for key, label in labels.items()},
        how=how,
        by=by.uuid if by else None,
        supersedes=current.digest if current else "",
    )
    decision = Decision.objects.create(
        item=item, **stored(value, labels), queue=queue, how=how, by=by, reason=reason, supersedes=current, digest=digest
    )
    rests_on = Decision.annotations.through
    rests_on.objects.bulk_create([rests_on(decision=decision, annotation=answer) for answer in answers])
    counted = current is not None and current.how != How.WITHDRAWN and current.queue_id == decision.queue_id
    if queue is not None and how != How.WITHDRAWN and not counted:
        Queue.objects.filter(pk=queue.pk).update(items_decided=F("items_decided") + 1)
    if queue is not None and how == How.WITHDRAWN and counted:
        Queue.objects.filter(pk=queue.pk).update(items_decided=F("items_decided") - 1)
    return decision


def withdraw_rule(queue: Queue, item: Item, current: Decision | None) -> None:
    """Take back a decision by rule of this queue whose annotations are no longer current."""
    if current is None or current.queue_id != queue.pk or current.how not in BY_RULE:
        return
    withdrawn = write_decision(
        item=item, value=value_of(current), labels=labels_for(queue, current), queue=queue, how=How.WITHDRAWN, current=current,
        reason="Its annotations changed.",
    )  # fmt: skip
    record(withdrawn, Verb.DECISIONS_BY_RULE, None, queue, withdraws=current.digest)


def dispute_item(queue: Queue, item: Item, dispute: Dispute | None, verdict: rules.Verdict) -> None:
    """Open a dispute, or update the open one."""
    if dispute is not None:
        dispute.pair, dispute.answers = verdict.pair, verdict.answers
        dispute.save(update_fields=["pair", "answers"])
        return
    Dispute.objects.create(queue=queue, item=item, pair=verdict.pair, answers=verdict.answers)
    Queue.objects.filter(pk=queue.pk).update(items_disputed=F("items_disputed") + 1, disputes_total=F("disputes_total") + 1)


def end_dispute(queue: Queue, dispute: Dispute | None, state: Dispute.State, decision: Decision | None = None) -> None:
    """An open dispute ends; one that vanished was none."""
    if dispute is None:
        return
    dispute.state, dispute.decision, dispute.ended_at = state, decision, timezone.now()
    dispute.save(update_fields=["state", "decision", "ended_at"])
    vanished = int(state != Dispute.State.SETTLED)
    Queue.objects.filter(pk=queue.pk).update(items_disputed=F("items_disputed") - 1, disputes_total=F("disputes_total") - vanished)


def record(decision: Decision, verb: Verb, actor: User | None, queue: Queue | None, **payload: object) -> None:
    """The event of one decision, in the same transaction. What people wrote is in it as a digest alone."""
    said = {"label": decision.label.stable_id} if decision.label else {"value": value_digest(value_of(decision))}
    ledger.record(
        actor, verb, decision, project=decision.item.dataset.project.uuid, item=decision.item.digest, **said,
        how=decision.how, digest=decision.digest, queue=queue.uuid if queue else None, **payload,
    )  # fmt: skip


def value_digest(value: Value) -> str:
    """sha256, in hex, over the canonical value."""
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()
