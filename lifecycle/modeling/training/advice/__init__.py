"""Advice for a dataset: whether to fine-tune, with which strategy and settings, and what to check first.
Pure.

Each rule gives its reason in a sentence, and its source. Anything else stays as the task's settings suggest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lifecycle.modeling.training.advice.choosing import FASTER, choose_base, choose_strategy, judge
from lifecycle.modeling.training.advice.concerns import cut, look
from lifecycle.modeling.training.advice.settings import choose_settings
from lifecycle.modeling.training.advice.shapes import (
    SEVERITIES,
    Advice,
    Answers,
    Candidate,
    Concern,
    Data,
    Lengths,
    Setting,
    Verdict,
)
from lifecycle.runtime.engine.task_types.settings import Suggestion

__all__ = [
    "FASTER",
    "Advice",
    "Answers",
    "Candidate",
    "Concern",
    "Data",
    "Lengths",
    "Setting",
    "Verdict",
    "advise",
    "choose_base",
]


def advise(
    answers: Answers,
    data: Data,
    lengths: Lengths,
    base: Candidate,
    base_reason: Setting,
    suggestions: Mapping[str, Suggestion],
    failed: Sequence[Concern] = (),
) -> Advice:
    """The whole advice. base, base_reason, failed: from `choose_base`. suggestions: by strategy, for this
    base and data.
    """
    verdict = judge(answers, data)
    strategy, warned = choose_strategy(
        answers, data, verdict, {name: each.seconds for name, each in suggestions.items()}
    )
    suggestion = suggestions[strategy.value]
    settings = (base_reason, strategy, *choose_settings(answers, data, lengths, base, suggestion))
    limit = next(each.value for each in settings if each.name == "max_tokens")
    concerns = [*failed, *look(answers, data), *cut(lengths, limit), *warned]
    return Advice(
        verdict,
        settings,
        tuple(sorted(concerns, key=lambda each: SEVERITIES.index(each.severity))),
        suggestion.seconds,
    )
