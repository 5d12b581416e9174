"""The score by which models of a task are told apart, and its name for people. No torch: the recipes keep the best step by it, and pages,
sweeps, reports and lists show and compare the same one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Leading:
    """A score. name: in the engine's values; words: within a sentence; digits: behind the point."""

    name: str
    words: str
    lower_is_better: bool = False
    digits: int = 3

    @property
    def title(self) -> str:
        """The words where they begin a line."""
        return self.words[0].upper() + self.words[1:]

    @property
    def one(self) -> str:
        """The words with their article."""
        return f"{'an' if self.words[0] in 'aeiou' else 'a'} {self.words}"


MACRO, MICRO = Leading("macro_f1", "macro-F1"), Leading("micro_f1", "micro-F1 of spans")
PAIRS = Leading("pair_accuracy", "accuracy of pairs")
LEADING = {
    "single_label": MACRO,
    "multi_label": MACRO,
    "spans": MICRO,
    "preference": PAIRS,
    "ranking": PAIRS,
    "free_text": Leading("validation_loss", "validation loss", lower_is_better=True),
}
IN_LISTS = {"free_text": Leading("perplexity", "perplexity", lower_is_better=True, digits=2)}  # e to the loss, so it orders runs alike
IN_REPORTS = {"free_text": Leading("rouge_l", "ROUGE-L")}  # of answers that were written, which training does not do


def of_training(task: str) -> Leading:
    """What the best step, the best trial and a trial that is given up are decided by."""
    return LEADING[task]


def of_lists(task: str) -> Leading:
    """The figure that a run is known by beside others."""
    return IN_LISTS.get(task) or LEADING[task]


def of_reports(task: str) -> Leading:
    """The figure by which an evaluation is compared with another, with a baseline and with a version."""
    return IN_REPORTS.get(task) or LEADING[task]
