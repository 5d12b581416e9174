"""Create dataset versions: requested, built by a job, and visible only once complete."""

from __future__ import annotations

import tempfile
from collections.abc import Container, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.db import transaction

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.review.queries.moves import decisions_behind
from datasets_app.scanning import queries as scanning
from datasets_app.scanning.rules import Kind
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.snapshots import manifest, queries, rules
from datasets_app.snapshots.actions.choosing import choose, chosen, selection_of
from datasets_app.snapshots.counting import label_protocol
from datasets_app.snapshots.dividing import Division, divide
from datasets_app.snapshots.models import Snapshot, SplitAssignment
from datasets_app.snapshots.queries import Cut
from datasets_app.snapshots.rules import Reason, Row
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger import accounts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

SHARES = {"train": 80, "validation": 10, "test": 10}
SEED = 13
SEED_LIMIT = 2**31 - 1
BATCH = 1_000
REQUEST = ("snapshot", "seed", "shares", "note")  # arguments of the job that are also in its event


@transaction.atomic
def freeze(
    *,
    dataset: Dataset,
    actor: User,
    seed: int = SEED,
    shares: dict[str, int] | None = None,
    note: str = "",
    after: int | None = None,
    slice_id: UUID | None = None,
    by_system: bool = False,
) -> Job:
    """Enqueue a job that creates a version of the labeled items; its uuid is job.args["snapshot"].

    shares: percent by split. after: the number of the newest version shown on the page (0 for none), None for
    any. slice_id: a slice that the actor sees; only items matching its filters are included, while all other
    labeled items still constrain the splits. by_system: split by fixed rules on behalf of the actor, who then
    doesn't count as the person who split it.
    Raises PermissionDenied, Refused (nothing labeled, shares that don't add up to 100 %, an unknown or
    invalid slice), or Conflict (another version is being created, stale page).
    """
    Dataset.objects.select_for_update(of=("self",), no_key=True).get(pk=dataset.pk)
    policy.require(actor, "snapshots.create", dataset)
    shares = dict(shares or SHARES)
    if errors := rules.check_shares(shares):
        raise Refused(next(iter(errors.values()))[0], fields=errors)
    if not 0 <= seed <= SEED_LIMIT:
        message = f"The seed must be a whole number from 0 to {SEED_LIMIT:,}."
        raise Refused(message, fields={"seed": [message]})
    kept = datasets.find_slice(actor, dataset, slice_id) if slice_id else None
    selection = selection_of(dataset, actor, kept.filters) if kept else None
    newest = queries.latest(dataset)
    number = newest.number if newest else 0
    if after is not None and after != number:
        raise Conflict(
            f"Version {number} was created while you were editing.",
            next_step="Open it; create another version only if you need one.",
        )
    if queries.freezing_now(dataset):
        raise Conflict("A version of this dataset is being created.", next_step="Wait until that finishes.")
    check_moved(dataset)
    if not queries.has_decisions(dataset):
        raise Refused(
            "This dataset has no labeled items yet.",
            next_step="Label items, or import a file with resolved labels.",
        )
    request = {"snapshot": str(uuid4()), "seed": seed, "shares": shares, "note": note.strip()[:300]}
    args = {
        **request,
        "dataset": str(dataset.uuid),
        "after": number,
        "filters": selection.filters if selection else None,
    }
    job = jobs.enqueue(
        "snapshots.create",
        actor=actor,
        project=dataset.project,
        args=args,
        subject=dataset,
        key=f"snapshots.freeze:{dataset.uuid}",
    )
    of_slice = {"slice": kept.uuid, "filters": digest_of(args["filters"])} if kept else {}
    ledger.record(
        actor,
        Verb.SNAPSHOT_REQUESTED,
        dataset,
        project=dataset.project.uuid,
        by_system=by_system,
        **request,
        **of_slice,
    )
    return job


def run_freeze(ctx: JobContext) -> None:
    """The job: read, split, write the manifest, then create the row. A rerun after a crash creates the same
    version.
    """
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    snapshot = Snapshot.objects.filter(uuid=ctx.args["snapshot"]).first()
    if snapshot is None:
        if newest := queries.latest(dataset):
            write_assignments(ctx, newest)  # its own job may have died after creating the row
        snapshot = make(ctx, dataset)
    write_assignments(ctx, snapshot)


def make(ctx: JobContext, dataset: Dataset) -> Snapshot:
    """Everything up to the version's row. Raises Refused if these rows can't form a version, or the audit log
    has no request for it.
    """
    check_request(ctx, dataset)
    filters = ctx.args.get("filters")
    selection = selection_of(dataset, requester(ctx), filters) if filters else None
    if not ctx.job.checkpoint:
        cut_now = cut_with_schema(dataset)
        ctx.checkpoint({**cut_now, "chosen": choose(ctx, selection) if selection else ""})
    kept: dict[str, Any] = ctx.job.checkpoint
    cut = Cut(kept["decision"], kept["uploads"], kept["items"])
    schema = LabelSchema.objects.get(pk=kept["schema"])
    taken = chosen(kept["chosen"]) if selection else None
    read = read_rows(ctx, dataset, cut, schema, taken)
    ctx.progress(len(read.rows), stage="Splitting", unit="rows")
    division = divide(
        read.rows,
        seed=ctx.args["seed"],
        shares=ctx.args["shares"],
        anchors=queries.anchors(dataset),
        near=scanning.near_texts(dataset),
        beside=read.beside,
    )
    division.left_out.update({Reason.REMOVED.value: read.removed} if read.removed else {})
    if refusal := rules.why_not(division.placed, division.left_out):
        raise Refused(f"The version wasn't created. {refusal[0]}", next_step=refusal[1])
    ctx.raise_if_cancelled()
    ctx.progress(len(read.rows), stage="Writing the manifest")
    filters_digest = digest_of(filters) if filters else ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.parquet"
        manifest.write(path, division.placed, filters_digest)
        blob = artifacts.put_file(path, media_type="application/vnd.apache.parquet")
        labels = {"label_protocol": label_protocol(schema, manifest.read(path), partial(count_labels, ctx))}
    items = cut.items if taken is None else len(taken)
    whole, test = rules.digests(division.placed, schema.digest, filters_digest)
    values = {
        "schema": schema,
        "manifest": blob,
        "digest": whole,
        "test_digest": test,
        "counts": rules.counts(division.placed) | labels,
        "leakage": leakage(dataset, division, unlabeled=max(0, items - len(read.rows) - read.removed)),
        "filters": filters,
    }
    ctx.raise_if_cancelled()
    return record(ctx, dataset, values)


@transaction.atomic
def cut_with_schema(dataset: Dataset) -> dict[str, int | list[int]]:
    """The current cut and schema version, read while the schema is locked.

    Raises Refused if there is no schema, Conflict if decisions have labels removed since the version was
    requested.
    """
    Dataset.objects.select_for_update(of=("self",), no_key=True).get(pk=dataset.pk)
    schema = queries.newest_schema(dataset)
    if schema is None:
        raise Refused("This dataset has no labels yet.", next_step="Publish a label schema first.")
    check_moved(dataset)
    return {**queries.cut_of(dataset)._asdict(), "schema": schema.pk}


def check_moved(dataset: Dataset) -> None:
    """Raise Conflict while decisions have removed labels: people who changed labels would otherwise select
    rows.
    """
    if decisions_behind(dataset).exists():
        message = "Labels of merged or split labels are still being moved and would be excluded."
        raise Conflict(
            message, next_step="Wait until that job finishes, or move them on the label schema page."
        )


def check_request(ctx: JobContext, dataset: Dataset) -> None:
    """Raise Refused unless the audit log shows that the job's creator requested this version with these
    options.
    """
    request = {name: ctx.args[name] for name in REQUEST} | (
        {"filters": digest_of(ctx.args["filters"])} if ctx.args.get("filters") else {}
    )
    by = ctx.job.created_by and str(ctx.job.created_by.uuid)
    events = accounts.events_about(dataset.uuid, {Verb.SNAPSHOT_REQUESTED})
    if not any(event.actor == by and request_in(event.payload) == request for event in events):
        raise Refused("The audit log doesn't show who requested this version.", next_step="Create it again.")


def request_in(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The requested version and its options, from an event."""
    return {name: payload[name] for name in (*REQUEST, "filters") if name in payload}


def count_labels(ctx: JobContext, rows: int) -> None:
    """Report how many labels were counted."""
    ctx.progress(rows, stage="Counting label sources", unit="rows")
    ctx.raise_if_cancelled()


class Read(NamedTuple):
    """Labeled rows. beside: rows outside the slice. removed: number of other rows with a label that's no
    longer in the schema.
    """

    rows: list[Row]
    beside: list[Row]
    removed: int


def read_rows(
    ctx: JobContext, dataset: Dataset, cut: Cut, schema: LabelSchema, taken: Container[int] | None
) -> Read:
    """The labeled rows at the cut. taken: the keys of the slice's items; None for all items."""
    rows: list[Row] = []
    beside: list[Row] = []
    removed = 0
    for count, (key, found) in enumerate(queries.decided_rows(dataset, cut, schema), start=1):
        is_taken = taken is None or key in taken
        if isinstance(found, Row):
            (rows if is_taken else beside).append(found)
        else:
            removed += is_taken
        if count % BATCH == 0:
            ctx.progress(count, cut.items, stage="Reading labels", unit="rows")
            ctx.raise_if_cancelled()
    return Read(rows, beside, removed)


def requester(ctx: JobContext) -> User:
    """The person who requested a version of a slice: its filters select from what this person sees."""
    actor: User | None = ctx.job.created_by
    if actor is None:
        raise Refused("A version of a slice must be requested by a person.")
    return actor


def leakage(dataset: Dataset, division: Division, *, unlabeled: int) -> dict[str, Any]:
    """The leakage report stored with the version. leaked: test rows that are also in train, re-counted.

    scanned: whether a scan for near duplicates was done; near_rows: labeled rows in a group of near
    duplicates.
    """
    return {
        "leaked": rules.leaked_rows(division.placed),
        "left_out": dict(division.left_out),
        "unlabeled": unlabeled,
        "scanned": scanning.was_scanned(dataset, Kind.NEAR_DUPLICATE),
        "near_rows": division.near_rows,
        "duplicate_rows": division.duplicate_rows,
        "test_contradictions": division.test_contradictions,
        "assigned": division.assigned,
        "carved": division.carved,
        "cases": [case._asdict() for case in division.cases],
    }


@transaction.atomic
def record(ctx: JobContext, dataset: Dataset, values: dict[str, Any]) -> Snapshot:
    """Create the row while the job is still ours and no other version was created."""
    ctx.hold()
    Dataset.objects.select_for_update(of=("self",), no_key=True).get(pk=dataset.pk)
    parent = queries.latest(dataset)
    number = parent.number if parent else 0
    if number != ctx.args["after"]:
        raise Conflict(
            f"Version {number} was created in the meantime, so this one wasn't.",
            next_step="Create a version again if you need another.",
        )
    actor = ctx.job.created_by
    snapshot = Snapshot.objects.create(
        uuid=ctx.args["snapshot"],
        dataset=dataset,
        number=number + 1,
        parent=parent,
        created_by=actor,
        seed=ctx.args["seed"],
        shares=ctx.args["shares"],
        note=ctx.args["note"],
        **values,
    )
    ledger.record(
        actor,
        Verb.SNAPSHOT_CREATED,
        snapshot,
        project=dataset.project.uuid,
        dataset=dataset.uuid,
        number=snapshot.number,
        digest=snapshot.digest,
        test_digest=snapshot.test_digest,
        manifest=values["manifest"].digest,
        schema=values["schema"].uuid,
        rows=values["counts"]["rows"],
        left_out=values["leakage"]["left_out"],
        **({"filters": digest_of(values["filters"])} if values["filters"] else {}),
    )
    return snapshot


def write_assignments(ctx: JobContext, snapshot: Snapshot) -> None:
    """Save the split of every item that is in a version for the first time, in batches; other items keep
    theirs.
    """
    total = snapshot.counts["rows"]
    if SplitAssignment.objects.filter(snapshot=snapshot).count() >= total:
        return
    done = 0
    rows = queries.open_snapshot(snapshot)
    while batch := list(islice(rows, BATCH)):
        write_batch(snapshot, batch)
        done += len(batch)
        ctx.progress(done, total, stage="Saving splits", unit="rows")


@transaction.atomic
def write_batch(snapshot: Snapshot, batch: list[manifest.ManifestRow]) -> None:
    """Save the splits of one batch."""
    uuids = [row.item_uuid for row in batch]
    fresh = {
        str(uuid): pk
        for pk, uuid in Item.objects.filter(uuid__in=uuids, assignment__isnull=True).values_list("pk", "uuid")
    }
    SplitAssignment.objects.bulk_create(
        [
            SplitAssignment(
                item_id=fresh[row.item_uuid], split=row.split, cluster=row.cluster, snapshot=snapshot
            )
            for row in batch
            if row.item_uuid in fresh
        ],
        ignore_conflicts=True,
    )
