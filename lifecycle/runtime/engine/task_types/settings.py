"""Run settings by task: valid specs, defaults for the data, and reasons why a run is impossible. No torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lifecycle.runtime.engine.document import SpecError

if TYPE_CHECKING:  # a spec is validated by these settings
    from lifecycle.runtime.engine.spec import TrainSpec

CHARACTERS_PER_TOKEN = 4.5
REHEARSED = 0.5
OF_LABELS = ("class_weights", "label_smoothing", "focal_gamma")  # settings that mean nothing without labels


@dataclass(frozen=True)
class Choice:
    """A setting and why it fits. among: (value, words) of all allowed values, where they depend on this
    data.
    """

    value: Any
    reason: str
    among: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """Choices by field name of TrainSpec (strategy's by rank, alpha, dropout), and the time they need with
    its explanation.
    """

    choices: dict[str, Choice]
    seconds: float
    seconds_reason: str

    def values(self) -> dict[str, Any]:
        """The settings without their reasons, as a form's initial values."""
        return {name: choice.value for name, choice in self.choices.items()}


@dataclass(frozen=True, slots=True)
class Lengths:
    """About how long rows are, in tokens: the median and the 99th percentile of what is read at a time, the
    99th percentile of answers that are written. texts: that are read of a row, on the average.
    """

    median: float
    long: float
    answer: float = 0.0
    texts: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What defaults are based on. rows, validation_rows: of these splits. counts: training rows of each
    label. labels: those trained on.

    rate: examples a second of an earlier run on this machine, which makes the estimate of the time a
    measurement. cores: by default this machine's.
    """

    rows: int
    validation_rows: int
    lengths: Lengths
    counts: Sequence[int] = ()
    labels: Sequence[str] = ()
    rate: float | None = None
    cores: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a dataset version can't be trained on, after a colon, and what to do."""

    why: str
    next_step: str


class Settings(ABC):
    """The settings of a task's models.

    decoder: whether a decoder is fine-tuned, else an encoder. other_base: why a base of the other kind is
    not, after its name. strategies: named choices, the recommended one first. paces: the relative speed of
    each. example: what a measured pace counts; tasks with the same one share it. ia3_models: the
    architectures of which PEFT knows what IA3 scales. answers_by: what an answer is, where no threshold
    decides it.

    A base is known by its facts: decoder, parameters, layers, architecture, hidden_size, kv_size and
    inner_size; what is not known of it is absent or None.
    """

    decoder: ClassVar[bool]
    other_base: ClassVar[str]
    strategies: ClassVar[tuple[str, ...]]
    paces: ClassVar[Mapping[str, float]]
    example: ClassVar[str] = "text"
    ia3_models: ClassVar[tuple[str, ...]]
    answers_by: ClassVar[str] = "the most likely label"

    def fits(self, base: Mapping[str, Any]) -> bool:
        """Whether a base is of the kind that is fine-tuned."""
        return bool(base.get("decoder")) == self.decoder

    @abstractmethod
    def check(self, spec: TrainSpec) -> None:
        """Raises SpecError naming the first field that does not go with the task."""

    @abstractmethod
    def untrainable(self, counts: Mapping[str, Mapping[str, Any]]) -> Problem | None:
        """Why a run is impossible. counts: {"splits": {split: rows}, "labels": {label: {split: rows}}}."""

    @abstractmethod
    def misfit(self, strategy: str, name: str) -> str:
        """Why a strategy does not fit; empty where it does. name: the strategy's display name."""

    @abstractmethod
    def lengths(self, rows: Iterable[Mapping[str, Any]]) -> Lengths:
        """How long these training rows are, which are as `train.jsonl` has them."""

    @abstractmethod
    def suggest(self, facts: Facts, base: Mapping[str, Any], strategy: str) -> Suggestion:
        """Settings that fit the data and the base. Raises ValueError where there are no rows, and for a
        strategy that does not fit.
        """

    @abstractmethod
    def inner(self, strategy: str, layers: int = 0) -> dict[str, Choice]:
        """The settings of the strategy itself. layers: of the base, where known."""

    @abstractmethod
    def trainable(
        self, strategy: str, base: Mapping[str, Any], labels: int, inner: Mapping[str, Any]
    ) -> int | None:
        """Trainable parameters; None where the base's shape is unknown. inner: settings of the strategy
        itself.
        """

    def continuing(
        self, name: str, before: Mapping[str, Any], labels: Sequence[str], choices: Mapping[str, Choice]
    ) -> dict[str, Choice]:
        """More choices for a base that was trained here. name: of the base; before: the spec of its run.

        Half of the rows rehearsed: experience replay takes as many old rows as new ones (Chaudhry et al.
        2019, Tiny Episodic Memories).
        """
        reason = (
            "As many earlier rows as new ones, because training on new rows only causes forgetting. Rows of"
            " this dataset version aren't used twice."
        )
        return {"rehearsal": Choice(REHEARSED, reason)}

    @staticmethod
    def untrained(counts: Mapping[str, Mapping[str, Any]], work: str) -> Problem | None:
        """The problem of a version without training rows, where there are no labels. work: what makes rows,
        in the imperative.
        """
        return (
            None
            if counts["splits"].get("train")
            else Problem("it has no training rows.", f"{work} and create a new dataset version.")
        )

    @staticmethod
    def check_unlabeled(spec: TrainSpec, where: str, *more: str) -> None:
        """Raises SpecError for what has no meaning without labels. more: names of fields that have none
        either.
        """
        if spec.labels:
            raise SpecError("labels", f"must be empty where {where}, got {len(spec.labels)} names.")
        for name in (*OF_LABELS, *more):
            if getattr(spec, name) != spec.__dataclass_fields__[name].default:
                raise SpecError(name, f"applies to labels only; keep the default where {where}.")

    def check_thresholds(self, spec: TrainSpec) -> None:
        """Raises SpecError for a threshold of an answer that has none."""
        self.check_no_class(spec)
        if spec.operating_point != "f1":
            message = f"must be f1 for {spec.task}: it predicts {self.answers_by}, which has no threshold."
            raise SpecError("operating_point", message)

    @staticmethod
    def check_no_class(spec: TrainSpec) -> None:
        """Raises SpecError for one class that is to have a threshold."""
        if spec.operating_class:
            raise SpecError(
                "operating_class",
                f"must be empty for {spec.task}: it applies to single-label classification only.",
            )


def tokens(characters: float) -> int:
    """About how many tokens an English text of this length has."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def shared_choices(strategy: str) -> dict[str, Choice]:
    """What does not depend on the task: how a step is made, and what it takes. Where the base, or a part of
    it, is run once, whole, it is not divided among processes, and nothing is computed again on the way back;
    nor with prefix tuning.
    """
    divided = (
        "Off: each process loads the full model. On: each process loads a shard, for models that don't fit"
        " one GPU; steps take longer."
    )
    again = "Off: if on, steps take a third longer and much less memory, for long texts."
    return {
        "schedule": Choice(
            "linear",
            "The learning rate falls linearly to zero; cosine keeps it high for longer, constant doesn't"
            " change it.",
        ),
        "accumulation": Choice(
            1, "Each batch is one step; higher values act like a larger batch without its memory use."
        ),
        "processes": Choice(
            1, "One process uses all cores; several share each batch, which helps with multiple accelerators."
        ),
        **({} if strategy in ("head", "fast_lora") else {"sharded": Choice(False, divided)}),
        **({} if strategy in ("head", "prefix") else {"gradient_checkpointing": Choice(False, again)}),
        "max_gradient_norm": Choice(
            1.0, "Gradients are clipped to norm 1, so outlier batches don't destabilise training."
        ),
        "precision": Choice("auto", "bf16 if the hardware supports it, otherwise fp32."),
    }
