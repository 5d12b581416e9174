"""Counts of traffic that can be added up over minutes, versions and arms without loss. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lifecycle.runtime.statistics.clustered import Sums
from monitoring.traffic import histogram
from monitoring.traffic.histogram import Histogram
from monitoring.traffic.rules import CONFIDENCE_BINS, OOV_BINS, Ending, ending, share_bin
from monitoring.traffic.senders import add_written, by_sender, side_of

NUMBERS = (
    "requests",
    "errors",
    "refused",
    "shed",
    "answers",
    "truncated",
    "cpu_us",
    "timed",
    "right",
    "wrong",
    "overrides",
    "agree",
    "disagree",
    "lost_milli",
)
HISTOGRAMS = ("latency", "labels", "confidence", "chars", "tokens", "oov", "by_sender", "written")
FIELDS = (*NUMBERS, *HISTOGRAMS)


@dataclass
class Counts:
    """What a rollup holds. requests = answered + errors (5xx) + refused (4xx but 429) + shed (429); answers
    counts texts.

    lost_milli: thousandths of requests that are believed to have come while no server could take them, and
    that are in none of the others; see `actions.probing`.
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    shed: int = 0
    answers: int = 0
    truncated: int = 0
    cpu_us: int = 0
    timed: int = 0
    right: int = 0
    wrong: int = 0
    overrides: int = 0
    agree: int = 0
    disagree: int = 0
    lost_milli: int = 0
    latency: Histogram = field(default_factory=dict)
    labels: Histogram = field(default_factory=dict)
    confidence: Histogram = field(default_factory=dict)
    chars: Histogram = field(default_factory=dict)
    tokens: Histogram = field(default_factory=dict)
    oov: Histogram = field(default_factory=dict)
    by_sender: Histogram = field(default_factory=dict)
    written: Histogram = field(default_factory=dict)

    def add_request(self, code: int, latency_ms: float) -> None:
        """One request by its status. Only answered ones have a latency that means something."""
        self.requests += 1
        what = ending(code)
        if what is Ending.ANSWERED:
            histogram.count(self.latency, histogram.bucket(latency_ms))
        else:
            setattr(self, what.value, getattr(self, what.value) + 1)

    def add_answer(
        self,
        *,
        labels: Iterable[str],
        confidence: float | None,
        chars: int,
        tokens: int,
        oov: float | None,
        truncated: bool,
        cpu_ms: float | None,
        written: Mapping[str, float] | None = None,
        key: str = "",
    ) -> None:
        """One answered text. confidence, oov: 0 to 1 or None where not known. written: as spooled, of a
        written answer; key: the digest of who asked.
        """
        self.answers += 1
        self.truncated += truncated
        if cpu_ms is not None:
            self.timed += 1
            self.cpu_us += round(cpu_ms * 1000)
        for label in set(labels):
            histogram.count(self.labels, label)
        if confidence is not None:
            histogram.count(self.confidence, share_bin(confidence, CONFIDENCE_BINS))
        if oov is not None:
            histogram.count(self.oov, share_bin(oov, OOV_BINS))
        if chars:
            histogram.count(self.chars, histogram.bucket(chars))
        if tokens:
            histogram.count(self.tokens, histogram.bucket(tokens))
        if written is not None:
            add_written(self.written, written, key)

    def add_feedback(self, right: bool, key: str, times: int = 1) -> None:
        """Feedback on an answer; key: the digest of who asked. times: −1 takes it out."""
        self.right += times * right
        self.wrong += times * (not right)
        histogram.count(self.by_sender, side_of(key, right), times)

    def add_compared(self, agrees: bool, key: str) -> None:
        """A shadow's answer beside the client's."""
        self.agree += agrees
        self.disagree += not agrees
        histogram.count(self.by_sender, side_of(key, agrees))

    @property
    def correct(self) -> Sums:
        """Correct predictions / those with feedback, by sender."""
        return by_sender(self.by_sender, self.right, self.wrong)

    @property
    def agreeing(self) -> Sums:
        """Of a shadow: predictions with the client's label / those that were compared, by sender."""
        return by_sender(self.by_sender, self.agree, self.disagree)

    @property
    def lost(self) -> int:
        """Requests that no server could take, to the nearest whole one."""
        return round(self.lost_milli / 1000)

    def add(self, other: Any) -> None:
        """Add another one, or a rollup, to this one. Shares nothing with it afterwards."""
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in HISTOGRAMS:
            histogram.add_to(getattr(self, name), getattr(other, name))

    def add_values(self, values: Iterable[Any]) -> None:
        """Add what a query read, in the order of FIELDS."""
        given = tuple(values)
        mine = self.__dict__
        for name, value in zip(NUMBERS, given, strict=False):
            if value:
                mine[name] += value
        for name, value in zip(HISTOGRAMS, given[len(NUMBERS) :], strict=True):
            if value:
                histogram.add_to(mine[name], value)

    def as_fields(self) -> dict[str, Any]:
        """The columns of a rollup."""
        return {name: getattr(self, name) for name in FIELDS}


def merge(several: Iterable[Any]) -> Counts:
    """All of them as one."""
    total = Counts()
    for each in several:
        total.add(each)
    return total
