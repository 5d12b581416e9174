"""What a window is compared with, and what a monitor shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Sums
from monitoring.drift.rules import MIN_ROWS, UNIT, Mark, Monitor, floor_of, limit_of, ratio_of
from monitoring.drift.statistics import Bins


@dataclass(frozen=True, slots=True)
class Reference:
    """What a baseline holds. histograms: by field, None where it is not known. calibration: see
    reference.calibrate.
    """

    rows: int
    histograms: Mapping[str, Mapping[str, int] | None]
    calibration: Mapping[str, Any]

    @property
    def groups(self) -> Sums | None:
        """Right rows of all rows, by group of near duplicates; None where each is one of its own."""
        known = self.calibration["groups"]
        return Sums(**known) if known else None

    @property
    def several(self) -> bool:
        """Whether a prediction may have several labels, or none."""
        return bool(self.calibration.get("several"))

    @property
    def sure(self) -> int:
        """How many rows have a confidence."""
        return int(self.calibration["sure"]["rows"]) if "sure" in self.calibration else self.rows

    def effective(self, z: float) -> float:
        """How many independent rows would measure the accuracy as precisely."""
        return clustered.effective(self.groups, z) if self.groups else self.rows

    @property
    def each(self) -> float:
        """How much of a row each counts, 0 to 1: that of independent ones if all of a group are alike, as
        near duplicates are.
        """
        return self.groups.equal / self.groups.below if self.groups else 1.0

    @property
    def one_group(self) -> bool:
        """Whether all rows are near duplicates of each other, so that nothing is known of chance."""
        return self.groups is not None and self.groups.clusters < 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One monitor in one window. value, critical: in the monitor's unit; None where it was not measured, see
    `why`. p: by chance. rates: each bin counts the predictions that have a label, of n and m; else each
    prediction is in one bin.

    senders: how many, in the sample that the design effect was estimated from. Both None: the window's rows
    are taken as independent.
    """

    monitor: str
    mark: str
    why: str = ""
    value: float | None = None
    critical: float | None = None
    p: float | None = None
    n: int = 0
    m: int = 0
    bins: Bins | None = None
    js: float | None = None
    kl_current: float | None = None
    kl_reference: float | None = None
    senders: int | None = None
    design_effect: float | None = None
    rates: bool = False

    @property
    def limit(self) -> float | None:
        """What the value must exceed."""
        return None if self.critical is None else limit_of(self.monitor, self.critical)

    @property
    def ratio(self) -> float:
        """The value on the way to its limit, 1 there. Only where it was measured."""
        if self.value is None or self.critical is None:
            raise ValueError(f"{self.monitor} was not measured.")
        return ratio_of(self.monitor, self.value, self.critical)

    @property
    def matters(self) -> bool:
        """Whether the value is above its floor."""
        return self.value is not None and self.value > floor_of(self.monitor)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; the bins are kept apart, since they are large and only one page draws them."""
        fields = {name: value for name, value in asdict(self).items() if name not in ("monitor", "bins")}
        return fields | {"limit": self.limit, "unit": UNIT.get(Monitor(self.monitor), "PSI")}

    @property
    def rows(self) -> list[list[Any]]:
        """The bins as JSON holds them: [name, count of the reference, count of the window]."""
        return (
            [list(each) for each in zip(self.bins.names, self.bins.reference, self.bins.current, strict=True)]
            if self.bins
            else []
        )


def too_few(monitor: str, m: int, least: int) -> Measured:
    """A window in which the monitor has too few rows."""
    return Measured(monitor, Mark.INSUFFICIENT, f"{m} predictions; at least {least} are needed.", m=m)


def small_reference(monitor: str, n: int, m: int) -> Measured:
    """A reference that has too little to be compared with."""
    return Measured(
        monitor,
        Mark.INSUFFICIENT,
        f"The evaluation has {n} rows to compare; at least {MIN_ROWS} are needed.",
        n=n,
        m=m,
    )
