"""Assign rows of a dataset version to splits and exclude rows. Pure: same input, same result, in any order.

1. Rows of the same normal text, of the same declared group, or of one group of near duplicates form a
cluster; a cluster is in one split only.
2. A row that had a split in an earlier snapshot keeps it, and a row with a split in its file keeps that.
3. Where the rows of a cluster have several such splits, the strictest wins (test, then validation, then
   train); the rows of the others are left out.
4. Rows with the same normal text but different labels contradict each other: all are left out, except test
  rows, which are never moved.
5. New clusters fill the quotas: within each label, in the order of sha256(seed, cluster), first test, then
   validation; the rest is train. Where the file has a train but no validation split, validation is taken out
   of its train rows in the same way.

A version of a slice places only the rows of the slice. The other labeled rows still constrain them: they link
texts to clusters, their splits count for the strictest, and their labels for contradictions.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from datasets_app.snapshots.rules import STRICT, TEST, TRAIN, VALIDATION, Anchor, Case, Placed, Reason, Row

GROUPS_FOR_ALL = 3  # a label with this many clusters has at least one in every split that has a share
CASES = 100


@dataclass(slots=True)
class Division:
    """The result. placed: ordered by item digest. assigned: number of rows that got their first split by
    quota.
    """

    placed: list[Placed] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    cases: list[Case] = field(default_factory=list)
    assigned: int = 0
    carved: int = 0
    duplicate_rows: int = 0
    near_rows: int = 0
    test_contradictions: int = 0


class Clusters:
    """Union of rows by their normal text, their group, and the near duplicates that were found."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, key: str) -> str:
        """The root of a key's cluster."""
        parent = self._parent
        root = key
        while (above := parent.setdefault(root, root)) != root:
            root = above
        while parent[key] != root:
            parent[key], key = root, parent[key]
        return root

    def join(self, normal: str, group: str) -> None:
        """Join a text and a group; the smallest text digest becomes the root, in any order.

        group: a key that sorts after every digest, so that one of its texts names a cluster; "" for no group.
        """
        one = self.find(normal)
        if group:
            low, high = sorted((one, self.find(group)))
            self._parent[high] = low


def group_key(group: str) -> str:
    """The key of a declared group."""
    return f"~{group}" if group else ""


def near_key(group: str) -> str:
    """The key of a group of near duplicates, distinct from all declared groups."""
    return f"}}{group}"


def divide(
    rows: Iterable[Row],
    *,
    seed: int,
    shares: Mapping[str, int],
    anchors: Iterable[Anchor] = (),
    near: Iterable[tuple[str, str]] = (),
    beside: Iterable[Row] = (),
) -> Division:
    """Split the rows. shares: percent by split, 100 in all. near: (group of near duplicates, normal text) of
    every text in one.

    beside: labeled rows that aren't placed but constrain the others. The result doesn't depend on the order
    of the rows.
    """
    outside = {row.item: row for row in beside}
    ordered = sorted([*rows, *outside.values()], key=lambda row: row.item)
    known = sorted(set(anchors))
    clusters = Clusters()
    links: list[Row | Anchor] = [*ordered, *known]
    for member in links:
        clusters.join(member.normal, group_key(member.group))
    alike = set()
    for group, normal in near:
        clusters.join(normal, near_key(group))
        alike.add(normal)
    members: dict[str, list[Row]] = defaultdict(list)
    for row in ordered:
        members[clusters.find(row.normal)].append(row)
    kept = strictest((clusters.find(member.normal), member.kept) for member in links)
    declared = strictest((clusters.find(row.normal), row.declared) for row in ordered)
    carving = shares.get(VALIDATION, 0) > 0 and not any(row.declared == VALIDATION for row in ordered)
    taken = [row for row in ordered if row.item not in outside]
    division = Division(near_rows=sum(row.normal in alike for row in taken))
    fresh: list[Fresh] = []
    for cluster, rows_in in members.items():
        split = max(kept.get(cluster, ""), declared.get(cluster, ""), key=lambda name: STRICT.get(name, -1))
        good = without_contradictions(rows_in, outside, division)
        carved = carving and cluster not in kept and split == TRAIN
        if good and (carved or not split):
            fresh.append(Fresh(cluster, good, carved))
        elif good:
            place(division, cluster, good, split)
    fill(division, fresh, strata=strata_of(taken), seed=seed, shares=shares)
    division.placed.sort(key=lambda placed: placed.row.item)
    division.cases.sort()
    return division


class Fresh(NamedTuple):
    """A cluster without a split. carved: train in its file, so it may become validation but not test."""

    cluster: str
    rows: list[Row]
    carved: bool


def strictest(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The strictest split of each cluster that has one."""
    best: dict[str, str] = {}
    for cluster, split in found:
        if split and STRICT[split] > STRICT.get(best.get(cluster, ""), -1):
            best[cluster] = split
    return best


def without_contradictions(rows: Sequence[Row], outside: Container[str], division: Division) -> list[Row]:
    """The rows of one cluster to place, without rows with the same text and another label; test rows stay and
    are counted. outside: items of rows that aren't placed; their labels count as contradictions too.
    """
    by_text: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_text[row.normal].append(row)
    good: list[Row] = []
    for same in by_text.values():
        taken = [row for row in same if row.item not in outside]
        division.duplicate_rows += max(0, len(taken) - 1)
        if len({row.label for row in same}) == 1:
            good += taken
            continue
        for row in taken:
            if own_split(row) == TEST:
                division.test_contradictions += 1
                good.append(row)
            else:
                other = next(other for other in same if other.label != row.label)
                leave_out(division, row, Reason.CONTRADICTION, other)
    return good


def own_split(row: Row) -> str:
    """The row's own split: from an earlier version, else from its file."""
    return row.kept or row.declared


def leave_out(division: Division, row: Row, reason: Reason, against: Row | None) -> None:
    """Count an excluded row, and keep it if it is among the first of its reason."""
    division.left_out[reason.value] += 1
    if division.left_out[reason.value] <= CASES:
        other = (against.item_uuid, own_split(against)) if against else ("", "")
        division.cases.append(Case(row.item_uuid, reason.value, own_split(row), *other))


def place(division: Division, cluster: str, rows: Sequence[Row], split: str) -> None:
    """Put the rows of a bound cluster into its split, except those in a less strict one."""
    strict = next((row for row in rows if own_split(row) == split), None)
    for row in rows:
        if own_split(row) in ("", split):
            division.placed.append(Placed(row, split, cluster))
        else:
            leave_out(division, row, Reason.LEAK, strict)


def strata_of(rows: Iterable[Row]) -> dict[str, str]:
    """The label by which each item is stratified: its rarest, so that rare labels reach every split; "" if it
    has none.
    """
    rows = list(rows)
    often = Counter(name for row in rows for name in row.named)
    return {row.item: min(row.named, key=lambda name: (often[name], name), default="") for row in rows}


def fill(
    division: Division,
    fresh: Sequence[Fresh],
    *,
    strata: Mapping[str, str],
    seed: int,
    shares: Mapping[str, int],
) -> None:
    """Give each new cluster its split: within each stratum, in the order of sha256(seed, cluster), as long as
    a split's quota has room.
    """
    have: dict[str, Counter[str]] = defaultdict(Counter)
    for placed in division.placed:
        have[strata[placed.row.item]][placed.split] += 1
    pools: dict[str, list[Fresh]] = defaultdict(list)
    for cluster in fresh:
        pools[main_stratum(cluster.rows, strata)].append(cluster)
    for stratum, pool in sorted(pools.items()):
        pool.sort(key=lambda cluster: (order_of(seed, cluster.cluster), cluster.cluster))
        count = have[stratum]
        target = targets(count, sum(len(cluster.rows) for cluster in pool), len(pool), shares)
        for cluster in pool:
            options = (VALIDATION,) if cluster.carved else (TEST, VALIDATION)
            split = next(
                (name for name in options if has_room(count[name], len(cluster.rows), target[name])), TRAIN
            )
            count[split] += len(cluster.rows)
            division.assigned += 0 if cluster.carved else len(cluster.rows)
            division.carved += len(cluster.rows) if cluster.carved and split == VALIDATION else 0
            division.placed += [Placed(row, split, cluster.cluster) for row in cluster.rows]


def main_stratum(rows: Sequence[Row], strata: Mapping[str, str]) -> str:
    """The most frequent stratum of a cluster; the first in order among equals."""
    counts = Counter(strata[row.item] for row in rows)
    return min(counts, key=lambda stratum: (-counts[stratum], stratum))


def order_of(seed: int, cluster: str) -> str:
    """The position of a cluster in the order."""
    return hashlib.sha256(f"{seed}:{cluster}".encode()).hexdigest()


def targets(have: Mapping[str, int], new: int, groups: int, shares: Mapping[str, int]) -> dict[str, int]:
    """How many rows of one label test and validation should have. Validation is counted on what test
    leaves.
    """
    total = sum(have.values()) + new
    test = quota(total, shares.get(TEST, 0), 100, groups)
    left = total - max(test, have.get(TEST, 0))
    return {
        TEST: test,
        VALIDATION: quota(
            left, shares.get(VALIDATION, 0), shares.get(VALIDATION, 0) + shares.get(TRAIN, 0), groups
        ),
    }


def quota(rows: int, share: int, whole: int, groups: int) -> int:
    """share / whole of the rows, rounded half up; at least one where there are enough groups for every
    split.
    """
    if not share or rows <= 0:
        return 0
    return max((2 * rows * share + whole) // (2 * whole), 1 if groups >= GROUPS_FOR_ALL else 0)


def has_room(count: int, size: int, target: int) -> bool:
    """Whether a cluster fits into a quota; the first one fits whatever its size."""
    return count + size <= target or (count == 0 and target > 0)
