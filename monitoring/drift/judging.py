"""From what a window shows to what it means: for each monitor whether it opens, stays or closes, and for the
window one state. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.words import phrase
from lifecycle.ui.numbers import count, decimals, percent
from monitoring.drift.measuring import shifts
from monitoring.drift.measuring.measured import Measured
from monitoring.drift.rules import UNIT, Held, Judgement, Mark, Monitor, Past, State, judge

Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class JudgedMonitor:
    """A monitor in a window. judgement: None where it was not measured. acts: whether it may open and close;
    else it only looks.
    """

    measured: Measured
    sure: bool
    judgement: Judgement | None
    was_open: bool
    acts: bool

    @property
    def opens(self) -> bool:
        """Whether an episode begins with this window."""
        return self.acts and self.judgement is not None and self.judgement.opens

    @property
    def closes(self) -> bool:
        """Whether an episode ends with this window."""
        return self.acts and self.judgement is not None and self.judgement.closes

    @property
    def is_open(self) -> bool:
        """Whether the monitor is open after this window."""
        return (self.was_open or self.opens) and not self.closes

    @property
    def mark(self) -> str:
        """The mark: what was not measured is never shown as good, not even where the monitor is open."""
        if self.judgement is None:
            return self.measured.mark
        if self.is_open:
            return Mark.DRIFT
        return Mark.WATCH if self.measured.ratio > 1 else Mark.OK

    def plain(self) -> dict[str, Any]:
        """As JSON holds it, with what later windows need of it."""
        found = self.measured.plain() | {"mark": self.mark, "sure": self.sure, "open": self.is_open}
        if self.judgement is None:
            return found
        verdict = self.judgement
        return found | {
            "ratio": self.measured.ratio,
            "mean": verdict.mean,
            "control": verdict.control,
            "over": verdict.over,
            "overs": verdict.overs,
            "of": verdict.of,
            "held": verdict.held,
            "quiet": not (verdict.over or self.was_open or self.is_open),
        }


def past_of(before: Sequence[Results], monitor: str) -> list[Past]:
    """The windows of a monitor that were measured, in the order given."""
    found = [results[monitor] for results in before if results.get(monitor, {}).get("ratio") is not None]
    return [Past(each["ratio"], each["mean"], each["over"], each["quiet"]) for each in found]


def assess(
    found: Sequence[Measured], before: Sequence[Results], was_open: Collection[str], *, acts: bool = True
) -> list[JudgedMonitor]:
    """Judge a window. before: results of the windows before it, oldest first. was_open: the open monitors."""
    sure = shifts.sure(found)
    results = []
    for each in found:
        is_open = each.monitor in was_open
        if each.value is None or each.critical is None:
            results.append(JudgedMonitor(each, False, None, is_open, acts))
            continue
        past, certain = past_of(before, each.monitor), sure[each.monitor]
        meaning = judge(
            past, ratio=each.ratio, rows=each.m, sure=certain, is_open=is_open, matters=each.matters
        )
        results.append(JudgedMonitor(each, certain, meaning, is_open, acts))
    return results


def state_of(results: Sequence[JudgedMonitor]) -> State:
    """One state for the window: the worst mark of its monitors. Drift only where an open one was measured;
    nothing measured is insufficient, never good.
    """
    measured = [each for each in results if each.judgement is not None]
    if not measured:
        return State.INSUFFICIENT
    marks = {each.mark for each in measured}
    return next((state for state in (State.DRIFT, State.WATCH) if state in marks), State.OK)


def worst_of(results: Sequence[JudgedMonitor]) -> JudgedMonitor | None:
    """The monitor farthest on the way to its limit, or beyond it."""
    return max(
        (each for each in results if each.judgement is not None),
        key=lambda each: each.measured.ratio,
        default=None,
    )


# ── Sentences ───────────────────────────────────────────────────────────────
def shown(monitor: str, value: float | None) -> str:
    """A value as people read it: PSI 0.31, AUC 0.74, 3.1 points."""
    unit = UNIT.get(Monitor(monitor), "PSI")
    if value is None:
        return "Not measured"
    return (
        f"{decimals(100 * value, 1)} points"
        if unit == "fall"
        else f"{unit} {decimals(value, 3 if unit == 'PSI' else 2)}"
    )


def against(monitor: str, value: float | None, limit: float | None) -> str:
    """A value with its limit: PSI 0.316, limit PSI 0.242; of accuracy: down 16.5 points, limit 8.6 points."""
    return f"{moved(monitor, value)}, limit {shown(monitor, limit)}"


def moved(monitor: str, value: float | None) -> str:
    """What a monitor measured: as `shown`, with the direction of accuracy, whose value is a fall: down 16.5
    points, up 0.4 points.
    """
    if value is None or UNIT.get(Monitor(monitor)) != "fall":
        return shown(monitor, value)
    return f"{'down' if value >= 0 else 'up'} {shown(monitor, abs(value))}"


def sentence(results: Sequence[JudgedMonitor], rows: int) -> str:
    """Why the window has its state."""
    measured = [each for each in results if each.judgement is not None]
    still = [Monitor(each.measured.monitor).label for each in results if each.is_open]
    if not measured:
        few = next(
            (each.measured.why for each in results if each.measured.mark == Mark.INSUFFICIENT),
            "Nothing could be measured.",
        )
        waits = f" Still open from before: {phrase(still)}." if still else ""
        return f"{few}{waits}" if rows else f"No predictions in this window.{waits}"
    opened = [each for each in measured if each.is_open]
    if opened:
        return " ".join(open_sentence(each) for each in opened)[:500]
    over = [each for each in measured if each.measured.ratio > 1]
    if over:
        return " ".join(held_sentence(each) for each in over)[:500]
    return "No statistically and practically significant difference from the evaluation."


def open_sentence(each: JudgedMonitor) -> str:
    """The sentence of an open monitor."""
    found, verdict = each.measured, each.judgement
    if verdict is None:
        return ""
    if each.opens and verdict.abrupt:
        often = f"; {of_limit(found.ratio)} in {found.m} rows, so one window is enough"
    else:
        often = (
            f"; {how_often(verdict.overs, verdict.of)}" if verdict.over else "; closes after 3 quiet windows"
        )
    return f"{Monitor(found.monitor).label}: {against(found.monitor, found.value, found.limit)}{often}."


def how_often(overs: int, of: int) -> str:
    """In how many of the last windows a monitor was over its limit, without a full stop."""
    return f"exceeded in {overs} of the last {of} windows" if of > 1 else "exceeded in the only window so far"


def held_sentence(each: JudgedMonitor) -> str:
    """Of a monitor that was over its limit and opened nothing."""
    found, held = each.measured, each.judgement.held if each.judgement else None
    why = Held(held).label.lower() if held else "this window opens nothing"
    return (
        f"{Monitor(found.monitor).label} exceeded its limit ({shown(found.monitor, found.value)}) but opened"
        f" nothing: {why}."
    )


def of_limit(ratio: float) -> str:
    """How far a monitor is: 72 % of its limit, 21.6 times its limit."""
    return f"{percent(ratio)} of its limit" if ratio < 2 else f"{decimals(ratio, 1)} times its limit"


def asked_by(found: Mapping[str, Any]) -> str:
    """The senders of a monitor's rows with their design effect: 50, effect 7.3."""
    if found["senders"] is None:
        return "unknown"
    return f"{count(found['senders'])}, effect {decimals(found['design_effect'], 1)}"


def chance(p: float | None) -> str:
    """How probable so large a difference is without any drift."""
    if p is None:
        return "Not measured"
    return f"under {percent(0.0001, 2)}" if p < 0.0001 else percent(p, 2)
