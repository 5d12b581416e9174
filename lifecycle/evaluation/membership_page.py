"""What a page shows of whether rows tell that a model was trained on them."""

from __future__ import annotations

from typing import Any

from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.parts import thread
from registry.access.models import User
from registry.access.policy import can

LOSS = {  # of a row, by task
    "single_label": "minus the logarithm of the probability of its class",
    "multi_label": "the mean over all classes, of minus the logarithm of the probability of what is true of each",
    "spans": "the mean over its words, or their pieces where spans end within words, of minus the logarithm of the probability of the tag",
    "preference": "minus the logarithm of the probability that the preferred response is the better one; a half of each where neither is",
    "ranking": "the mean over its pairs, of minus the logarithm of the probability that the preferred is better, a half where neither is",
    "free_text": "the mean over the tokens of its reference, given all before it; of a dialogue, of the last answer as people wrote it",
}


def leaking(user: User, evaluation: Evaluation) -> dict[str, Any]:
    """The finding of membership inference, or how to get it."""
    job = queries.analysis_job(evaluation, Analysis.Kind.MEMBERSHIP)
    analysis = queries.analysis(evaluation, Analysis.Kind.MEMBERSHIP)
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "membership": analysis,
        "leak": rules.leak(analysis.report) if analysis else None,
        "membership_job": job,
        "membership_waits": job is not None and not job.is_finished,
        "loss": LOSS[evaluation.task_type.key],
        "most_compared": rules.most_compared(evaluation.report),
        "may_attack": can(user, "evaluation.evaluate", evaluation),
    }
