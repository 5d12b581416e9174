"""Saving filters as a slice, changing and deleting it, and counting its items."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from datasets_app.datasets import queries
from datasets_app.datasets.models import Dataset, Slice
from datasets_app.datasets.selection import Selection
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

COUNT_SECONDS = 1.0  # that a request spends on counting before it starts a job


@transaction.atomic
def save_slice(
    *,
    dataset_id: UUID,
    actor: User,
    name: str,
    filters: Mapping[str, str],
    description: str = "",
    shared: bool = False,
) -> Slice:
    """Save filters under a name. filters: by field, as in the URL of the list.

    Raises PermissionDenied, or Refused that names the field (no name, a taken name, no filters, or an invalid
    filter).
    """
    dataset = (
        Dataset.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .get(uuid=dataset_id)
    )
    policy.require(actor, "datasets.slice", dataset)
    selection = Selection(dataset, actor, filters, whole=True)
    check_filters(selection)
    row = Slice(dataset=dataset, filters=selection.filters, shared=shared, created_by=actor)
    describe(row, name, description)
    store(row)
    ledger.record(
        actor,
        Verb.SLICE_SAVED,
        row,
        project=dataset.project.uuid,
        dataset=dataset.uuid,
        filters=digest_of(row.filters),
        shared=shared,
    )
    return row


def check_filters(selection: Selection) -> None:
    """Raises Refused, naming the fields, for no filters or an invalid one."""
    if not selection.filters:
        message = "A slice needs at least one filter."
        raise Refused(message, next_step="Filter or search the items first.", fields={"filters": [message]})
    if selection.problems:
        fields = {name: [problem] for name, problem in selection.problems.items()}
        raise Refused(
            "The slice wasn't saved: a filter isn't valid.",
            next_step=next(iter(selection.problems.values())),
            fields=fields,
        )


def describe(row: Slice, name: str, description: str) -> None:
    """Set name and description. Raises Refused for a slice without a name."""
    row.name, row.description = " ".join(name.split())[:80], " ".join(description.split())[:300]
    if not row.name:
        message = "Enter a name."
        raise Refused(message, fields={"name": [message]})


def store(row: Slice) -> None:
    """Save the slice. Raises Refused if the person has another one of its name."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        message = f"You already have a slice of this dataset named {row.name}."
        raise Refused(message, next_step="Choose another name.", fields={"name": [message]}) from error


def locked(slice_id: UUID, actor: User) -> Slice:
    """The slice, locked, for a person who may change it. Raises PermissionDenied; DoesNotExist once it is
    deleted.
    """
    row = (
        Slice.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project")
        .get(uuid=slice_id)
    )
    policy.require(actor, "datasets.slice", row)
    if not queries.may_change(actor, row):
        raise PermissionDenied("Only its author can change a slice; ML leads can change shared ones.")
    return row


@transaction.atomic
def change_slice(
    *, slice_id: UUID, actor: User, name: str, description: str = "", shared: bool = False
) -> Slice:
    """Rename, describe or share a slice; its filters stay. Raises PermissionDenied, or Refused that names the
    field.
    """
    row = locked(slice_id, actor)
    old = {"name": digest_of(row.name), "shared": row.shared}
    row.shared = shared
    describe(row, name, description)
    store(row)
    new = {"name": digest_of(row.name), "shared": row.shared}
    ledger.record(
        actor,
        Verb.SLICE_CHANGED,
        row,
        project=row.dataset.project.uuid,
        dataset=row.dataset.uuid,
        old=old,
        new=new,
    )
    return row


@transaction.atomic
def delete_slice(*, slice_id: UUID, actor: User) -> Dataset:
    """Delete a slice, no item with it. Queues that were opened with it keep its filters. Raises
    PermissionDenied. Returns its dataset.
    """
    row = locked(slice_id, actor)
    ledger.record(
        actor,
        Verb.SLICE_DELETED,
        row,
        project=row.dataset.project.uuid,
        dataset=row.dataset.uuid,
        filters=digest_of(row.filters),
    )
    dataset = row.dataset
    row.delete()
    return dataset


# ── Counting ────────────────────────────────────────────────────────────────
def count_slice(*, slice_id: UUID, actor: User, seconds: float = COUNT_SECONDS) -> Job | None:
    """Count the slice's items: directly if that's quick (returns None), else in a job, which is returned.

    Raises PermissionDenied, or Conflict if a filter is no longer valid.
    """
    row = queries.get_slice(actor, slice_id)
    policy.require(actor, "datasets.slice", row)
    selection = Selection(row.dataset, actor, row.filters, whole=True)
    if not selection.is_valid:
        raise Conflict(
            f"{row.name} can't be counted: one of its filters is no longer valid.",
            next_step=next(iter(selection.problems.values())),
        )
    until, size = time.monotonic() + seconds, 0
    for window in selection.walk():
        size += len(window.keys)
        if window.edge is None:
            keep_size(row, size)
            return None
        if time.monotonic() > until:
            break
    args = {"slice": str(row.uuid), "user": str(actor.uuid)}
    with transaction.atomic():
        return jobs.enqueue(
            "datasets.count_slice",
            actor=actor,
            project=row.dataset.project,
            args=args,
            subject=row,
            key=f"datasets.count_slice:{row.uuid}",
        )


def keep_size(row: Slice, size: int) -> None:
    """Save how many items the slice has."""
    Slice.objects.filter(pk=row.pk).update(size=size, counted_at=timezone.now())


def run_count(ctx: JobContext) -> None:
    """The job: count the items that the requester may see. Does nothing once the slice is deleted."""
    row = Slice.objects.select_related("dataset").filter(uuid=ctx.args["slice"]).first()
    if row is None:
        return
    state = ctx.job.checkpoint or {"at": 0, "size": 0}
    size = int(state["size"])
    selection = Selection(row.dataset, User.objects.get(uuid=ctx.args["user"]), row.filters, whole=True)
    if not selection.is_valid:
        raise Conflict(
            f"{row.name} can't be counted: one of its filters is no longer valid.",
            next_step=next(iter(selection.problems.values())),
        )
    for window in selection.walk(start=int(state["at"])):
        size += len(window.keys)
        ctx.progress(size, stage="Counting items", unit="items")
        ctx.raise_if_cancelled()
        if window.edge is not None:
            ctx.checkpoint({"at": window.edge, "size": size})
    keep_size(row, size)
