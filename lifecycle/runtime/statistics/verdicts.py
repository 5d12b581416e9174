"""Verdicts on differences: one vocabulary and one rule, for every page that compares two figures. Standard
library only.
"""

from __future__ import annotations

from enum import StrEnum

from lifecycle.runtime.statistics.intervals import Interval


class Verdict(StrEnum):
    """A verdict, as in reports and the API; `words` for display."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"
    FEW = "insufficient"
    NOT_MEASURED = "not_measured"

    @property
    def words(self) -> str:
        """The verdict for use within a sentence."""
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
    """Whether a difference (one less the other) is significant and large enough to matter.

    The interval is entirely beyond `matters`, the smallest relevant difference (0 or more), on one side, and
    p, adjusted for all comparisons made with it, is below 0.05 if given. up: whether more is better.
    """
    if p is not None and p >= SURE:
        return Verdict.UNCLEAR
    if found.low > matters:
        return Verdict.BETTER if up else Verdict.WORSE
    if found.high < -matters:
        return Verdict.WORSE if up else Verdict.BETTER
    return Verdict.UNCLEAR
