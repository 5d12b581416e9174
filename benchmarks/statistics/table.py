"""The lines of the table: what they say, when their bar is met, and what a case is."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

COVERAGE, ALARMS, POWER = "coverage", "false alarms", "power"
NOMINAL, POINTS, ALPHA, OF_ORACLE = 0.95, 0.02, 0.05, 0.8
QUICK, ERRORS = 0.1, 2.0  # of the runs; standard errors of the simulation


@dataclass(frozen=True)
class Row:
    """A line of the table. ours, peer, bar: shares of `runs`; peer is None where nothing usual does the same.
    usual: what the peer is.
    """

    what: str
    world: str
    size: str
    kind: str
    runs: int
    ours: float
    bar: float
    peer: float | None = None
    usual: str = ""

    def met(self, errors: float = 0.0) -> bool:
        """Whether the bar is. errors: how many standard errors of the simulation coverage and power may
        lack.
        """
        error = (self.bar * (1 - self.bar) / self.runs) ** 0.5
        return (
            self.ours <= self.bar + ERRORS * error
            if self.kind == ALARMS
            else self.ours >= self.bar - errors * error
        )


@dataclass(frozen=True)
class Draw:
    """Where a case draws from. scale: of its runs."""

    random: np.random.Generator
    scale: float = 1.0

    def runs(self, number: int) -> int:
        """So many, scaled; 4 at least."""
        return max(4, round(number * self.scale))


Case = Callable[[Draw], Iterator[Row]]


def played(case: Case, scale: float, seed: int) -> Iterator[Row]:
    """The rows of a case; the same for the same arguments, whatever other cases there are."""
    yield from case(Draw(np.random.default_rng([seed, zlib.crc32(case.__name__.encode())]), scale))


HEAD = (
    "| what | world | size | | bar | ours | peer | peer's rule | met |\n|---|---|---|---|---|---|---|---|---|"
)


def line(row: Row, errors: float = 0.0) -> str:
    """As a line of a table in Markdown."""
    sign = "≤" if row.kind == ALARMS else "≥"
    digits = 2 if row.bar < 0.01 else 1
    ours, bar, peer = (
        f"{100 * each:.{digits}f}" if each is not None else "" for each in (row.ours, row.bar, row.peer)
    )
    cells = (
        row.what,
        row.world,
        row.size,
        row.kind,
        f"{sign} {bar} %",
        f"{ours} %",
        f"{peer} %" if peer else "",
        row.usual,
    )
    return f"| {' | '.join(cells)} | {'yes' if row.met(errors) else '**no**'} |"


def covers(
    named: tuple[str, str, str],
    runs: int,
    ours: float,
    peer: float | None = None,
    usual: str = "",
    nominal: float = NOMINAL,
) -> Row:
    """A row of coverage. named: what, world and size."""
    return Row(
        *named, COVERAGE, runs, float(ours), nominal - POINTS, None if peer is None else float(peer), usual
    )


def cries(
    named: tuple[str, str, str], runs: int, ours: float, peer: float, usual: str, alpha: float = ALPHA
) -> Row:
    """A row of false alarms."""
    return Row(*named, ALARMS, runs, float(ours), alpha, float(peer), usual)


def finds(named: tuple[str, str, str], runs: int, ours: float, best: float) -> Row:
    """A row of power. best: the oracle's."""
    return Row(*named, POWER, runs, float(ours), OF_ORACLE * float(best))
