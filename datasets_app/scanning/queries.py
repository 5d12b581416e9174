"""Read scans and findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.queries.decisions import asking, current_decisions, standing
from datasets_app.scanning.models import DuplicateGroup, Finding, GroupMember, Scan, Tally
from datasets_app.scanning.rules import FOUND_BY, Kind, ScanState, Status
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.labels import chunks
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.models import Job
from registry.ground.access import policy
from registry.ground.access.models import User

BATCH = 1_000
RELATED = (
    "item__dataset__project",
    "group__opening",
    "given_label",
    "predicted_label",
    "reviewed_by",
    "queue",
    "dataset__project",
)


class Place(NamedTuple):
    """A position in the ranking of findings: after this score and key."""

    score: float
    key: int


def findings(user: User) -> QuerySet[Finding]:
    """The findings that the user may see."""
    return policy.visible_to(user, Finding, "scanning.view").select_related(*RELATED)


def get_finding(user: User, uuid: UUID) -> Finding:
    """One finding that the user may see. Raises Http404."""
    return policy.get_visible(user, Finding.objects.select_related(*RELATED), "scanning.view", uuid=uuid)


def ranked(dataset: Dataset, kind: str, status: str, after: Place | None = None) -> QuerySet[Finding]:
    """The findings of one kind and status, most likely problems first, after a position."""
    rows = Finding.objects.filter(dataset=dataset, kind=kind, status=status).order_by("-score", "-id")
    return rows.filter(Q(score__lt=after.score) | Q(score=after.score, pk__lt=after.key)) if after else rows


def for_reader(user: User, dataset: Dataset, found: list[Finding]) -> list[Finding]:
    """Findings of a dataset with `hides_labels` set if a queue asks this person about one of their items."""
    if found:
        slots = asking(user, dataset)
        members = GroupMember.objects.filter(group=OuterRef(OuterRef("group"))).values("item")
        asked = Exists(slots.filter(item=OuterRef("item"))) | Exists(slots.filter(item__in=members))
        hidden = set(
            Finding.objects.filter(asked, pk__in=[row.pk for row in found]).values_list("pk", flat=True)
        )
        for row in found:
            row.hides_labels = row.pk in hidden
    return found


def of_item(item: Item) -> list[Finding]:
    """The findings of an item and of its groups, newest first, without those no longer found."""
    about = Q(item=item) | Q(group__in=GroupMember.objects.filter(item=item).values("group"))
    return list(
        Finding.objects.filter(about, dataset=item.dataset_id)
        .exclude(status=Status.GONE)
        .select_related(*RELATED)
        .order_by("-id")
    )


def tallies(dataset: Dataset) -> dict[str, Tally]:
    """Finding counts by kind; zeros if nothing was scanned yet."""
    found = {tally.kind: tally for tally in Tally.objects.filter(dataset=dataset)}
    return {kind: found.get(kind) or Tally(dataset=dataset, kind=kind) for kind in Kind.values}


def scans(dataset: Dataset, limit: int = 10) -> list[Scan]:
    """The newest scans of a dataset."""
    return list(Scan.objects.filter(dataset=dataset).select_related("created_by").order_by("-id")[:limit])


def newest_scan(dataset: Dataset, kind: str) -> Scan | None:
    """The newest scan of this kind."""
    return (
        Scan.objects.filter(dataset=dataset, kind=kind).select_related("created_by").order_by("-id").first()
    )


def was_scanned(dataset: Dataset, kind: Kind) -> bool:
    """Whether a scan for this kind of finding ever succeeded."""
    scans_for = [scan for scan, kinds in FOUND_BY.items() if kind in kinds]
    return Scan.objects.filter(dataset=dataset, kind__in=scans_for, state=ScanState.DONE).exists()


def running(dataset: Dataset, kind: str) -> Scan | None:
    """The running scan of this kind."""
    return Scan.objects.filter(dataset=dataset, kind=kind, state=ScanState.RUNNING).first()


def job_of(dataset: Dataset, kind: str) -> Job | None:
    """The newest scan job of a dataset and kind."""
    return jobs.of_subject(dataset).filter(kind=f"scanning.{kind}").first()


def members(group: DuplicateGroup, limit: int) -> list[GroupMember]:
    """The first members of a group, oldest items first."""
    return list(group.members.select_related("item__upload").order_by("item_id")[:limit])


def labels_of(items: Iterable[int]) -> dict[int, Label]:
    """The current label of each of these items with a single label, by key."""
    found: dict[int, Label] = {}
    for some in chunks(items):
        rows = standing().filter(item_id__in=some).select_related("label")
        found |= {row.item_id: row.label for row in rows if row.label}
    return found


def near_texts(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(digest of the group, normal digest of the text) of everything in a group of near duplicates not
    dismissed, by pages.
    """
    near = Finding.objects.filter(
        dataset=dataset, kind=Kind.NEAR_DUPLICATE, status__in=[Status.OPEN, Status.CONFIRMED]
    )
    rows = GroupMember.objects.filter(group__in=near.values("group")).order_by("pk")
    after = 0
    while page := list(
        rows.filter(pk__gt=after).values_list("pk", "group__digest", "item__normal_digest")[:BATCH]
    ):
        after = page[-1][0]
        yield from (row[1:] for row in page)


# ── Reading for scans ───────────────────────────────────────────────────────
def texts(dataset: Dataset, upto: int) -> Iterator[list[tuple[int, str, str]]]:
    """(key, normal digest, text) of the visible items up to a key, by pages of 1,000."""
    rows = datasets.items(dataset).filter(pk__lte=upto).values_list("pk", "normal_digest", "text")
    after = 0
    while page := list(rows.filter(pk__gt=after)[:BATCH]):
        after = page[-1][0]
        yield page


def newest_item(dataset: Dataset) -> int:
    """The key of the newest visible item; 0 if there is none."""
    return datasets.items(dataset).order_by("-id").values_list("pk", flat=True).first() or 0


def decided(dataset: Dataset) -> Iterator[list[Decision]]:
    """Current decisions with item and label, by pages of 1,000."""
    rows = current_decisions(dataset)
    after = 0
    while page := list(rows.filter(item_id__gt=after)[:BATCH]):
        after = page[-1].item_id
        yield page


def has_decisions(dataset: Dataset) -> bool:
    """Whether any visible item is decided."""
    return current_decisions(dataset).exists()
