"""Accept unanimous items in bulk after checking a sample."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.queues import rules
from datasets_app.queues.actions.agreed import stop_waiting
from datasets_app.queues.actions.settling import BY_RULE, settle, with_named
from datasets_app.queues.models.agreed import Agreed
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.queues.queries.answers import answers_in
from datasets_app.queues.queries.decisions import standing_answers
from datasets_app.review.models import Sampled, SpotCheck
from datasets_app.review.queries.checks import counted_checks, earlier_of, sample_of
from datasets_app.schemas.queries.changes import labels_now
from datasets_app.schemas.queries.labels import value_of
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.values import stored
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import accounts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

KIND = "review.accept"
LARGEST = 500  # items of a sample
BATCH = 500  # items accepted in one transaction
State, ACCEPTED = SpotCheck.State, Decision.How.ACCEPTED


@transaction.atomic
def start_check(*, queue_id: UUID, actor: User, size: int, tolerated: int) -> SpotCheck:
    """Draw a random sample of the items waiting for acceptance, without those that this adjudicator
    annotated.

    size: of the sample, 1 to 500; all waiting items if there are fewer. tolerated: percent of the sample that
    may be wrong, 0 to 50; also of it and the earlier samples that count, together. Items that earlier samples
    left unjudged come first. Raises PermissionDenied, Refused that names the field (out of range, nothing to
    check for this adjudicator), or Conflict (a check is in progress).
    """
    queue = locked(queue_id)
    policy.require(actor, "labeling.adjudicate", queue)
    problems = {}
    if not 1 <= size <= LARGEST:
        problems["size"] = [f"A sample has 1 to {LARGEST} items."]
    if not 0 <= tolerated <= 50:
        problems["tolerated"] = ["The tolerated error rate must be between 0 and 50 %."]
    if problems:
        raise Refused("The sample wasn't drawn.", next_step=next(iter(problems.values()))[0], fields=problems)
    if under_way := queue.checks.filter(state=State.OPEN).select_related("created_by").first():
        raise Conflict(
            f"{under_way.created_by} is already checking a sample of {queue.name}.",
            next_step="Finish or drop that check first.",
        )
    before = counted_checks(queue)
    earlier = earlier_of(before)
    newest = Agreed.objects.filter(queue=queue).order_by("-id").values_list("pk", flat=True).first()
    drawn = draw(queue, actor, size, before) if newest else {}
    if newest is None or not drawn:
        raise Refused(
            "No agreed item is left that you haven't annotated yourself.",
            next_step="Wait for more annotations, or ask another adjudicator.",
        )
    check = SpotCheck.objects.create(
        queue=queue,
        waiting=queue.items_agreed,
        last=newest,
        tolerated=tolerated,
        created_by=actor,
        earlier_judged=earlier.judged,
        earlier_wrong=earlier.wrong,
    )
    Sampled.objects.bulk_create(
        [Sampled(check_of=check, item_id=item, agreed_id=agreed) for item, agreed in drawn.items()]
    )
    project = queue.dataset.project.uuid
    ledger.record(
        actor,
        Verb.CHECK_STARTED,
        check,
        project=project,
        queue=queue.uuid,
        size=len(drawn),
        tolerated=tolerated,
    )
    return check


def locked(queue_id: UUID) -> Queue:
    """The queue, locked against other checks until the transaction ends."""
    return (
        Queue.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project", "schema")
        .get(uuid=queue_id)
    )


def draw(queue: Queue, actor: User, size: int, before: QuerySet[SpotCheck]) -> dict[int, int]:
    """Up to `size` waiting items that the actor hasn't annotated, with the keys of their rows.

    First those that earlier checks drew and left unjudged, so that skipping items that look wrong doesn't
    help; then by random place, from a random start, wrapping around. At most 1,000 of each are read.
    """
    start = secrets.randbelow(rules.RANGE)
    rows = Agreed.objects.filter(queue=queue).order_by("place", "id").values_list("item_id", "pk")
    left = rows.filter(item__in=Sampled.objects.filter(check_of__in=before, right=None).values("item"))
    found: dict[int, int] = {}
    for part in (left, rows.filter(place__gte=start), rows.filter(place__lt=start)):
        if len(found) < size:
            some = dict(part[: 2 * LARGEST])
            own = set(
                standing_answers().filter(user=actor, item_id__in=some).values_list("item_id", flat=True)
            )
            found |= {item: agreed for item, agreed in some.items() if item not in own}
    return dict(islice(found.items(), size))


@transaction.atomic
def drop_check(*, check_id: UUID, actor: User) -> SpotCheck:
    """End a check without accepting anything; the resolved label in it stays. Raises PermissionDenied or
    Conflict (it has ended).
    """
    check = open_check(check_id, actor)
    check.state, check.ended_at = State.DROPPED, timezone.now()
    check.save(update_fields=["state", "ended_at"])
    ledger.record(
        actor, Verb.CHECK_DISCARDED, check, project=check.queue.dataset.project.uuid, queue=check.queue.uuid
    )
    return check


@transaction.atomic
def accept_check(*, check_id: UUID, actor: User) -> Job:
    """Start a job that accepts all items that waited when the sample was drawn and still do.

    Raises PermissionDenied, Refused (part of the sample wasn't reviewed, or too much of it was wrong), or
    Conflict.
    """
    check = open_check(check_id, actor)
    found = sample_of(check)
    if found.left:
        raise Refused(
            f"{found.left} of the sample's {found.size} items haven't been reviewed.",
            next_step="Resolve them first.",
        )
    if found.too_wrong:
        together = (
            f", with earlier samples {found.together.wrong} of {found.together.judged}"
            if found.earlier.judged
            else ""
        )
        message = (
            f"{found.wrong} of {found.size} items were wrong{together}; the limit is {check.tolerated} %."
        )
        raise Refused(
            message,
            next_step=(
                "Drop the check and discuss the errors with the annotators. This sample also counts in the"
                " next check."
            ),
        )
    check.state, check.ended_at = State.ACCEPTED, timezone.now()
    check.save(update_fields=["state", "ended_at"])
    project = check.queue.dataset.project
    ledger.record(
        actor,
        Verb.CHECK_ACCEPTED,
        check,
        project=project.uuid,
        queue=check.queue.uuid,
        size=found.size,
        wrong=found.wrong,
        tolerated=check.tolerated,
        waiting=check.waiting,
        earlier_judged=found.earlier.judged,
        earlier_wrong=found.earlier.wrong,
    )
    return jobs.enqueue(
        KIND,
        actor=actor,
        project=project,
        args={"check": str(check.uuid), "queue": str(check.queue.uuid)},
        subject=check.queue,
    )


def open_check(check_id: UUID, actor: User) -> SpotCheck:
    """The check, which the actor may end. Raises PermissionDenied or Conflict."""
    queue = locked(SpotCheck.objects.values_list("queue__uuid", flat=True).get(uuid=check_id))
    policy.require(actor, "labeling.adjudicate", queue)
    check = queue.checks.get(uuid=check_id)
    check.queue = queue
    if check.state != State.OPEN:
        raise Conflict(
            f"This check is already {check.get_state_display().lower()}.", next_step="Reload the page."
        )
    return check


def judge_sampled(queue: Queue, item: Item, *, right: bool) -> None:
    """Remove an item that an adjudicator judged from the waiting ones, and record it in the current sample.
    Callers hold its lock.
    """
    if stop_waiting(queue, item):
        in_open_sample(queue, item).update(right=right)


def reset_judgment(queue: Queue, item: Item) -> None:
    """Undo the judgment of a sampled item, after it was updated: it stays in the sample if it waits again."""
    judged = in_open_sample(queue, item).filter(right__isnull=False)
    judged.update(right=None, agreed=Agreed.objects.filter(queue=queue, item=item).values("pk")[:1])


def in_open_sample(queue: Queue, item: Item) -> QuerySet[Sampled]:
    """The item's row in the sample of the open check, if any."""
    return Sampled.objects.filter(check_of__queue=queue, check_of__state=SpotCheck.State.OPEN, item=item)


def run_accept(ctx: JobContext) -> None:
    """Job: label the waiting items in batches that commit with their event. Safe to run again."""
    check = SpotCheck.objects.select_related("queue__dataset__project", "queue__schema").get(
        uuid=ctx.args["check"]
    )
    actor = accepter(ctx, check)
    after = int(ctx.job.checkpoint.get("after", 0)) if ctx.job.checkpoint else 0
    waiting = Agreed.objects.filter(queue=check.queue, pk__lte=check.last).order_by("id")
    while batch := list(waiting.filter(pk__gt=after).values_list("pk", "item_id")[:BATCH]):
        ctx.raise_if_cancelled()
        with transaction.atomic():
            accept_batch(check, actor, [item for _, item in batch])
            after = batch[-1][0]
            ctx.checkpoint({"after": after})
        check.refresh_from_db(fields=["accepted", "left_out"])
        ctx.progress(check.accepted + check.left_out, check.waiting, stage="Accepting labels", unit="items")


def accepter(ctx: JobContext, check: SpotCheck) -> User:
    """Who accepted the items of a check. Raises Refused if the job and the audit log disagree."""
    actor = ctx.job.created_by
    events = accounts.events_about(check.uuid, {Verb.CHECK_ACCEPTED})
    if actor is None or [event.actor for event in events] != [str(actor.uuid)]:
        raise Refused("The audit log doesn't show who accepted this sample.", next_step="Draw a new sample.")
    return actor


def accept_batch(check: SpotCheck, actor: User, item_ids: Sequence[int]) -> None:
    """Label these items with their unanimous value, except those that the adjudicator annotated and those no
    longer waiting.
    """
    queue = check.queue
    slots = (
        Slot.objects.select_for_update(of=("self",))
        .filter(queue=queue, item_id__in=item_ids, is_gold=False)
        .order_by("id")
    )
    of_item: dict[int, list[Slot]] = {}
    for slot in slots.select_related("annotation__label"):  # first, since the rest needs these locks
        of_item.setdefault(slot.item_id, []).append(slot)
    waiting = Agreed.objects.filter(queue=queue, item_id__in=item_ids)
    rows = {row.item_id: row for row in waiting.select_related("item__dataset__project")}
    own = set(standing_answers().filter(user=actor, item_id__in=rows).values_list("item_id", flat=True))
    ends = {row.item_id: row for row in Decision.objects.filter(item_id__in=rows, superseded_by__isnull=True)}
    answers_of = by_item(slot for found in of_item.values() for slot in found)
    known = with_named(labels_now(queue.schema), [value_of(answers[0]) for answers in answers_of.values()])
    made: list[tuple[Decision, list[Annotation]]] = []
    for item_id, row in sorted(rows.items()):
        if item_id in own:
            continue
        answers, before = answers_of[item_id], ends.get(item_id)
        value = value_of(answers[0])
        if contradicts(before, value):
            settle(queue, row.item, of_item[item_id])  # labeled differently since: for an adjudicator
            continue
        digest = rules.decision_digest(
            item=row.item.digest,
            value=value,
            names={key: each.name for key, each in known.items()},
            how=ACCEPTED,
            by=actor.uuid,
            supersedes=before.digest if before else "",
        )
        decision = Decision(
            item=row.item,
            **stored(value, known),
            queue=queue,
            how=ACCEPTED,
            by=actor,
            supersedes=before,
            digest=digest,
        )
        made.append((decision, answers))
    Decision.objects.bulk_create([decision for decision, _ in made])
    based_on = Decision.annotations.through
    based_on.objects.bulk_create(
        [based_on(decision=decision, annotation=answer) for decision, answers in made for answer in answers]
    )
    waiting.filter(item_id__in=[decision.item_id for decision, _ in made]).delete()
    fresh = sum(1 for decision, _ in made if not is_counted(ends.get(decision.item_id), queue))
    Queue.objects.filter(pk=queue.pk).update(
        items_agreed=F("items_agreed") - len(made), items_labeled=F("items_labeled") + fresh
    )
    SpotCheck.objects.filter(pk=check.pk).update(
        accepted=F("accepted") + len(made), left_out=F("left_out") + len(own)
    )
    if made:
        digest = hashlib.sha256(b"".join(bytes.fromhex(decision.digest) for decision, _ in made)).hexdigest()
        ledger.record(
            actor,
            Verb.LABELS_ACCEPTED,
            check,
            project=queue.dataset.project.uuid,
            queue=queue.uuid,
            rows=len(made),
            digest=digest,
        )


def contradicts(before: Decision | None, value: Value) -> bool:
    """Whether a person or an import resolved the item differently, which acceptance never overrides."""
    held = before is not None and before.how not in (*BY_RULE, Decision.How.WITHDRAWN)
    return held and before is not None and value_of(before) != value


def by_item(slots: Iterable[Slot]) -> dict[int, list[Annotation]]:
    """The current annotations in these slots, by item."""
    found: dict[int, list[Annotation]] = {}
    for answer in answers_in(slots):
        found.setdefault(answer.item_id, []).append(answer)
    return found


def is_counted(before: Decision | None, queue: Queue) -> bool:
    """Whether the queue already counts the item as labeled."""
    return before is not None and before.how != Decision.How.WITHDRAWN and before.queue_id == queue.pk
