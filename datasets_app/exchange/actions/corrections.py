"""Labels corrected in an exported file: checked on upload, then written as decisions that supersede the old
ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from datasets_app.datasets.actions.inspection import find_reading
from datasets_app.datasets.actions.receive import clean_name, store, temp_file
from datasets_app.datasets.importing.readers import Reading
from datasets_app.datasets.models import Dataset
from datasets_app.exchange.correcting import Outcome, Sum
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
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.values import stored
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger import accounts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

CHECK, WRITE = "exchange.look_through", "exchange.correct"
State = Correction.State
UNCHOSEN = {"encoding": "", "parser": "", "delimiter": "", "has_header": None}


def upload_corrections(
    *, dataset: Dataset, actor: User, content: Iterable[bytes], file_name: str
) -> Correction:
    """Store a file of corrected labels, and enqueue a job that lists its planned changes. No label changes
    yet.

    Raises PermissionDenied, or Refused for a file that is empty, too large, or of an unknown format.
    """
    policy.require(actor, "labeling.decide", dataset)
    with temp_file(content) as path:
        blob = store(path)
    with transaction.atomic():
        correction = Correction.objects.create(
            dataset=dataset, blob=blob, file_name=clean_name(file_name), uploaded_by=actor
        )
        enqueue(CHECK, correction, actor)
    return correction


def enqueue(kind: str, correction: Correction, actor: User) -> Job:
    """Enqueue the job of a file; a file has at most one of each kind."""
    args = {"correction": str(correction.uuid)}
    return jobs.enqueue(
        kind,
        actor=actor,
        project=correction.dataset.project,
        args=args,
        subject=correction,
        key=f"{kind}:{correction.uuid}",
    )


@transaction.atomic
def accept_corrections(*, correction_id: UUID, actor: User, take_moved: bool = False) -> Job:
    """Write the changes of a file as labels under this person's responsibility.

    take_moved: also overwrite labels changed after the export. Raises PermissionDenied, Refused (nothing
    would change), or Conflict (not checked, already accepted, another file is being written, labels were
    removed since the upload).
    """
    rows = Correction.objects.select_for_update(of=("self",), no_key=True).select_related(
        "dataset__project", "blob", "uploaded_by"
    )
    correction = rows.get(uuid=correction_id)
    Dataset.objects.select_for_update(of=("self",), no_key=True).get(pk=correction.dataset_id)
    policy.require(actor, "labeling.decide", correction)
    if correction.state != State.LOOKED:
        raise Conflict(
            f"This file is {correction.get_state_display().lower()}.", next_step="Reload the page."
        )
    if (other := reading.writing_now(correction.dataset)) is not None:
        raise Conflict(
            f"Labels from {other.file_name} are still being written.",
            next_step="Wait until that finishes, then accept this file.",
        )
    check_current(correction)
    counts = correction.report["look"]["counts"]
    if not counts.get(Outcome.CHANGED, 0) and not (take_moved and counts.get(Outcome.MOVED, 0)):
        raise Refused("This file changes no labels.", next_step="Correct labels in it, then upload it again.")
    correction.state, correction.take_moved = State.WRITING, take_moved
    correction.accepted_by, correction.accepted_at = actor, timezone.now()
    correction.report = {"look": correction.report["look"]}
    correction.save(update_fields=["state", "take_moved", "accepted_by", "accepted_at", "report"])
    job = enqueue(WRITE, correction, actor)
    ledger.record(
        actor,
        Verb.CORRECTIONS_ACCEPTED,
        correction,
        project=correction.dataset.project.uuid,
        dataset=correction.dataset.uuid,
        file=correction.blob.digest,
        uploaded_by=correction.uploaded_by.uuid,
        take_moved=take_moved,
    )
    return job


def check_current(correction: Correction) -> None:
    """Raise Conflict if labels were merged, split, or retired after the file was checked."""
    if reading.is_overtaken(correction):
        message = (
            "Labels were merged, split, or retired after this file was checked, so it would now change"
            " different items."
        )
        raise Conflict(message, next_step="Discard it, then upload it again.")


@transaction.atomic
def discard_corrections(*, correction_id: UUID, actor: User) -> Correction:
    """Discard a file that needs review. Labels written before a cancelled write stay. Safe to repeat.

    Raises PermissionDenied (neither uploader nor ML lead), or Conflict (being checked or written, written, or
    unreadable).
    """
    rows = Correction.objects.select_for_update(of=("self",), no_key=True).select_related("dataset__project")
    correction = rows.get(uuid=correction_id)
    policy.require(actor, "labeling.read_corrections", correction)
    if not reading.may_discard(actor, correction):
        raise PermissionDenied("Only the uploader or an ML lead can discard a file.")
    if correction.state == State.DISCARDED:
        return correction
    if correction.state != State.LOOKED:
        raise Conflict(
            f"This file is {correction.get_state_display().lower()}.", next_step="Reload the page."
        )
    correction.state, correction.ended_at = State.DISCARDED, timezone.now()
    correction.save(update_fields=["state", "ended_at"])
    ledger.record(
        actor,
        Verb.CORRECTIONS_DISCARDED,
        correction,
        project=correction.dataset.project.uuid,
        dataset=correction.dataset.uuid,
        file=correction.blob.digest,
        uploaded_by=correction.uploaded_by.uuid,
    )
    return correction


# ── Checking ────────────────────────────────────────────────────────────────
def run_check(ctx: JobContext) -> None:
    """The job of the dry run: compare every row with the current labels."""
    correction = correction_of(ctx)
    if correction.state != State.LOOKING:
        return
    classes = reading.classes_of(correction.dataset)
    found, seen = Sum(), Seen()
    with opened(correction) as (path, how):
        for batch in reading.lines_of(path, how):
            for each in reading.resolve(correction, batch, correction.uploaded_by, classes):
                add(found, seen.judged(each), classes)
            ctx.progress(found.rows, stage="Checking the file", unit="rows")
            ctx.raise_if_cancelled()
    with transaction.atomic():
        ctx.hold()
        report = {"look": found.as_json(sorted(label.name for label in classes.labels.values()))}
        Correction.objects.filter(pk=correction.pk, state=State.LOOKING).update(
            state=State.LOOKED, report=report
        )


class Seen:
    """The items of a file so far, up to 200,000; beyond that, contradicting rows are only detected when
    writing.
    """

    LIMIT = 200_000

    def __init__(self) -> None:
        self._first: dict[int, int] = {}

    def judged(self, found: Found) -> Found:
        """The row, marked as unchanged if an earlier row of its item has the same label, or as repeated if it
        has another one.
        """
        if found.item is None or found.value is None or found.outcome not in (Outcome.CHANGED, Outcome.MOVED):
            return found
        value = hash(repr(found.value))
        first = self._first.get(found.item.pk)
        if first is None:
            if len(self._first) < self.LIMIT:
                self._first[found.item.pk] = value
            return found
        return replace(found, outcome=Outcome.UNCHANGED if first == value else Outcome.REPEATED)


def correction_of(ctx: JobContext) -> Correction:
    """The file of a job."""
    rows = Correction.objects.select_related("dataset__project", "blob", "uploaded_by", "accepted_by")
    return rows.get(uuid=ctx.args["correction"])


@contextmanager
def opened(correction: Correction) -> Iterator[tuple[Path, Reading]]:
    """The local path of the file, and its format. Raises Refused if its encoding is unknown."""
    with artifacts.local_copy(correction.blob.digest) as path:
        how, misfit = find_reading(path, correction.file_name, UNCHOSEN, lists=False)
        if misfit is not None:
            message = f"Line {misfit.line:,} isn't valid UTF-8."
            raise Refused(
                message, next_step="Save the file as CSV UTF-8 or as Excel (.xlsx), then upload it again."
            )
        yield path, how


def add(found: Sum, each: Found, classes: Classes) -> None:
    """Count a row, and keep it if it is among the first of its outcome."""
    case: dict[str, Any] = {
        "line": each.line.line,
        "item": str(each.item.uuid) if each.item else "",
        "message": each.message,
    }
    pair = None
    if each.facts and each.outcome != Outcome.UNCHANGED:
        pair = (classes.words(each.facts.current), classes.words(each.value))
        case |= {"now": pair[0], "in_file": pair[1]}
    kept = case if each.outcome not in (Outcome.CHANGED, Outcome.UNCHANGED, Outcome.UNKNOWN_LABEL) else None
    found.add(
        each.outcome, pair=pair if each.outcome == Outcome.CHANGED else None, unknown=each.unknown, case=kept
    )


# ── Writing ─────────────────────────────────────────────────────────────────
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
        for batch in reading.lines_of(path, how):
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
        Queue.objects.filter(pk=queue).update(items_decided=F("items_decided") + count)
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


# ── Failed and cancelled jobs ───────────────────────────────────────────────
def check_failed(job: Job) -> None:
    """Mark the file as failed. Called in the job's last transaction."""
    close(job, State.LOOKING, State.FAILED, job.error, job.next_step)


def check_cancelled(job: Job) -> None:
    """Mark the check as cancelled. Called in the job's last transaction."""
    close(job, State.LOOKING, State.FAILED, "Checking the file was cancelled.", "Upload it again.")


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


def close(job: Job, old: str, new: str, message: str, next_step: str) -> None:
    """Set the state of a file, with the error."""
    rows = Correction.objects.select_for_update(no_key=True).filter(uuid=job.args["correction"], state=old)
    for correction in rows:
        correction.state = new
        correction.report = {**correction.report, "error": {"message": message, "next_step": next_step}}
        correction.save(update_fields=["state", "report"])
