"""Changing the classes of a dataset without losing work: rename, merge, split, retire, and moving what carries a class along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F

from datasets_app.datasets.models import Dataset
from datasets_app.labeling import queries, relabelling, rules
from datasets_app.labeling.actions.schemas import spec_of, write_schema
from datasets_app.labeling.actions.settling import lock_item, settle
from datasets_app.labeling.models import Decision, Dispute, Label, LabelChange, LabelSchema, Queue, Slot
from datasets_app.labeling.queries import changes
from datasets_app.labeling.relabelling import Change, ChangeKind, Plan, follow
from lifecycle.jobs import actions as jobs
from lifecycle.jobs.context import JobContext
from lifecycle.jobs.models import Job
from lifecycle.refusals import Conflict, Refused
from registry.access import policy
from registry.access.models import User
from registry.ledger import actions as ledger
from registry.ledger.rules import digest_of
from registry.ledger.verbs import Verb

BATCH = 250  # decisions of one transaction, each with the answers that it rests on
MOVED = (ChangeKind.MERGE, ChangeKind.SPLIT)


def plan_changes(dataset: Dataset, wanted: Sequence[Change], seen: int | None) -> tuple[LabelSchema, Plan]:
    """The present version, and what the next one would be. Raises Refused (what makes no sense) or Conflict (published meanwhile)."""
    latest = queries.latest_schema(dataset)
    if latest is None:
        raise Refused(f"{dataset} has no classes yet.", next_step="Publish them first.")
    if seen is not None and seen != latest.version:
        told = f"Version {latest.version} was published while you were writing."
        raise Conflict(told, next_step="Look at it, then change that.")
    if dataset.task != Dataset.Task.SINGLE_LABEL and any(each.kind in MOVED for each in wanted):
        raise Refused("Classes are merged and split only where each text has one label.", next_step="Rename or retire them.")
    planned = relabelling.plan([spec_of(label) for label in queries.labels_by_name(latest).values()], wanted)
    rules.check_labels(planned.labels)
    return latest, planned


@transaction.atomic
def change_classes(
    *, dataset_id: UUID, actor: User, wanted: Sequence[Change], seen: int | None = None, move: Sequence[UUID] = ()
) -> LabelSchema:
    """Publish the version that these changes make of the present one, and have a job move the decisions of merged and split classes.

    A renamed class keeps its identity. Decisions of a merged class get one for the class it went into; those of a split class are
    withdrawn, so that their items are undecided. A retired class keeps its decisions. Answers never change. seen: the version that the
    author had before them. move: queues that go to the new version. Raises PermissionDenied, Refused or Conflict (published meanwhile).
    """
    dataset = Dataset.objects.select_for_update(of=("self",), no_key=True).select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    latest, planned = plan_changes(dataset, wanted, seen)
    schema = write_schema(dataset, latest, planned.labels, latest.guideline, actor, gone=planned.gone)
    ledger.record(
        actor, Verb.CLASSES_CHANGED, schema, project=dataset.project.uuid, dataset=dataset.uuid, version=schema.version,
        renamed=len(planned.renamed), **{kind.value: sum(each.kind == kind for each in planned.gone) for kind in ChangeKind},
    )  # fmt: skip
    for queue in changes.queues_behind(dataset).filter(uuid__in=move).order_by("id"):
        to_version(queue, schema, actor)
    if any(each.kind in MOVED for each in planned.gone):
        enqueue_move(dataset, actor)
    return schema


def enqueue_move(dataset: Dataset, actor: User) -> Job:
    """A job that moves the decisions of the dataset; the one that waits or is at it where there is one."""
    return jobs.enqueue(
        changes.MOVE, actor=actor, project=dataset.project, args={"dataset": str(dataset.uuid)}, subject=dataset,
        key=f"{changes.MOVE}:{dataset.uuid}",
    )  # fmt: skip


@transaction.atomic
def move_decisions(*, dataset_id: UUID, actor: User) -> Job:
    """Have what was decided for merged and split classes moved again: after a cancel, or where a queue of an older version went on.

    Raises PermissionDenied or Refused (nothing to move).
    """
    dataset = Dataset.objects.select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    if not changes.decisions_behind(dataset).exists():
        raise Refused("No decision carries a class that was merged or split.")
    return enqueue_move(dataset, actor)


@transaction.atomic
def move_queue(*, queue_id: UUID, actor: User) -> Queue:
    """Give a queue the newest version of the classes. Answers stay; what its pages still show is understood.

    Raises PermissionDenied or Conflict (closed). A queue that has it already stays as it is.
    """
    queue = Queue.objects.select_for_update(of=("self",), no_key=True).select_related("dataset__project", "schema").get(uuid=queue_id)
    policy.require(actor, "labeling.manage", queue)
    if queue.state == Queue.State.CLOSED:
        raise Conflict(f"{queue.name} is closed; its answers stay as they are.")
    newest = queries.latest_schema(queue.dataset)
    if newest is not None and newest.pk != queue.schema_id:
        to_version(queue, newest, actor)
    return queue


def to_version(queue: Queue, schema: LabelSchema, actor: User) -> None:
    """Move a queue to a version, in the caller's transaction."""
    old, queue.schema = queue.schema, schema
    queue.save(update_fields=["schema"])
    ledger.record(actor, Verb.QUEUE_MOVED, queue, project=schema.dataset.project.uuid, old=old.version, new=schema.version)


# ── Moving decisions ────────────────────────────────────────────────────────
def run_moves(ctx: JobContext) -> None:
    """The job that moves decisions. Each batch commits with its event, so it may be cancelled at any time and run again."""
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    total = changes.bounded(changes.decisions_behind(dataset))
    done = 0
    while moved := move_batch(ctx, dataset):
        done += moved
        ctx.progress(done, max(total, done), stage="Moving decisions", unit="decisions")
        ctx.raise_if_cancelled()
    disputes = changes.disputes_to_settle(dataset)
    for number, pk in enumerate(disputes, start=1):
        ctx.raise_if_cancelled()
        settle_again(ctx, pk)
        ctx.progress(number, len(disputes), stage="Looking at disagreements again", unit="items")


def settle_again(ctx: JobContext, dispute_id: int) -> None:
    """Decide an item by rule whose answers agree since classes were merged, or bring its dispute up to date."""
    with transaction.atomic():
        ctx.hold()
        rows = Dispute.objects.filter(pk=dispute_id, state=Dispute.State.OPEN).select_related(
            "queue__dataset__project", "item__dataset__project"
        )
        dispute = rows.first()
        if dispute is not None:
            settle(dispute.queue, dispute.item, lock_item(dispute.queue, dispute.item))


def move_batch(ctx: JobContext, dataset: Dataset) -> int:
    """Supersede the next decisions whose class was merged or split, at most 250. Returns how many; 0 when none is left."""
    with transaction.atomic():
        ctx.hold()
        found = list(changes.decisions_behind(dataset).values_list("pk", "item_id")[:BATCH])
        items = [item for _, item in found]
        list(Slot.objects.select_for_update().filter(item_id__in=items).order_by("id").values_list("pk", flat=True))  # nobody decides them
        rows = list(changes.decisions_behind(dataset).filter(pk__in=[pk for pk, _ in found]).select_related("item", "label", "by", "queue"))
        made = supersede(dataset, rows, ctx.job.created_by)
        if made:
            withdrawn = sum(each.how == Decision.How.WITHDRAWN for each in made)
            ledger.record(
                ctx.job.created_by, Verb.DECISIONS_MOVED, dataset, project=dataset.project.uuid, job=ctx.job.uuid, rows=len(made),
                withdrawn=withdrawn, digest=digest_of({"decisions": [each.digest for each in made]}),
            )  # fmt: skip
    return len(found)


def supersede(dataset: Dataset, rows: Sequence[Decision], actor: User | None) -> list[Decision]:
    """The decisions that follow these, kept with the answers that they rest on; the counters of queues follow."""
    known = changes.to_move(dataset)
    merges = {source: UUID(each.targets[0]) for source, each in known.items() if each.kind == ChangeKind.MERGE}
    carried = [(row, row.label) for row in rows if row.label]
    ends = {label.stable_id: follow(label.stable_id, merges) for _, label in carried}
    labels = changes.newest_labels(ends.values())
    made = [follower(row, label, labels[ends[label.stable_id]], known, actor) for row, label in carried]
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


def follower(row: Decision, old: Label, label: Label, known: dict[UUID, LabelChange], actor: User | None) -> Decision:
    """The decision after one whose class went away: the same for the class it leads into, or a withdrawal where that one was split."""
    change = known[old.stable_id]
    if label.stable_id in known:  # it leads into a class that was split
        change = known[label.stable_id]
        how, by, label, reason = Decision.How.WITHDRAWN, actor, old, f"{change.name} was split in version {change.schema.version}."
    else:
        how, by = Decision.How(row.how), row.by
        reason = f"{old.name} was merged into {label.name} in version {change.schema.version}."
    digest = rules.decision_digest(
        item=row.item.digest, value={"label": str(label.stable_id)}, names={str(label.stable_id): label.name}, how=how,
        by=by.uuid if by else None, supersedes=row.digest,
    )  # fmt: skip
    return Decision(
        item=row.item, label=label, queue=row.queue, how=how, by=by, reason=reason, supersedes=row, change=change, digest=digest
    )
