"""The job of the dry run: list the planned changes of a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import transaction

from datasets_app.exchange.actions.corrections.files import close, correction_of, opened
from datasets_app.exchange.actions.corrections.reviewing import State
from datasets_app.exchange.correcting import Outcome, Sum
from datasets_app.exchange.models.corrections import Correction
from datasets_app.exchange.queries import corrections as reading
from datasets_app.exchange.queries.corrections import Classes, Found
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job


def run_check(ctx: JobContext) -> None:
    """The job of the dry run: compare every row with the current labels."""
    correction = correction_of(ctx)
    if correction.state != State.LOOKING:
        return
    classes = reading.classes_of(correction.dataset)
    found, seen = Sum(), Seen()
    with opened(correction) as (path, how):
        for batch in reading.lines_of(path, how, correction.dataset.task):
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


def check_failed(job: Job) -> None:
    """Mark the file as failed. Called in the job's last transaction."""
    close(job, State.LOOKING, State.FAILED, job.error, job.next_step)


def check_cancelled(job: Job) -> None:
    """Mark the check as cancelled. Called in the job's last transaction."""
    close(job, State.LOOKING, State.FAILED, "Checking the file was cancelled.", "Upload it again.")
