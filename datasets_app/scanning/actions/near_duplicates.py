"""The job that finds near-duplicate texts, and groups of them with different resolved labels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import transaction

from datasets_app.datasets.models import Dataset, Item
from datasets_app.scanning import queries, rules
from datasets_app.scanning.actions.recording import Draft, record
from datasets_app.scanning.actions.scans import finish, load
from datasets_app.scanning.duplicates import Corpus, Member
from datasets_app.scanning.models import DuplicateGroup, GroupMember, Scan
from datasets_app.scanning.rules import Kind
from lifecycle.ground.jobs.context import JobContext

BATCH = 1_000


def run_near_duplicates(ctx: JobContext) -> None:
    """The job: sign, compare, confirm, then write groups and findings in batches. A rerun after a crash finds
    the same.
    """
    scan = load(ctx)
    found = {"groups": 0, "conflicts": 0, "repeats": 0}
    with tempfile.TemporaryDirectory() as folder:
        corpus = read(ctx, scan.dataset, Path(folder))
        waiting: list[list[Member]] = []
        for group in corpus.groups(lambda stage, done, total: report_progress(ctx, stage, done, total)):
            waiting.append(group)
            # a group, its members and two findings make at most 1,000 rows
            if sum(len(each) for each in waiting) >= BATCH // 4:
                write(ctx, scan, waiting, found)
                waiting = []
        write(ctx, scan, waiting, found)
    finish(ctx, scan, {"rows": len(corpus)} | found)


def read(ctx: JobContext, dataset: Dataset, folder: Path) -> Corpus:
    """Write the visible texts to disk."""
    upto = queries.newest_item(dataset)
    corpus = Corpus(folder)
    for page in queries.texts(dataset, upto):
        corpus.add(page)
        report_progress(ctx, "Reading texts", len(corpus), dataset.items_total)
    return corpus


def report_progress(ctx: JobContext, stage: str, done: int, total: int) -> None:
    """Report progress, and stop if the job was cancelled."""
    ctx.progress(
        done,
        total,
        stage=stage,
        unit={"Comparing bands": "bands", "Confirming pairs": "pairs"}.get(stage, "texts"),
    )
    ctx.raise_if_cancelled()


def write(ctx: JobContext, scan: Scan, groups: Sequence[list[Member]], found: dict[str, int]) -> None:
    """Write some groups with their members, then their findings."""
    ctx.raise_if_cancelled()
    keys = [member.key for group in groups for member in group]
    digests = digests_of(keys)
    labels = queries.labels_of(keys)
    named = {rules.group_digest(digests[member.key] for member in group): group for group in groups}
    rows = write_groups(ctx, scan, named)
    duplicates, conflicts = [], []
    for digest, group in named.items():
        row = rows[digest]
        decided = {
            digests[member.key]: labels[member.key].stable_id for member in group if member.key in labels
        }
        names = dict(
            Counter(labels[member.key].name for member in group if member.key in labels).most_common()
        )
        lowest = min(member.nearest for member in group)
        duplicates.append(
            Draft(Kind.NEAR_DUPLICATE, rules.duplicate_key(digest), lowest, group=row, labels=names)
        )
        if score := rules.conflict_score(decided.values()):
            conflicts.append(
                Draft(
                    Kind.LABEL_CONFLICT, rules.conflict_key(digest, decided), score, group=row, labels=names
                )
            )
    record(ctx, scan, duplicates)
    record(ctx, scan, conflicts)
    found["groups"] += len(duplicates)
    found["conflicts"] += len(conflicts)
    found["repeats"] += len(keys) - len(groups)
    ctx.progress(found["groups"], stage="Writing groups", unit="groups")


def digests_of(keys: Sequence[int]) -> dict[int, str]:
    """Item digests by key."""
    found: dict[int, str] = {}
    for at in range(0, len(keys), BATCH):
        found |= dict(Item.objects.filter(pk__in=keys[at : at + BATCH]).values_list("pk", "digest"))
    return found


def write_groups(ctx: JobContext, scan: Scan, named: dict[str, list[Member]]) -> dict[str, int]:
    """Create missing groups with all their members. Returns the key of each group by its digest."""
    with transaction.atomic():
        ctx.hold()
        DuplicateGroup.objects.bulk_create(
            [
                DuplicateGroup(
                    dataset=scan.dataset, digest=digest, size=len(group), opening_id=group[0].key, scan=scan
                )
                for digest, group in named.items()
            ],
            ignore_conflicts=True,
        )
    kept = DuplicateGroup.objects.filter(dataset=scan.dataset, digest__in=list(named))
    rows: dict[str, int] = dict(kept.values_list("digest", "pk"))
    makers: list[dict[str, Any]] = [
        {"group_id": rows[digest], "item_id": member.key, "nearest": member.nearest, "first": member.first}
        for digest, group in named.items()
        for member in group
    ]
    for at in range(0, len(makers), BATCH):
        ctx.raise_if_cancelled()
        with transaction.atomic():
            ctx.hold()
            GroupMember.objects.bulk_create(
                [GroupMember(**maker) for maker in makers[at : at + BATCH]], ignore_conflicts=True
            )
    return rows
