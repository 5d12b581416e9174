"""What a page shows of whether rows tell that a model was trained on them."""

from __future__ import annotations

from typing import Any

from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.parts import thread
from registry.access.models import User
from registry.access.policy import can


def leaking(user: User, evaluation: Evaluation) -> dict[str, Any]:
    """The finding of membership inference, or how to get it."""
    rules.check_classes(evaluation.report)
    analysis = queries.analysis(evaluation, Analysis.Kind.MEMBERSHIP)
    job = queries.analysis_job(evaluation, Analysis.Kind.MEMBERSHIP)
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "membership": analysis,
        "leak": rules.leak(analysis.report) if analysis else None,
        "membership_job": job,
        "membership_waits": job is not None and not job.is_finished,
        "may_attack": can(user, "evaluation.evaluate", evaluation),
    }
