"""What is measured of a task: its metrics and its baselines by name. numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from lifecycle.statistics import calibration
from lifecycle.statistics.metrics import LOWER_IS_BETTER


@dataclass(frozen=True, slots=True)
class Metric:
    """A score. name: in reports and in the engine's values. title: as tables of the task head it. words: within a sentence,
    also beside other tasks; by default the title. meaning: what it counts, in a few words. digits: behind the point."""

    name: str
    title: str
    words: str = ""
    meaning: str = ""
    digits: int = 3

    def __post_init__(self) -> None:
        if not self.words:
            is_name = self.title[1].isupper()  # ECE, ROUGE-L
            object.__setattr__(self, "words", self.title if is_name else self.title[0].lower() + self.title[1:])

    @property
    def heading(self) -> str:
        """The words where they begin a line."""
        return self.words[0].upper() + self.words[1:]

    @property
    def one(self) -> str:
        """The words with their article."""
        return f"{'an' if self.words[0] in 'aeiou' else 'a'} {self.words}"

    @property
    def lower_is_better(self) -> bool:
        """Whether less of it is better."""
        return self.name.removeprefix("validation_") in LOWER_IS_BETTER


LOG_LOSS = Metric("log_loss", "Log loss")
BRIER = Metric("brier", "Brier score", words="Brier score")
ECE = Metric("ece", "ECE")
ECE_DEBIASED = Metric("ece_debiased", "ECE, debiased", words="debiased ECE")
LARGEST_GAP = f"Largest gap (bins of {calibration.LEAST_IN_BIN} rows or more)"
CALIBRATION = (ECE, ECE_DEBIASED, Metric("largest_gap", LARGEST_GAP), Metric("mce", LARGEST_GAP))  # the last in reports from before


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The metrics of a task, each once. known: in the order of a report.

    leading: by which evaluations, baselines and versions are compared. trained: by which the best step, the best trial, and a trial that is
    given up are decided. listed: by which a run is known beside others. The rest are names, the main one first. strip: at the head of a
    report. beside: of a run and its baselines, side by side. compared: of two models on the same rows. watched: of validation, while a run
    trains. drawn: those of them that pages show. registered: what a registered version keeps.
    """

    known: tuple[Metric, ...]
    leading: Metric
    trained: Metric
    listed: Metric
    strip: tuple[str, ...]
    beside: tuple[str, ...]
    compared: tuple[str, ...]
    watched: tuple[str, ...]
    drawn: tuple[str, ...]
    registered: tuple[str, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Metric]:
        """Each metric, also that of training."""
        return {each.name: each for each in (self.trained, *self.known)}

    def __getitem__(self, name: str) -> Metric:
        return self.by_name[name]


@dataclass(frozen=True)
class Measures:
    """What a task is measured by. task: its key. baselines: what a model must beat, with their titles, in the order of pages.
    reference: that of them which a run in training is read beside, and its name in a figure."""

    task: str
    metrics: Metrics
    baselines: Mapping[str, str]
    reference: tuple[str, str] = ("tfidf_logreg", "TF-IDF")
