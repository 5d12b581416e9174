"""Shares of predictions by who asked: what one customer sends resembles itself. From counts by group of
sticky keys, which add up. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.ui.numbers import count

UNIT = 10_000  # a measure of one answer is stored as a whole number of these parts


def group_of(key: str) -> int:
    """The group of a key: 0 to 255. As many independent sums tell how uncertain a share is, whatever the
    number of keys.
    """
    return blake2b(key.encode(), digest_size=1).digest()[0]


def side_of(key: str, good: bool) -> str:
    """Where one prediction is counted: 17+, or 17-; without a key + or -."""
    return f"{group_of(key) if key else ''}{'+' if good else '-'}"


def by_group(sides: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Good and other predictions of each group of keys; of none where fewer than two are known, since one key
    does not tell who asks.
    """
    groups = {name[:-1] for name, number in sides.items() if name[:-1] and number > 0}
    found = {
        group: (max(0, sides.get(f"{group}+", 0)), max(0, sides.get(f"{group}-", 0))) for group in groups
    }
    return found if len(found) > 1 else {}


def by_sender(sides: Mapping[str, int], good: int, bad: int) -> Sums:
    """Good predictions / all of them. sides: those of them that were counted by `side_of`.

    A group of keys is a cluster. What has no key is a cluster on its own.
    """
    groups = by_group(sides).values()
    keyed = clustered.sums([one for one, _ in groups], [one + two for one, two in groups])
    good, bad = max(0, good - int(keyed.above)), max(0, bad - int(keyed.below - keyed.above))
    return keyed + clustered.alone(good, good + bad)


def add_written(sums: dict[str, int], written: Mapping[str, float], key: str) -> None:
    """Add what is known of one written answer: under its group of keys one more, and under the group and
    each measure its value in ten-thousandths.
    """
    group = str(group_of(key)) if key else ""
    sums[group] = sums.get(group, 0) + 1
    for name, value in written.items():
        if parts := round(value * UNIT):
            sums[f"{group}:{name}"] = sums.get(f"{group}:{name}", 0) + parts


def of_written(sums: Mapping[str, int], measure: str) -> Sums:
    """The sum of a measure / the written answers, where a group of keys is a cluster, as in `by_sender`."""
    counts = {name: number for name, number in sums.items() if ":" not in name and number > 0}
    above = {group: sums.get(f"{group}:{measure}", 0) / UNIT for group in counts}
    groups = [group for group in counts if group]
    if len(groups) < 2:
        return clustered.alone(sum(above.values()), sum(counts.values()))
    keyed = clustered.sums([above[group] for group in groups], [counts[group] for group in groups])
    return keyed + clustered.alone(above.get("", 0.0), counts.get("", 0))


def written_share(sums: Mapping[str, int], measure: str) -> SenderShare | None:
    """The mean of a measure from 0 to 1 over written answers, clustered as by `of_written`; None without
    them.
    """
    found = of_written(sums, measure)
    if not found.below:
        return None
    share = clustered.share(found)
    groups = sum(":" not in name and bool(name) for name in sums)
    return SenderShare(share.value, share.low, share.high, round(found.below), groups if groups > 1 else None)


@dataclass(frozen=True, slots=True)
class SenderShare:
    """A share of so many rows, by sender, with its 95 % interval. senders: at least so many; None: rows are
    taken as independent.
    """

    value: float
    low: float
    high: float
    rows: int
    senders: int | None


def sender_share(sides: Mapping[str, int], good: int, bad: int, least: int = 1) -> SenderShare | None:
    """The share of good predictions, clustered as by `by_sender`; None for fewer than `least` rows."""
    if good + bad < least:
        return None
    share = clustered.share(by_sender(sides, good, bad))
    return SenderShare(share.value, share.low, share.high, good + bad, len(by_group(sides)) or None)


def asked_by(senders: int | None) -> str:
    """By how many, as the end of a phrase."""
    return f"by at least {count(senders)} senders" if senders else "treated as independent"
