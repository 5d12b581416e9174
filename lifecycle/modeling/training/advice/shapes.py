"""Input and output of advice. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FEW_ROWS = 8  # of a class
OPERATIONS_A_SECOND = 68e9
SEVERITIES = ("bad", "watch", "info")  # worst first
SETFIT = "Tunstall et al. 2022 (SetFit), whose smallest sets have 8 texts per label"
MEMBERSHIP = "Yeom et al. 2018: membership inference uses the gap between training and validation loss"
THIS = "This dataset version"
LIMIT = "Your limit"


@dataclass(frozen=True, slots=True)
class Answers:
    """Requirements that the data doesn't show. latency_ms, size_mb, minutes: limits; None for no limit.

    baseline_does: something simpler, such as rules or a prompted model, is good enough.
    """

    sensitive: bool = False
    latency_ms: float | None = None
    size_mb: float | None = None
    baseline_does: bool = False
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of a sample of the training texts, ascending. counted: with the base's tokenizer; else estimated
    from characters.
    """

    tokens: tuple[int, ...]
    counted: bool

    def percentile(self, percent: float) -> int:
        """The smallest length that this percentage of texts doesn't exceed; 0 without texts."""
        return self.tokens[max(0, math.ceil(len(self.tokens) * percent / 100) - 1)] if self.tokens else 0

    def share_over(self, limit: int) -> float:
        """The share of texts with more tokens, 0 to 1."""
        return sum(each > limit for each in self.tokens) / len(self.tokens) if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class Data:
    """Facts of the dataset version and its scans. labels: rows by class and split.

    leaked: test rows whose text or group is also in train. scanned: whether near duplicates were searched
    before the split. doubted: items whose label a scan doubts; None without a scan.
    """

    splits: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    leaked: int = 0
    scanned: bool = True
    contradictions: int = 0
    doubted: int | None = None

    @property
    def train(self) -> int:
        """The number of training rows."""
        return self.splits.get("train", 0)

    def rows_of(self, split: str) -> dict[str, int]:
        """Rows of each class in a split."""
        return {label: counts.get(split, 0) for label, counts in self.labels.items()}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A base model. bytes: of its weights. layers, width: of its encoder, 0 if unknown; max_tokens: the
    longest text, 0 for no limit.
    """

    uuid: str
    name: str
    bytes: int = 0
    layers: int = 0
    width: int = 0
    max_tokens: int = 0

    def latency_ms(self, tokens: int) -> float | None:
        """The estimated time for a text of this many tokens on one core in fp32; None if the shape is
        unknown.

        Per layer, 12 × width² weights are multiplied and added once per token. This gives 5 ms for
        all-MiniLM-L6-v2 at 16 tokens; its ONNX graph took 4.6 to 5.1.
        """
        if not self.layers or not self.width:
            return None
        return 2 * 12 * self.layers * self.width**2 * tokens / OPERATIONS_A_SECOND * 1000


@dataclass(frozen=True, slots=True)
class Setting:
    """A proposed setting, its reason, and the source of the rule."""

    name: str
    value: Any
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Concern:
    """A warning before training. severity: bad, watch, or info."""

    code: str
    severity: str
    title: str
    detail: str
    next_step: str = ""
    source: str = THIS


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to fine-tune: baseline, label_more, head, or fine_tune."""

    code: str
    title: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Advice:
    """The whole advice. settings: base and strategy first, then fields of the spec; others stay as
    suggested.
    """

    verdict: Verdict
    settings: tuple[Setting, ...]
    warnings: tuple[Concern, ...]
    seconds: float

    def value(self, name: str) -> Any:
        """The proposed value of a setting; None if there is none."""
        return next((each.value for each in self.settings if each.name == name), None)

    def options(self) -> dict[str, Any]:
        """The fields of the spec, as `launch` takes them."""
        return {each.name: each.value for each in self.settings if each.name not in ("base", "strategy")}
