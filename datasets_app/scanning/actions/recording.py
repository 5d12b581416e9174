"""Save the findings of a scan: new ones are added, known ones keep their status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction

from datasets_app.scanning.actions.scans import count
from datasets_app.scanning.models import Finding, Scan
from datasets_app.scanning.rules import Status, status_when_found
from lifecycle.ground.jobs.context import JobContext


class Draft(NamedTuple):
    """A finding that isn't saved yet. item, group, given, predicted: keys of rows; exactly one of item and
    group.
    """

    kind: str
    key: str
    score: float
    item: int | None = None
    group: int | None = None
    given: int | None = None
    predicted: int | None = None
    labels: dict[str, int] | None = None


@transaction.atomic
def record(ctx: JobContext, scan: Scan, drafts: Sequence[Draft]) -> None:
    """Save at most 1,000 drafts of one kind while the job is still ours."""
    if not drafts:
        return
    ctx.hold()
    kind = drafts[0].kind
    rows = Finding.objects.select_for_update().filter(
        dataset=scan.dataset, kind=kind, key__in=[draft.key for draft in drafts]
    )
    known = {row.key: row for row in rows}
    fresh = [draft for draft in drafts if draft.key not in known]
    Finding.objects.bulk_create(
        Finding(
            dataset=scan.dataset,
            kind=kind,
            key=draft.key,
            score=draft.score,
            item_id=draft.item,
            group_id=draft.group,
            given_label_id=draft.given,
            predicted_label_id=draft.predicted,
            labels=draft.labels or {},
            scan=scan,
            last_scan=scan,
        )
        for draft in fresh
    )
    changes: Counter[Status] = Counter({Status.OPEN: len(fresh)})
    for draft in drafts:
        if (row := known.get(draft.key)) is not None:
            old = Status(row.status)
            row.status = status_when_found(old, decided=row.reviewed_at is not None)
            changes[Status(row.status)] += 1
            changes[old] -= 1
            row.last_scan, row.score, row.given_label_id, row.predicted_label_id = (
                scan,
                draft.score,
                draft.given,
                draft.predicted,
            )
            row.labels = draft.labels or {}
    Finding.objects.bulk_update(
        known.values(),
        ["status", "last_scan", "score", "given_label", "predicted_label", "labels"],
        batch_size=100,
    )
    count(scan.dataset, kind, changes)
