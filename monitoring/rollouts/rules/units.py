"""From requests to what the rule counts: units, one for each sticky key and minute, their sums by group of
keys, and events. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Sums
from monitoring.traffic.senders import group_of
from registry.promotions.plans import METRICS

STABLE, CANARY = "stable", "canary"
ARMS = (CANARY, STABLE)
GROUPS = 256


@dataclass(frozen=True)
class Request:
    """One request of one minute, as the spool has it. unit: its sticky key, or its own id where it has none;
    keyed: which of the two.

    A request of several texts comes once for each, with one unit; is_first: whether this is the one that is
    counted as a request. judged: whether it has feedback, right or wrong.
    """

    arm: str
    unit: str
    failed: bool
    latency_ms: float | None
    wrong: bool
    is_first: bool = True
    keyed: bool = False
    judged: bool = False


@dataclass(frozen=True)
class Side:
    """What was counted of one arm. requests: as they came; units: one for each key and minute; the rest:
    units of which one was that.
    """

    requests: int = 0
    units: int = 0
    errors: int = 0
    slow: int = 0
    wrong: int = 0

    def __add__(self, other: Side) -> Side:
        return Side(*(a + b for a, b in zip(self.astuple(), other.astuple(), strict=True)))

    def astuple(self) -> tuple[int, int, int, int, int]:
        """requests, units, errors, slow, wrong."""
        return self.requests, self.units, self.errors, self.slow, self.wrong


@dataclass(frozen=True)
class Counts:
    """Both arms over the same time."""

    canary: Side = Side()
    stable: Side = Side()

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.canary + other.canary, self.stable + other.stable)

    def of(self, metric: str) -> tuple[int, int]:
        """(canary, stable) events of a kind: errors, slow or wrong; also units and requests."""
        return getattr(self.canary, metric), getattr(self.stable, metric)

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Counts:
        """As it was stored; nothing for an empty one."""
        return cls(Side(**data["canary"]), Side(**data["stable"])) if data else cls()


@dataclass(frozen=True)
class Groups:
    """Units summed by group of sticky keys: a key's units of all minutes are in one of 256 groups, by its
    hash. Units of a key resemble each other, those of different groups do not, so that groups tell how
    uncertain a share is however often the same keys return, while what is kept does not grow with the keys. A
    unit without a key is dealt to the groups on its own.

    sums: whole numbers (2, 256, 4), of the canary and the stable arm: units, errors, judged, wrong.
    """

    COLUMNS = ("units", "errors", "judged", "wrong")

    sums: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(ARMS), GROUPS, 4), dtype=np.int64))

    def __add__(self, other: Groups) -> Groups:
        return Groups(self.sums + other.sums)

    def __sub__(self, other: Groups) -> Groups:
        return Groups(self.sums - other.sums)

    def of(self, column: str) -> tuple[Sums, Sums]:
        """Of the canary and the stable arm: so many of the units were that, by group."""
        at = self.COLUMNS.index(column)
        canary, stable = (clustered.sums(arm[:, at], arm[:, 0]) for arm in self.sums)
        return canary, stable

    @property
    def keys(self) -> int:
        """At least so many different keys were met by each arm: its groups that have units."""
        return int((self.sums[:, :, 0] > 0).sum(axis=1).min())

    @property
    def measured(self) -> set[str]:
        """The metrics of which both arms could show something: errors of units, wrong answers of those that
        were judged.
        """
        return {
            name
            for name, of in (("errors", "units"), ("wrong", "judged"))
            if all(arm.above for arm in self.of(of))
        }

    def as_json(self) -> dict[str, list[list[int]]]:
        """By arm the groups that have units: their number, then the sums."""
        return {
            arm: [[int(at), *map(int, rows[at])] for at in np.flatnonzero(rows[:, 0])]
            for arm, rows in zip(ARMS, self.sums, strict=True)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, list[list[int]]]) -> Groups:
        """As it was stored; nothing for an empty one."""
        found = cls()
        for arm, rows in zip(ARMS, found.sums, strict=True):
            for at, *sums in data.get(arm, []):
                rows[at] = sums
        return found


@dataclass(frozen=True)
class Tally:
    """One minute. counts: all units; alone: those without a key; keyed: (metric, key, arm) of every key's
    unit that was that.

    A key stays on its arm, so what it does in one minute says nothing new in the next: as evidence a key's
    first event of a kind counts alone, which is for anyone who knows the other minutes. Each unit without a
    key chose its arm on its own and is evidence on its own.
    """

    counts: Counts
    alone: Counts
    keyed: frozenset[tuple[str, str, str]]
    groups: Groups


def tally(requests: Iterable[Request], slow_ms: float | None) -> Tally:
    """One minute of both arms. slow_ms: an answer above it is slow; None while no bound is known, then
    nothing is.

    Requests of one key stand and fall together (one customer with one long text, one client in a retry loop),
    so that all of them in a minute make one unit, which is failed, slow or wrong as soon as one of them is.
    The bound is the stable arm's p95 of the hour before, a number fixed before the minute began: were it
    taken from the minute itself, which requests are slow would depend on the arm.
    """
    units: dict[tuple[str, str, bool], list[bool]] = {}
    asked = {STABLE: 0, CANARY: 0}
    for each in requests:
        asked[each.arm] += each.is_first
        found = units.setdefault((each.arm, each.unit, each.keyed), [False] * 4)
        found[0] |= each.failed
        found[1] |= slow_ms is not None and each.latency_ms is not None and each.latency_ms > slow_ms
        found[2] |= each.wrong
        found[3] |= each.judged or each.wrong
    # units, and those of each metric
    sums = {(arm, keyed): [0] * (1 + len(METRICS)) for arm in asked for keyed in (False, True)}
    bad = set()
    for (arm, key, keyed), flags in units.items():
        of_kind = sums[arm, keyed]
        of_kind[0] += 1
        for at, metric in enumerate(METRICS):
            if flags[at]:
                of_kind[at + 1] += 1
                if keyed:
                    bad.add((metric, key, arm))
    groups = Groups()
    np.add.at(
        groups.sums,
        ([ARMS.index(arm) for arm, *_ in units], [group_of(key) for _, key, _ in units]),
        np.array(
            [(1, failed, judged, wrong) for failed, _, wrong, judged in units.values()], dtype=np.int64
        ).reshape(-1, 4),
    )
    alone = {arm: Side(0, *sums[arm, False]) for arm in asked}
    every = {arm: alone[arm] + Side(asked[arm], *sums[arm, True]) for arm in asked}
    return Tally(
        Counts(every[CANARY], every[STABLE]), Counts(alone[CANARY], alone[STABLE]), frozenset(bad), groups
    )
