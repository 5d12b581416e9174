"""Changing the classes of a dataset without losing work: rename, merge, split, retire, and moving what carries a class along."""

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
from datasets_app.schemas.actions.proposals import hold_proposals, take_up
from datasets_app.schemas.actions.schemas import check_taken_up, spec_of, write_schema
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

BATCH = 250  # decisions of one transaction, each with the answers that it rests on
REASON = 1_000


def plan_changes(dataset: Dataset, wanted: Sequence[Change], seen: int | None) -> tuple[LabelSchema, Plan]:
    """The present version, and what the next one would be. Raises Refused (invalid changes) or Conflict (published in the meantime)."""
    if not dataset.task_type.has_labels:
        raise Refused("Annotations of this dataset's task have no labels, so there are none to change.")
    latest = latest_schema(dataset)
    if latest is None:
        raise Refused(f"{dataset} has no labels yet.", next_step="Publish a label schema first.")
    if seen is not None and seen != latest.version:
        told = f"Version {latest.version} was published while you were editing."
        raise Conflict(told, next_step="Review it, then make your change again.")
    planned = relabeling.plan([spec_of(label) for label in labels_by_name(latest).values()], wanted)
    check_labels(planned.labels)
    return latest, planned


@transaction.atomic
def change_classes(
    *, dataset_id: UUID, actor: User, wanted: Sequence[Change], seen: int | None = None, move: Sequence[UUID] = (),
    taking_up: Sequence[UUID] = (),
) -> LabelSchema:  # fmt: skip
    """Publish the version that these changes make of the present one, and have a job move resolved labels that use removed labels.

    A renamed class keeps its identity. Decisions of a merged class get one for the class it went into, in which a class or an equal span
    that is then duplicated is kept once; those of a split class are withdrawn, so that their items are undecided. Where a text has one
    class, a retired one keeps its decisions; where it may have several, the retired class is taken out of them, and one that named no
    other is withdrawn. Answers never change. seen: the version that the author edited. move: queues that go to the new version.
    taking_up: open proposals that the version includes. Raises PermissionDenied, Refused, or Conflict (a version was published or a
    proposal answered in the meantime).
    """
    dataset = Dataset.objects.select_for_update(of=("self",), no_key=True).select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    latest, planned = plan_changes(dataset, wanted, seen)
    proposals = hold_proposals(dataset, taking_up)
    schema = write_schema(dataset, latest, planned.labels, latest.guideline, actor, gone=planned.gone)
    check_taken_up(proposals, latest, schema)
    take_up(schema, proposals, actor)
    ledger.record(
        actor, Verb.CLASSES_CHANGED, schema, project=dataset.project.uuid, dataset=dataset.uuid, version=schema.version,
        renamed=len(planned.renamed), **{kind.value: sum(each.kind == kind for each in planned.gone) for kind in ChangeKind},
    )  # fmt: skip
    for queue in queues_behind(dataset).filter(uuid__in=move).order_by("id"):
        to_version(queue, schema, actor)
    if any(moves(dataset, each.kind) for each in planned.gone):
        enqueue_move(dataset, actor)
    return schema


@transaction.atomic
def move_decisions(*, dataset_id: UUID, actor: User) -> Job:
    """Have the resolved label for classes that went away moved again: after a cancel, or where a queue of an older version went on.

    Raises PermissionDenied or Refused (nothing to move).
    """
    dataset = Dataset.objects.select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    if not decisions_behind(dataset).exists():
        raise Refused(f"No resolved label uses a label that was {ways(dataset)}.")
    return enqueue_move(dataset, actor)


@transaction.atomic
def move_queue(*, queue_id: UUID, actor: User) -> Queue:
    """Give a queue the newest version of the classes. Answers stay; what its pages still show is understood.

    Raises PermissionDenied or Conflict (closed). A queue that has it already stays as it is.
    """
    queue = Queue.objects.select_for_update(of=("self",), no_key=True).select_related("dataset__project", "schema").get(uuid=queue_id)
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
    ledger.record(actor, Verb.QUEUE_MOVED, queue, project=schema.dataset.project.uuid, old=old.version, new=schema.version)


def follow_published(schema: LabelSchema, actor: User) -> None:
    """Have decisions moved after a published version whose changes move some."""
    if any(moves(schema.dataset, kind) for kind in schema.changes.values_list("kind", flat=True)):
        enqueue_move(schema.dataset, actor)


# ── Moving decisions ────────────────────────────────────────────────────────
def run_moves(ctx: JobContext) -> None:
    """The job that moves decisions. Each batch commits with its event, so it may be cancelled at any time and run again."""
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    if not ctx.job.checkpoint:
        ctx.checkpoint(begun(dataset))
    move_all(ctx, dataset)
    disputes = disputes_to_settle(dataset)
    for number, pk in enumerate(disputes, start=1):
        ctx.raise_if_cancelled()
        settle_again(ctx, pk)
        ctx.progress(number, len(disputes), stage="Re-checking disagreements", unit="items")

    move_all(ctx, dataset)  # a disagreement that ended may have been decided as an older version has it


def move_all(ctx: JobContext, dataset: Dataset) -> None:
    """Move decisions by their keys, then from the start again, until none is left: what moves may have to move on."""
    total = bounded(decisions_behind(dataset))
    done = after = 0
    while (batch := move_batch(ctx, dataset, after)) or after:
        done, after = done + len(batch), batch[-1] if batch else 0
        ctx.progress(done, max(total, done), stage="Moving resolved labels", unit="decisions")
        ctx.raise_if_cancelled()


def settle_again(ctx: JobContext, dispute_id: int) -> None:
    """Decide an item by rule whose answers agree since labels were removed, or update its dispute."""
    with transaction.atomic():
        ctx.hold()
        rows = Dispute.objects.filter(pk=dispute_id, state=Dispute.State.OPEN).select_related(
            "queue__dataset__project", "item__dataset__project"
        )
        dispute = rows.first()
        if dispute is not None:
            settle(dispute.queue, dispute.item, lock_item(dispute.queue, dispute.item))


def move_batch(ctx: JobContext, dataset: Dataset, after: int) -> list[int]:
    """Supersede the next decisions of classes that went away, at most 250, of those with keys behind `after`. Returns their keys."""
    with transaction.atomic():
        ctx.hold()
        found = list(decisions_behind(dataset).filter(pk__gt=after).values_list("pk", "item_id")[:BATCH])
        items = [item for _, item in found]
        list(Slot.objects.select_for_update().filter(item_id__in=items).order_by("id").values_list("pk", flat=True))  # not labeled
        rows = list(decisions_behind(dataset).filter(pk__in=[pk for pk, _ in found]).select_related("item", "label", "by", "queue"))
        made = supersede(dataset, rows, ctx.job.created_by)
        if made:
            withdrawn = sum(each.how == Decision.How.WITHDRAWN for each in made)
            ledger.record(
                ctx.job.created_by, Verb.DECISIONS_MOVED, dataset, project=dataset.project.uuid, job=ctx.job.uuid, rows=len(made),
                withdrawn=withdrawn, digest=digest_of({"decisions": [each.digest for each in made]}),
            )  # fmt: skip
    return [pk for pk, _ in found]


def supersede(dataset: Dataset, rows: Sequence[Decision], actor: User | None) -> list[Decision]:
    """The decisions that follow these, kept with the answers that they rest on; the counters of queues follow."""
    known = to_move(dataset)
    named = {UUID(key) for row in rows for key in labels_of(value_of(row))}
    targets = {UUID(key) for source in named & known.keys() for key in known[source].targets}
    labels = {str(key): label for key, label in changes.newest_labels(named | targets).items()}
    made = [follower(row, known, labels, actor) for row in rows]
    Decision.objects.bulk_create(made)
    through = Decision.annotations.through
    rested = through.objects.filter(decision__in=rows).values_list("decision_id", "annotation_id")
    after = {row.pk: each for row, each in zip(rows, made, strict=True)}
    through.objects.bulk_create(
        through(decision_id=after[old].pk, annotation_id=answer) for old, answer in rested if after[old].how != Decision.How.WITHDRAWN
    )
    withdrawn = Counter(each.queue_id for each in made if each.how == Decision.How.WITHDRAWN and each.queue_id)
    for queue, count in sorted(withdrawn.items()):
        Queue.objects.filter(pk=queue).update(items_decided=F("items_decided") - count)
    return made


def follower(row: Decision, known: Mapping[UUID, LabelChange], labels: Mapping[str, Label], actor: User | None) -> Decision:
    """The decision after one whose labels were removed, by the changes of the first version that touches it: what is left of it, or a
    withdrawal. The publisher of that version is responsible for it too; later versions follow in turn.
    """
    said = value_of(row)
    merges, splits, retirements = first_changes(said, known)
    value = relabeling.moved(
        said, merged={str(each.source): str(each.targets[0]) for each in merges}, split={str(each.source) for each in splits},
        retired={str(each.source) for each in retirements},
    )  # fmt: skip
    causes, how, by = [*merges, *retirements], Decision.How(row.how), row.by
    if value is None:
        causes, how, by = splits or retirements, Decision.How.WITHDRAWN, actor
    now = value or said
    digest = rules.decision_digest(
        item=row.item.digest, value=now, names={key: labels[key].name for key in labels_of(now)}, how=how, by=by.uuid if by else None,
        supersedes=row.digest,
    )  # fmt: skip
    return Decision(
        item=row.item, **stored(now, labels), queue=row.queue, how=how, by=by, supersedes=row, change=causes[0], digest=digest,
        reason=" ".join(told(each, labels) for each in causes)[:REASON],
    )  # fmt: skip


def first_changes(said: Value, known: Mapping[UUID, LabelChange]) -> tuple[list[LabelChange], list[LabelChange], list[LabelChange]]:
    """The merges, splits and retirements of the first version that changed a class which a value names."""
    touching = sorted((known[key] for key in {UUID(each) for each in labels_of(said)} & known.keys()), key=lambda each: each.pk)
    first = [change for change in touching if change.schema_id == touching[0].schema_id]
    merges, splits, retirements = ([change for change in first if change.kind == kind] for kind in ChangeKind)
    return merges, splits, retirements


def told(change: LabelChange, labels: Mapping[str, Label]) -> str:
    """What was done to a class, as a sentence. labels: where it leads among them, by stable id."""
    done = {ChangeKind.SPLIT: "split", ChangeKind.RETIRE: "retired"}.get(ChangeKind(change.kind))
    return f"{change.name} was {done or f'merged into {labels[str(change.targets[0])].name}'} in version {change.schema.version}."


def enqueue_move(dataset: Dataset, actor: User) -> Job:
    """A job that moves the decisions of classes that went away; the one that waits or is at it where there is one."""
    return jobs.enqueue(
        MOVE, actor=actor, project=dataset.project, args={"dataset": str(dataset.uuid)}, subject=dataset,
        key=f"{MOVE}:{dataset.uuid}",
    )  # fmt: skip
