"""The engine's inputs: frozen dataclasses to and from JSON. Every error names the field and its allowed
values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lifecycle.runtime.engine.document import Document, SpecError, limit
from lifecycle.runtime.engine.strategy import Strategy
from lifecycle.runtime.engine.task_types.by_key.settings import settings_of
from lifecycle.runtime.task_types.by_key.types import DEFAULT, LEARNED

FORMAT = 1
SCHEDULES = ("linear", "cosine", "constant")
POOLINGS = ("mean", "cls", "pooler")
PRECISIONS = ("auto", "fp32", "bf16")
DEVICES = ("auto", "cpu", "cuda")
OPERATING = ("f1", "precision", "recall")


@dataclass(frozen=True)
class Base(Document):
    """The model that is fine-tuned: a folder of safetensors, its name for people, and the digest of its files
    ("" = take it as it is).
    """

    path: str
    name: str
    digest: str = ""


@dataclass(frozen=True)
class TrainSpec(Document):
    """One fine-tuning run. Paths are relative to the run's folder or absolute; the labels' order is the order
    of the logits.

    task: by which it trains and scores: one label a text, any number, marked parts, a text that is written,
    or responses in order (two of them, or more). The last two have no labels, and what belongs to labels
    (class_weights, label_smoothing, focal_gamma) stays as it is by default; where texts are written, the base
    is a decoder, and a pooling stays so too.
    max_new_tokens: at most so many tokens of an answer, where texts are written.

    evaluations_per_epoch: how often validation is scored. patience: evaluations without a better score
    (macro-F1; of spans micro-F1) until it stops; 0 = never.
    warmup_fraction: share of all steps in which the rates rise to learning_rate (encoder) and
    head_learning_rate; schedule: how they fall from there. accumulation: batches of one step. processes: how
    many share each batch between them on this machine, one for each accelerator where it has any. sharded:
    each has only its part of the model, and layers are gathered where they are run, so that all of them
    together have room for it. gradient_checkpointing: activations are computed again on the way back, a third
    more time for less memory. max_gradient_norm: longer gradients are shortened to it; 0 = never.
    label_smoothing, focal_gamma: of the loss. device: what it trains on: cpu, cuda (a GPU), or auto: a GPU
    where its first start sees one, else the CPU. What it began on is kept with the run, and named in the
    result.
    operating_point: of multi_label, what each label's threshold is chosen for on validation: the best F1, or
    a precision or recall of at least operating_target. operating_class: of single_label, the one label that
    is the answer from a threshold on, which is chosen for such a precision or recall of it; "" = the
    likeliest label answers. The best step is that of the likeliest label either way. rehearsal: share of the
    training rows that the base learned from before, taken from rehearsal.jsonl; keep_head: the base's own
    head is where the head begins, for the labels that both have. Both are for a base that was trained here.
    """

    base: Base
    labels: tuple[str, ...]
    strategy: Strategy = field(default_factory=Strategy)
    format: int = limit(FORMAT, low=FORMAT, high=FORMAT)
    task: str = limit(DEFAULT, one_of=LEARNED)
    pooling: str = limit("mean", one_of=POOLINGS)
    max_tokens: int = limit(128, low=8, high=8192)
    epochs: int = limit(4, low=1, high=1000)
    batch_size: int = limit(32, low=1, high=4096)
    learning_rate: float = limit(1e-3, low=0.0, high=1.0)
    head_learning_rate: float = limit(1e-2, low=0.0, high=1.0)
    weight_decay: float = limit(0.01, low=0.0, high=1.0)
    warmup_fraction: float = limit(0.06, low=0.0, high=0.9)
    seed: int = limit(1, low=0, high=2**32 - 1)
    precision: str = limit("auto", one_of=PRECISIONS)
    threads: int = limit(0, low=0, high=1024)
    device: str = limit("auto", one_of=DEVICES)
    evaluations_per_epoch: int = limit(1, low=1, high=1000)
    patience: int = limit(0, low=0, high=10_000)
    class_weights: bool = False
    schedule: str = limit("linear", one_of=SCHEDULES)
    accumulation: int = limit(1, low=1, high=1024)
    processes: int = limit(1, low=1, high=64)
    sharded: bool = False
    gradient_checkpointing: bool = False
    max_gradient_norm: float = limit(1.0, low=0.0, high=1000.0)
    label_smoothing: float = limit(0.0, low=0.0, high=0.5)
    focal_gamma: float = limit(0.0, low=0.0, high=10.0)
    max_new_tokens: int = limit(128, low=1, high=2048)
    operating_point: str = limit("f1", one_of=OPERATING)
    operating_target: float = limit(0.9, low=0.01, high=1.0)
    operating_class: str = ""
    rehearsal: float = limit(0.0, low=0.0, high=0.9)
    keep_head: bool = False

    def rehearsed_rows(self, rows: int) -> int:
        """How many earlier rows make `rehearsal` of all training rows, beside so many new ones."""
        return round(rows * self.rehearsal / (1 - self.rehearsal))

    def steps_of_epoch(self, rows: int) -> int:
        """Optimizer steps of one pass over so many training rows."""
        return math.ceil(math.ceil(rows / self.batch_size) / self.accumulation)

    def _check_whole(self, prefix: str) -> None:
        if self.label_smoothing and self.focal_gamma:
            raise SpecError(
                f"{prefix}label_smoothing", "must be 0 if focal_gamma is set: the two can't be combined."
            )
        if self.processes > self.batch_size:
            raise SpecError(
                f"{prefix}processes",
                f"must be at most {self.batch_size}, the batch size: each process needs a row of every"
                " batch.",
            )
        if self.sharded:
            self._check_divisible(prefix)
        settings_of(self.task).check(self)

    def _check_divisible(self, prefix: str) -> None:
        """Raises SpecError where the model cannot be divided among processes."""
        if self.processes < 2:
            raise SpecError(f"{prefix}sharded", "needs at least 2 processes to shard the model.")
        if self.strategy.kind == "head":
            raise SpecError(
                f"{prefix}sharded", "must be false for head only: each process runs the full encoder first."
            )
        if self.strategy.cached:
            raise SpecError(
                f"{prefix}sharded", "must be false for Fast LoRA: each process runs all lower layers first."
            )


@dataclass(frozen=True)
class EvaluateSpec(Document):
    """Measure an artifact on labeled rows. base is for baselines and for adapters without an ONNX graph;
    train for baselines.

    earlier: a report, whose baselines are taken where they were measured from the same
    (`baselines.digest_of`). max_new_tokens: of answers that are written; None = the artifact's own limit.
    """

    artifact: str
    data: str = "data.jsonl"
    base: Base | None = None
    baselines: bool = False
    train: str = "train.jsonl"
    earlier: str | None = None
    format: int = limit(FORMAT, low=FORMAT, high=FORMAT)
    bootstrap: int = limit(1000, low=0, high=100_000)
    seed: int = limit(1, low=0, high=2**32 - 1)
    bins: int = limit(15, low=2, high=100)
    threads: int = limit(0, low=0, high=1024)
    batch_size: int = limit(64, low=1, high=4096)
    split: str = "test"
    max_new_tokens: int | None = limit(None, low=1, high=2048)


@dataclass(frozen=True)
class EvaluateEachSpec(Document):
    """Carry out the verb evaluate in each of these sub-folders, one after the other."""

    folders: tuple[str, ...]
    format: int = limit(FORMAT, low=FORMAT, high=FORMAT)


@dataclass(frozen=True)
class PredictSpec(Document):
    """Answer rows with an artifact (verb predict), with its pooled vectors (verb embed), or with what they
    lose (verb losses).

    data: rows with id and text; labels are read by losses alone. base: for adapters without an ONNX graph.
    """

    artifact: str
    data: str = "data.jsonl"
    base: Base | None = None
    format: int = limit(FORMAT, low=FORMAT, high=FORMAT)
    threads: int = limit(0, low=0, high=1024)
    batch_size: int = limit(64, low=1, high=4096)


@dataclass(frozen=True)
class ExportSpec(Document):
    """Write artifact/serving/model.onnx again from the artifact's weights (verb export), or these as a base
    model (verb merge).
    """

    artifact: str
    base: Base | None = None
    format: int = limit(FORMAT, low=FORMAT, high=FORMAT)


@dataclass(frozen=True)
class UnpackSpec(Document):
    """Write a quantised decoder as safetensors in fp32, to DIR/model. source: its .gguf file, of an installed
    package.
    """

    source: str
    format: int = limit(FORMAT, low=FORMAT, high=FORMAT)


@dataclass(frozen=True)
class RobustnessSpec(Document):
    """Disturb labeled rows and compare the answers. rows: at most so many, drawn by the seed. base: for
    adapters without an ONNX graph.
    """

    artifact: str
    data: str = "data.jsonl"
    base: Base | None = None
    format: int = limit(FORMAT, low=FORMAT, high=FORMAT)
    rows: int = limit(2000, low=1, high=100_000)
    bootstrap: int = limit(1000, low=0, high=100_000)
    seed: int = limit(1, low=0, high=2**32 - 1)
    threads: int = limit(0, low=0, high=1024)
    batch_size: int = limit(64, low=1, high=4096)


@dataclass(frozen=True)
class ExplainSpec(Document):
    """Find the words of a prompt for which an artifact wrote its answer. data: one row with that answer.
    ended: whether the response ended before its maximum length; else it was truncated.
    """

    artifact: str
    data: str = "data.jsonl"
    base: Base | None = None
    format: int = limit(FORMAT, low=FORMAT, high=FORMAT)
    ended: bool = True
    threads: int = limit(0, low=0, high=1024)
    batch_size: int = limit(64, low=1, high=4096)
