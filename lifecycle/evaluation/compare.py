"""Two evaluations on the same items: how much better the second is, and how sure that is."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache

from lifecycle.engine import predictions
from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.models import Evaluation
from lifecycle.refusals import Refused
from registry.ledger.rules import digest_of


def paired_report(a: Evaluation, b: Evaluation) -> dict[str, Any]:
    """How much better b is than a on the items that both answered with the same true label; right of zero is always better for b.

    Returns {"rows", "left_out", "same_items", "metrics": {name: {"baseline", "candidate", "difference", "low", "high", "verdict"}},
    "per_class": {label: …}, "a": {"uuid", "report_digest"}, "b": …, "digest"}: a paired bootstrap, 1,000 seeded resamples, 95 %.
    The same two give the same report. Raises Refused when the labels differ or no item is shared.
    """
    key = f"evaluation:paired:{a.report_digest}:{b.report_digest}:{a.predictions_id}:{b.predictions_id}"
    known: dict[str, Any] | None = cache.get(key)
    if known is None:
        known = _report(a, b)
        cache.set(key, known, 3600)
    return known | {
        "a": {"uuid": str(a.uuid), "report_digest": a.report_digest},
        "b": {"uuid": str(b.uuid), "report_digest": b.report_digest},
    }


def _report(a: Evaluation, b: Evaluation) -> dict[str, Any]:
    if a.snapshot.dataset_id != b.snapshot.dataset_id:
        raise Refused(
            "The two evaluations are on different datasets, so their items cannot be paired.",
            next_step="Evaluate both runs on the same snapshot and split.",
        )
    try:
        found = predictions.compare(queries.predictions_of(a), queries.predictions_of(b))
    except ValueError as error:
        raise Refused(str(error), next_step="Choose two evaluations with the same labels on the same split.") from error
    metrics = rules.finite(found["metrics"])
    per_class = metrics.pop("per_class")
    report = {
        "rows": found["rows"], "left_out": found["left_out"], "same_items": found["left_out"] == 0, "metrics": metrics,
        "per_class": per_class,
    }  # fmt: skip
    return report | {"digest": digest_of({"report": report, "a": a.report_digest, "b": b.report_digest})}


def changed_items(a: Evaluation, b: Evaluation) -> list[rules.Change]:
    """Items that the two answered differently: those that b broke, those it fixed, and errors that changed."""
    return rules.changes(queries.predictions_of(a), queries.predictions_of(b))
