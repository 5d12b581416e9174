"""The job that writes a file's labels as decisions that supersede the old ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from datasets_app.exchange.actions.corrections.files import close, correction_of, opened
from datasets_app.exchange.actions.corrections.reviewing import State, check_current
from datasets_app.exchange.correcting import Outcome
from datasets_app.exchange.models.corrections import Correction
from datasets_app.exchange.queries import corrections as reading
from datasets_app.exchange.queries.corrections import Classes, Found, Line
from datasets_app.queues import rules
from datasets_app.queues.actions.agreed import stop_waiting
from datasets_app.queues.actions.settling import end_dispute
from datasets_app.queues.models.agreed import Agreed
from datasets_app.queues.models.decisions import Decision, Dispute
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.schemas.queries.labels import chunks
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.values import stored
from registry.ground.access.models import User
from registry.ground.ledger import accounts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb


def run_correct(ctx: JobContext) -> None:
    """The job that writes. Each batch commits with its event and the checkpoint, so the job can be cancelled
    and rerun at any time.

    Raises Refused if the row and the audit log disagree about who accepted the file, Conflict if labels were
    removed since the upload.
    """
    correction = correction_of(ctx)
    if correction.state != State.WRITING:
        return
    check_accepted(correction)
    done = int(ctx.job.checkpoint.get("rows", 0)) if ctx.job.checkpoint else 0
    total, rows = correction.report["look"]["rows"], 0
    with opened(correction) as (path, how):
        for batch in reading.lines_of(path, how, correction.dataset.task):
            rows += len(batch)
            if rows > done:
                write_batch(ctx, correction, batch, rows)
                ctx.progress(rows, total, stage="Writing labels", unit="rows")
                ctx.raise_if_cancelled()
    with transaction.atomic():
        ctx.hold()
        report = correction.report | {"written": (ctx.job.checkpoint or {}).get("counts", {})}
        Correction.objects.filter(pk=correction.pk).update(
            state=State.WRITTEN, ended_at=timezone.now(), report=report
        )


def check_accepted(correction: Correction) -> None:
    """Raise Refused unless the audit log shows that this person accepted the file, with the same
    `take_moved`.
    """
    events = accounts.events_about(correction.uuid, {Verb.CORRECTIONS_ACCEPTED})
    by = correction.accepted_by and str(correction.accepted_by.uuid)
    if not events or (events[-1].actor, events[-1].payload["take_moved"]) != (by, correction.take_moved):
        raise Refused(
            "The audit log doesn't show who accepted this file.", next_step="Review it, then accept it again."
        )


@transaction.atomic
def write_batch(ctx: JobContext, correction: Correction, batch: Sequence[Line], rows: int) -> None:
    """Supersede the labels that one batch changes, checked again under locks. rows: of the file, up to the
    end of the batch.
    """
    ctx.hold()
    actor = correction.accepted_by
    if actor is None:
        raise ValueError("This file has not been accepted.")
    classes = reading.classes_of(correction.dataset)
    check_current(correction)  # behind the classes, which were not changed before then
    items = [
        each.item.pk
        for each in reading.resolve(correction, batch, actor, classes)
        if each.item and each.value
    ]
    for ids in chunks(items):  # not annotated or labeled in between
        list(
            Slot.objects.select_for_update()
            .filter(item_id__in=ids)
            .order_by("id")
            .values_list("pk", flat=True)
        )
    taken = (Outcome.CHANGED, Outcome.MOVED) if correction.take_moved else (Outcome.CHANGED,)
    counts: Counter[str] = Counter((ctx.job.checkpoint or {}).get("counts", {}))
    changed: dict[int, Found] = {}
    for each in reading.resolve(correction, batch, actor, classes):
        outcome = each.outcome
        if outcome in taken and each.item:
            first = changed.setdefault(each.item.pk, each)
            outcome = (
                outcome
                if first is each
                else Outcome.UNCHANGED
                if first.value == each.value
                else Outcome.REPEATED
            )
        counts[outcome.value] += 1
    made = supersede(correction, actor, list(changed.values()), classes)
    if made:
        ledger.record(
            actor,
            Verb.LABELS_CORRECTED,
            correction,
            project=correction.dataset.project.uuid,
            dataset=correction.dataset.uuid,
            file=correction.blob.digest,
            rows=len(made),
            digest=digest_of({"decisions": [each.digest for each in made]}),
            uploaded_by=correction.uploaded_by.uuid,
        )
    ctx.checkpoint({"rows": rows, "counts": dict(counts)})


def supersede(
    correction: Correction, actor: User, changed: Sequence[Found], classes: Classes
) -> list[Decision]:
    """Create the decisions of these rows, close what waited for their items, and update queue counters."""
    made = [decision_of(correction, actor, each, classes) for each in changed]
    Decision.objects.bulk_create(made, batch_size=500)
    by_item = {each.item_id: each for each in made}
    for ids in chunks(by_item):
        rows = Dispute.objects.select_for_update(of=("self",)).filter(
            item_id__in=ids, state=Dispute.State.OPEN
        )
        for dispute in rows.select_related("queue").order_by("id"):
            end_dispute(dispute.queue, dispute, Dispute.State.SETTLED, by_item[dispute.item_id])
        for waiting in Agreed.objects.filter(item_id__in=ids).select_related("queue", "item"):
            stop_waiting(waiting.queue, waiting.item)
    again = Counter(
        each.queue_id
        for each in made
        if each.queue_id and each.supersedes and each.supersedes.how == Decision.How.WITHDRAWN
    )
    for queue, count in sorted(again.items()):
        Queue.objects.filter(pk=queue).update(items_labeled=F("items_labeled") + count)
    return made


def decision_of(correction: Correction, actor: User, found: Found, classes: Classes) -> Decision:
    """One corrected decision, unsaved. It keeps the queue of the decision it supersedes."""
    if found.item is None or found.value is None:
        raise ValueError("A row without a label for its item changes nothing.")
    current, how = found.current, Decision.How.ADJUDICATED
    names = {key: label.name for key, label in classes.labels.items()}
    digest = rules.decision_digest(
        item=found.item.digest,
        value=found.value,
        names=names,
        how=how,
        by=actor.uuid,
        supersedes=current.digest if current else "",
    )
    return Decision(
        item=found.item,
        **stored(found.value, classes.labels),
        queue=current.queue if current else None,
        how=how,
        by=actor,
        reason=f"corrected in {correction.file_name}",
        supersedes=current,
        file=correction.blob,
        digest=digest,
    )


def correct_failed(job: Job) -> None:
    """Return the file to review; labels already written stay. Called in the job's last transaction."""
    close(job, State.WRITING, State.LOOKED, job.error, job.next_step)


def correct_cancelled(job: Job) -> None:
    """Return the file to review after a cancel; labels already written stay. Called in the job's last
    transaction.
    """
    message = "Writing was cancelled. Labels written so far are kept."
    close(
        job,
        State.WRITING,
        State.LOOKED,
        message,
        "Accept the file again to continue; nothing is written twice.",
    )
