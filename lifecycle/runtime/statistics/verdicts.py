"""What may be said of a difference: one vocabulary and one rule, for every page that compares two figures. Standard library only."""

from __future__ import annotations

from enum import StrEnum

from lifecycle.runtime.statistics.intervals import Interval


class Verdict(StrEnum):
    """As reports and the API have it; `words` as people read it."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"
    FEW = "insufficient"
    NOT_MEASURED = "not_measured"

    @property
    def words(self) -> str:
        """Within a sentence."""
        return WORDS[self]


WORDS = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.UNCLEAR: "no clear difference",
    Verdict.FEW: "not enough data",
    Verdict.NOT_MEASURED: "not measured",
}
SURE = 0.05


def verdict(found: Interval, *, up: bool = True, matters: float = 0.0, p: float | None = None) -> Verdict:
    """Whether a difference (one less the other) is told from chance, and is large enough to matter.

    The interval lies wholly beyond `matters`, the smallest difference that does (0 or more), on one side, and p, adjusted for all that is
    compared with it, is below 0.05 where there is one. up: whether more is better.
    """
    if p is not None and p >= SURE:
        return Verdict.UNCLEAR
    if found.low > matters:
        return Verdict.BETTER if up else Verdict.WORSE
    if found.high < -matters:
        return Verdict.WORSE if up else Verdict.BETTER
    return Verdict.UNCLEAR
