"""Change a dataset's labels without losing work: rename, merge, split, retire, and move resolved labels
along.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F

from datasets_app.datasets.models import Dataset
from datasets_app.queues import rules
from datasets_app.queues.actions.settling import lock_item, settle
from datasets_app.queues.models.decisions import Decision, Dispute
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.review.queries.moves import (
    MOVE,
    begun,
    bounded,
    decisions_behind,
    disputes_to_settle,
    moves,
    queues_behind,
    to_move,
    ways,
)
from datasets_app.schemas import relabeling
from datasets_app.schemas.actions.proposals import include_proposals, lock_proposals
from datasets_app.schemas.actions.schemas import check_included, spec_of, write_schema
from datasets_app.schemas.models.schemas import Label, LabelChange, LabelSchema
from datasets_app.schemas.queries import changes
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema, value_of
from datasets_app.schemas.relabeling import Change, ChangeKind, Plan
from datasets_app.schemas.rules import check_labels
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.values import labels_of, stored
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

BATCH = 250  # decisions of one transaction, each with the annotations it's based on
REASON = 1_000


def plan_changes(dataset: Dataset, wanted: Sequence[Change], seen: int | None) -> tuple[LabelSchema, Plan]:
    """The current version, and the plan of the next one. Raises Refused (invalid changes) or Conflict
    (published in the meantime).
    """
    if not dataset.task_type.has_labels:
        raise Refused("Annotations of this dataset's task have no labels, so there are none to change.")
    latest = latest_schema(dataset)
    if latest is None:
        raise Refused(f"{dataset} has no labels yet.", next_step="Publish a label schema first.")
    if seen is not None and seen != latest.version:
        message = f"Version {latest.version} was published while you were editing."
        raise Conflict(message, next_step="Review it, then make your change again.")
    planned = relabeling.plan([spec_of(label) for label in labels_by_name(latest).values()], wanted)
    check_labels(planned.labels)
    return latest, planned


@transaction.atomic
def change_labels(
    *,
    dataset_id: UUID,
    actor: User,
    wanted: Sequence[Change],
    seen: int | None = None,
    move: Sequence[UUID] = (),
    accepting: Sequence[UUID] = (),
) -> LabelSchema:
    """Publish the next version with these changes; a job moves resolved labels that use removed labels.

    A renamed label keeps its identity. Decisions with a merged label are superseded by ones with the target
    label, without duplicate labels or spans; those with a split label are withdrawn, so that their items are
    unlabeled. For tasks with one label per text, a retired label keeps its decisions; otherwise it's removed
    from them, and a decision with no other label is withdrawn. Annotations never change. seen: the version
    that the author edited. move: queues that get the new version. accepting: open proposals that the version
    includes. Raises PermissionDenied, Refused, or Conflict (a version was published or a proposal closed in
    the meantime).
    """
    dataset = (
        Dataset.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .get(uuid=dataset_id)
    )
    policy.require(actor, "labeling.manage", dataset)
    latest, planned = plan_changes(dataset, wanted, seen)
    proposals = lock_proposals(dataset, accepting)
    schema = write_schema(dataset, latest, planned.labels, latest.guideline, actor, removed=planned.removed)
    check_included(proposals, latest, schema)
    include_proposals(schema, proposals, actor)
    ledger.record(
        actor,
        Verb.LABELS_CHANGED,
        schema,
        project=dataset.project.uuid,
        dataset=dataset.uuid,
        version=schema.version,
        renamed=len(planned.renamed),
        **{kind.value: sum(each.kind == kind for each in planned.removed) for kind in ChangeKind},
    )
    for queue in queues_behind(dataset).filter(uuid__in=move).order_by("id"):
        to_version(queue, schema, actor)
    if any(moves(dataset, each.kind) for each in planned.removed):
        enqueue_move(dataset, actor)
    return schema


@transaction.atomic
def move_decisions(*, dataset_id: UUID, actor: User) -> Job:
    """Move resolved labels that use removed labels again: after a cancelled job, or if a queue of an older
    version continued.

    Raises PermissionDenied or Refused (nothing to move).
    """
    dataset = Dataset.objects.select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    if not decisions_behind(dataset).exists():
        raise Refused(f"No resolved label uses a label that was {ways(dataset)}.")
    return enqueue_move(dataset, actor)


@transaction.atomic
def move_queue(*, queue_id: UUID, actor: User) -> Queue:
    """Give a queue the newest schema version. Annotations stay; values from pages with the old version are
    still accepted.

    Safe to repeat. Raises PermissionDenied or Conflict (closed).
    """
    queue = (
        Queue.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project", "schema")
        .get(uuid=queue_id)
    )
    policy.require(actor, "labeling.manage", queue)
    if queue.state == Queue.State.CLOSED:
        raise Conflict(f"{queue.name} is closed; its annotations can't be changed.")
    newest = latest_schema(queue.dataset)
    if newest is not None and newest.pk != queue.schema_id:
        to_version(queue, newest, actor)
    return queue


def to_version(queue: Queue, schema: LabelSchema, actor: User) -> None:
    """Move a queue to a version, in the caller's transaction."""
    old, queue.schema = queue.schema, schema
    queue.save(update_fields=["schema"])
    ledger.record(
        actor,
        Verb.QUEUE_MOVED,
        queue,
        project=schema.dataset.project.uuid,
        old=old.version,
        new=schema.version,
    )


def follow_published(schema: LabelSchema, actor: User) -> None:
    """Start moving resolved labels after a version is published that requires it."""
    if any(moves(schema.dataset, kind) for kind in schema.changes.values_list("kind", flat=True)):
        enqueue_move(schema.dataset, actor)


# ── Moving decisions ────────────────────────────────────────────────────────
def run_moves(ctx: JobContext) -> None:
    """Job: move resolved labels. Each batch commits with its event, so it can be cancelled and run again at
    any time.
    """
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    if not ctx.job.checkpoint:
        ctx.checkpoint(begun(dataset))
    move_all(ctx, dataset)
    disputes = disputes_to_settle(dataset)
    for number, pk in enumerate(disputes, start=1):
        ctx.raise_if_cancelled()
        settle_again(ctx, pk)
        ctx.progress(number, len(disputes), stage="Re-checking disagreements", unit="items")

    move_all(ctx, dataset)  # an ended disagreement may have been resolved with labels of an older version


def move_all(ctx: JobContext, dataset: Dataset) -> None:
    """Move decisions by key, repeatedly from the start until none is left: a moved one may have to move
    again.
    """
    total = bounded(decisions_behind(dataset))
    done = after = 0
    while (batch := move_batch(ctx, dataset, after)) or after:
        done, after = done + len(batch), batch[-1] if batch else 0
        ctx.progress(done, max(total, done), stage="Moving resolved labels", unit="decisions")
        ctx.raise_if_cancelled()


def settle_again(ctx: JobContext, dispute_id: int) -> None:
    """Label a disputed item automatically if its annotations agree since labels were removed, or update its
    dispute.
    """
    with transaction.atomic():
        ctx.hold()
        rows = Dispute.objects.filter(pk=dispute_id, state=Dispute.State.OPEN).select_related(
            "queue__dataset__project", "item__dataset__project"
        )
        dispute = rows.first()
        if dispute is not None:
            settle(dispute.queue, dispute.item, lock_item(dispute.queue, dispute.item))


def move_batch(ctx: JobContext, dataset: Dataset, after: int) -> list[int]:
    """Supersede up to 250 decisions that use removed labels, with keys after `after`. Returns their keys."""
    with transaction.atomic():
        ctx.hold()
        found = list(decisions_behind(dataset).filter(pk__gt=after).values_list("pk", "item_id")[:BATCH])
        items = [item for _, item in found]
        # not labeled
        list(
            Slot.objects.select_for_update()
            .filter(item_id__in=items)
            .order_by("id")
            .values_list("pk", flat=True)
        )
        rows = list(
            decisions_behind(dataset)
            .filter(pk__in=[pk for pk, _ in found])
            .select_related("item", "label", "by", "queue")
        )
        made = supersede(dataset, rows, ctx.job.created_by)
        if made:
            withdrawn = sum(each.how == Decision.How.WITHDRAWN for each in made)
            ledger.record(
                ctx.job.created_by,
                Verb.LABELS_MOVED,
                dataset,
                project=dataset.project.uuid,
                job=ctx.job.uuid,
                rows=len(made),
                withdrawn=withdrawn,
                digest=digest_of({"decisions": [each.digest for each in made]}),
            )
    return [pk for pk, _ in found]


def supersede(dataset: Dataset, rows: Sequence[Decision], actor: User | None) -> list[Decision]:
    """Save the decisions that supersede these, with the annotations they are based on, and update the queues'
    counters.
    """
    known = to_move(dataset)
    named = {UUID(key) for row in rows for key in labels_of(value_of(row))}
    targets = {UUID(key) for source in named & known.keys() for key in known[source].targets}
    labels = {str(key): label for key, label in changes.newest_labels(named | targets).items()}
    made = [next_decision(row, known, labels, actor) for row in rows]
    Decision.objects.bulk_create(made)
    through = Decision.annotations.through
    rested = through.objects.filter(decision__in=rows).values_list("decision_id", "annotation_id")
    after = {row.pk: each for row, each in zip(rows, made, strict=True)}
    through.objects.bulk_create(
        through(decision_id=after[old].pk, annotation_id=answer)
        for old, answer in rested
        if after[old].how != Decision.How.WITHDRAWN
    )
    withdrawn = Counter(
        each.queue_id for each in made if each.how == Decision.How.WITHDRAWN and each.queue_id
    )
    for queue, count in sorted(withdrawn.items()):
        Queue.objects.filter(pk=queue).update(items_labeled=F("items_labeled") - count)
    return made


def next_decision(
    row: Decision, known: Mapping[UUID, LabelChange], labels: Mapping[str, Label], actor: User | None
) -> Decision:
    """The decision after one whose labels were removed, by the first version that changes them: with the
    remaining labels, or a withdrawal. That version's publisher is responsible for it too; later versions are
    applied in turn.
    """
    old = value_of(row)
    merges, splits, retirements = first_changes(old, known)
    value = relabeling.moved(
        old,
        merged={str(each.source): str(each.targets[0]) for each in merges},
        split={str(each.source) for each in splits},
        retired={str(each.source) for each in retirements},
    )
    causes, how, by = [*merges, *retirements], Decision.How(row.how), row.by
    if value is None:
        causes, how, by = splits or retirements, Decision.How.WITHDRAWN, actor
    now = value or old
    digest = rules.decision_digest(
        item=row.item.digest,
        value=now,
        names={key: labels[key].name for key in labels_of(now)},
        how=how,
        by=by.uuid if by else None,
        supersedes=row.digest,
    )
    return Decision(
        item=row.item,
        **stored(now, labels),
        queue=row.queue,
        how=how,
        by=by,
        supersedes=row,
        change=causes[0],
        digest=digest,
        reason=" ".join(change_text(each, labels) for each in causes)[:REASON],
    )


def first_changes(
    value: Value, known: Mapping[UUID, LabelChange]
) -> tuple[list[LabelChange], list[LabelChange], list[LabelChange]]:
    """The merges, splits, and retirements of the first version that changed a label in a value."""
    touching = sorted(
        (known[key] for key in {UUID(each) for each in labels_of(value)} & known.keys()),
        key=lambda each: each.pk,
    )
    first = [change for change in touching if change.schema_id == touching[0].schema_id]
    merges, splits, retirements = ([change for change in first if change.kind == kind] for kind in ChangeKind)
    return merges, splits, retirements


def change_text(change: LabelChange, labels: Mapping[str, Label]) -> str:
    """A change of a label, as a sentence. labels: by stable id, including its target."""
    done = {ChangeKind.SPLIT: "split", ChangeKind.RETIRE: "retired"}.get(ChangeKind(change.kind))
    return (
        f"{change.name} was {done or f'merged into {labels[str(change.targets[0])].name}'} in version"
        f" {change.schema.version}."
    )


def enqueue_move(dataset: Dataset, actor: User) -> Job:
    """Enqueue the job that moves resolved labels; returns the queued or running one if there is one."""
    return jobs.enqueue(
        MOVE,
        actor=actor,
        project=dataset.project,
        args={"dataset": str(dataset.uuid)},
        subject=dataset,
        key=f"{MOVE}:{dataset.uuid}",
    )
