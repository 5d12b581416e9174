"""What to do with this data: whether to fine-tune at all, with which strategy and settings, and what to look at first. Pure.

Every rule says its reason in a sentence, and where it comes from. What is not advised otherwise is what the settings of the task suggest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lifecycle.modeling.training.advice.choosing import FASTER, choose_base, choose_strategy, judge
from lifecycle.modeling.training.advice.concerns import cut, look
from lifecycle.modeling.training.advice.settings import choose_settings
from lifecycle.modeling.training.advice.shapes import SEVERITIES, Advice, Answers, Candidate, Concern, Data, Lengths, Setting, Verdict
from lifecycle.runtime.engine.task_types.settings import Suggestion

__all__ = ["FASTER", "Advice", "Answers", "Candidate", "Concern", "Data", "Lengths", "Setting", "Verdict", "advise", "choose_base"]


def advise(
    answers: Answers,
    data: Data,
    lengths: Lengths,
    base: Candidate,
    base_reason: Setting,
    suggestions: Mapping[str, Suggestion],
    failed: Sequence[Concern] = (),
) -> Advice:
    """The whole advice. base, base_reason, failed: as `choose_base` gave them. suggestions: by strategy, of this base and data."""
    verdict = judge(answers, data)
    strategy, warned = choose_strategy(answers, data, verdict, {name: each.seconds for name, each in suggestions.items()})
    suggestion = suggestions[strategy.value]
    settings = (base_reason, strategy, *choose_settings(answers, data, lengths, base, suggestion))
    limit = next(each.value for each in settings if each.name == "max_tokens")
    concerns = [*failed, *look(answers, data), *cut(lengths, limit), *warned]
    return Advice(verdict, settings, tuple(sorted(concerns, key=lambda each: SEVERITIES.index(each.severity))), suggestion.seconds)
