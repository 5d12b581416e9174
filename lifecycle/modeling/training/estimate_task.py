"""The job of a dry run: ten steps on a sample of the rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from django.db import transaction

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.manifest import ManifestRow
from lifecycle.ground.compute.child import Result, run_child, wait_until_free
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.earlier import classes, to_rehearse
from lifecycle.modeling.training.folders import DATA, forget, link, local_folder, scratch
from lifecycle.modeling.training.models import Estimate
from lifecycle.runtime.engine.estimate import CHECKED, sample_rows, shorten
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.types import type_of

CLASSES = 2  # at least, to be distinguished
# Next steps that replace the engine's advice to resume, as dry runs have no checkpoint.
INSTEAD = {
    "out_of_memory": (
        "Choose a smaller batch size, a lower max sequence length, or a strategy with fewer trainable"
        " parameters, and try again."
    ),
    "crashed": (
        "Try again. If it fails again, give this job's number to your administrator; the log has the details."
    ),
    "disk_full": "Free some disk space and try again.",
}


def estimate(ctx: JobContext) -> None:
    """Lay out the sample, train it in a child process, and store the cost. Its folder holds texts, so it is
    always removed; if the job is lost, by the worker that takes it over.
    """
    found = Estimate.objects.select_related("snapshot__dataset", "base__folder", "base__run__snapshot").get(
        uuid=ctx.args["estimate"]
    )
    folder = scratch(ctx.job)
    wait_until_free(ctx, folder)
    try:
        ctx.checkpoint({})  # earlier attempts left nothing, so the events start again
        ctx.progress(0, stage="Preparing data")
        prepare(found, folder)
        rehearsed = sum(1 for _ in rehearsal_of(found))
        ctx.raise_if_cancelled()
        result = run_child(
            ctx,
            "profile",
            folder,
            lambda events: None,
            threads=found.spec.get("threads") or None,
            accelerated=True,
        )
        ctx.raise_if_cancelled()
        if not result.ok:
            refuse(found, result)
        with transaction.atomic():
            ctx.hold()
            actions.keep_estimate(found, result.data, rehearsed)
    finally:
        if not ctx.lost:  # otherwise it belongs to the worker that took the job over
            shutil.rmtree(folder, ignore_errors=True)


def refuse(found: Estimate, result: Result) -> None:
    """Store the reason of a failure. Raises Refused."""
    next_step = INSTEAD.get(result.code, result.next_step)
    actions.fail_estimate(found, result.code, result.message, next_step)
    raise Refused(result.message or "The dry run stopped early.", next_step=next_step)


def rehearsal_of(found: Estimate) -> Iterator[ManifestRow]:
    """The rehearsal rows of the whole run; the ten steps don't use them."""
    spec, before = TrainSpec.from_json(found.spec), found.base.run
    wanted = (
        spec.rehearsed_rows(found.snapshot.counts["splits"]["train"])
        if before and before.task == spec.task
        else 0
    )
    return (
        to_rehearse(before.snapshot, found.snapshot, spec.labels, wanted) if before and wanted else iter(())
    )


def prepare(found: Estimate, folder: Path) -> None:
    """Lay out an ordinary run's folder with a spec of ten steps on a sample."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec, snapshot = TrainSpec.from_json(found.spec), found.snapshot
    wanted = sample_rows(spec, snapshot.counts["splits"]["train"])
    rows = sample(snapshots.rows_of(snapshot, "train"), wanted, spec.labels, snapshot.dataset.task)
    written = snapshots.write_split(snapshot, "train", folder / DATA["train"], rows)
    checked = islice(snapshots.rows_of(snapshot, "validation"), CHECKED)
    snapshots.write_split(snapshot, "validation", folder / DATA["validation"], checked)
    link(folder / "base", local_folder("bases", found.base.folder))
    shorten(spec, max(1, written)).write(folder / "spec.json")


def sample(rows: Iterable[ManifestRow], wanted: int, labels: Iterable[str], task: str) -> list[ManifestRow]:
    """This many rows, in order: the first ones (sorted by digest, so a fair sample), with the last of them
    replaced by rows that a run needs: two classes; in multi-label, the first row with each class and the
    first without; for spans, the first with each label.
    """
    first: list[ManifestRow] = []
    kind = type_of(task)
    needed = {(label, has) for label in labels for has in ((True, False) if kind.has_thresholds else (True,))}
    kept: list[ManifestRow] = []
    for row in rows:
        names = classes(row, task) if needed else set()
        shown = {(label, has) for label, has in needed if (label in names) == has}
        if shown:
            kept.append(row)
            needed = needed - shown if not kind.one_label or len(kept) < CLASSES else set()
        elif len(first) < wanted:
            first.append(row)
        if not needed and len(first) + len(kept) >= wanted:
            break
    return sorted([*kept, *first[: max(0, wanted - len(kept))]], key=lambda row: row.item)


def failed(job: Job) -> None:
    """The job failed."""
    forget(job)
    actions.fail_estimate(
        Estimate.objects.get(uuid=job.args["estimate"]), "crashed", job.error, job.next_step
    )


def cancelled(job: Job) -> None:
    """The job was cancelled."""
    forget(job)
    actions.fail_estimate(
        Estimate.objects.get(uuid=job.args["estimate"]),
        "cancelled",
        "The dry run was cancelled.",
        "Run it again.",
    )
