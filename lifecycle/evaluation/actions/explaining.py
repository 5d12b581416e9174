"""Finding the words of an item that speak for the answer it got."""

from __future__ import annotations

from lifecycle.compute import warm
from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.findings import Finding
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs.context import JobContext
from lifecycle.refusals import Refused
from lifecycle.training.folders import local_folder


def check(evaluation: Evaluation, item: str) -> None:
    """Raises Refused where a model writes or orders, the evaluation holds no answer to the item, nothing was marked in it, or its text is
    gone."""
    answer = queries.answer_to(evaluation, item)
    if answer is None:
        raise Refused("This evaluation holds no answer to that item.", fields={"item": ["Choose an item that was answered here."]})
    if rules.is_marks(evaluation.report) and not answer.predicted:
        raise Refused("The model marked nothing in this text, so no word speaks for a span.", next_step="Choose a text with a found span.")
    text_of(evaluation, item)


def text_of(evaluation: Evaluation, item: str) -> str:
    """The text of an item as the model gets it. Raises Refused where it is gone."""
    found = queries.items_by_digest(evaluation, [item]).get(item)
    if found is None or not found.text:
        raise Refused("The text of this item is gone, so its words cannot be looked at.")
    return found.text[: queries.TEXT_READ]


def compute(ctx: JobContext, evaluation: Evaluation, item: str) -> Finding:
    """{"answer": label, "log_odds", "empty", "words": [{"start", "end", "effect"}], "found", "given"}: offsets alone, no text. Where a text
    may have several classes {"classes": [one of each]}, where parts are marked {"parts": [one of each]}."""
    ctx.progress(0, stage="Leaving out each word in turn")
    return Finding(warm.explain(local_folder("artifacts", evaluation.run.artifact), text_of(evaluation, item)))
