"""What advice reads and says. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FEW_ROWS = 8  # of a class
OPERATIONS_A_SECOND = 68e9
SEVERITIES = ("bad", "watch", "info")  # the worst first
SETFIT = "Tunstall et al. 2022 (SetFit), whose smallest sets have 8 texts per label"
MEMBERSHIP = "Yeom et al. 2018: membership inference uses the gap between training and validation loss"
THIS = "This dataset version"
LIMIT = "Your limit"


@dataclass(frozen=True, slots=True)
class Answers:
    """What people know and no snapshot does. latency_ms, size_mb, minutes: limits, None where there is none.

    baseline_does: something simpler, such as rules or a prompted model, is good enough.
    """

    sensitive: bool = False
    latency_ms: float | None = None
    size_mb: float | None = None
    baseline_does: bool = False
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of a sample of the training texts, ascending. counted: by the base's tokenizer, else estimated from characters."""

    tokens: tuple[int, ...]
    counted: bool

    def percentile(self, percent: float) -> int:
        """The smallest length that so many per cent of the texts do not exceed; 0 without texts."""
        return self.tokens[max(0, math.ceil(len(self.tokens) * percent / 100) - 1)] if self.tokens else 0

    def share_over(self, limit: int) -> float:
        """The share (0 to 1) of texts with more tokens."""
        return sum(each > limit for each in self.tokens) / len(self.tokens) if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class Data:
    """What the frozen snapshot and its scans say. labels: rows by class and split.

    leaked: test rows whose text or group also stands in train. scanned: whether near duplicates were looked for before it was frozen.
    doubted: items of the dataset whose label a scan doubts, None where none looked.
    """

    splits: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    leaked: int = 0
    scanned: bool = True
    contradictions: int = 0
    doubted: int | None = None

    @property
    def train(self) -> int:
        """Rows that are learned from."""
        return self.splits.get("train", 0)

    def rows_of(self, split: str) -> dict[str, int]:
        """Rows of each class in a split."""
        return {label: counts.get(split, 0) for label, counts in self.labels.items()}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A base model. bytes: of its weights. layers, width: of its encoder, 0 where unknown; max_tokens: the longest text, 0 for any."""

    uuid: str
    name: str
    bytes: int = 0
    layers: int = 0
    width: int = 0
    max_tokens: int = 0

    def latency_ms(self, tokens: int) -> float | None:
        """About how long one text of so many tokens takes on one core in fp32; None where the shape is unknown.

        Of a layer, 12 × width² weights are multiplied and added once a token. It gives 5 ms for all-MiniLM-L6-v2 at 16 tokens, where its
        ONNX graph took 4.6 to 5.1.
        """
        if not self.layers or not self.width:
            return None
        return 2 * 12 * self.layers * self.width**2 * tokens / OPERATIONS_A_SECOND * 1000


@dataclass(frozen=True, slots=True)
class Setting:
    """What is proposed, why, and where the rule comes from."""

    name: str
    value: Any
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Concern:
    """Something to look at before anything is trained. severity: bad, watch or info."""

    code: str
    severity: str
    title: str
    detail: str
    next_step: str = ""
    source: str = THIS


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to fine-tune: baseline, label_more, head or fine_tune."""

    code: str
    title: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Advice:
    """All of it. settings: base and strategy first, then fields of the spec; those that are not named stay as suggested."""

    verdict: Verdict
    settings: tuple[Setting, ...]
    warnings: tuple[Concern, ...]
    seconds: float

    def value(self, name: str) -> Any:
        """What is proposed for a setting; None where nothing is."""
        return next((each.value for each in self.settings if each.name == name), None)

    def options(self) -> dict[str, Any]:
        """The fields of the spec, as a launch takes them."""
        return {each.name: each.value for each in self.settings if each.name not in ("base", "strategy")}
