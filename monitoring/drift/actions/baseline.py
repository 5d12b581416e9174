"""The reference of a version: made once, from its evaluation."""

from __future__ import annotations

from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.runtime.task_types.by_key.watched import watched_of
from monitoring.drift import reference
from monitoring.drift.models import Baseline
from registry.catalog.models import ModelVersion
from registry.ground.ledger.rules import digest_of

BATCH = 500
UNREADABLE = (Refusal, OSError, ValueError, KeyError)  # of an evaluation whose files are missing or damaged


def baseline(version: ModelVersion) -> Baseline:
    """What the version saw and answered on its frozen test, counted. Made at the first question; later the
    same row.

    Raises Refused (no answer of the evaluation can be used) or Damaged (its file is not what was kept).
    """
    return Baseline.objects.filter(version=version, evaluation=version.evaluation).first() or make(version)


def make(version: ModelVersion) -> Baseline:
    """Count it. Raises as `baseline` does."""
    evaluation = version.evaluation
    watched = watched_of(evaluation.task_type.key)
    if watched is None:
        raise Refused(f"Drift of {evaluation.task_type.gives} isn't measured yet.")
    found = watched.observed(evaluations.rows_of(evaluation))
    if not len(found.ids):
        raise Refused(f"The evaluation of {version} has no usable predictions to compare with.")
    texts = texts_of(evaluation, found.ids)
    made, _ = Baseline.objects.get_or_create(
        version=version,
        evaluation=evaluation,
        defaults={
            "split": evaluation.split,
            "rows": len(found.ids),
            "calibration": reference.calibrate(found),
            "histograms": reference.histograms(found, texts, reference.oov_shares(version.folder, texts)),
            "items_digest": digest_of(list(found.ids)),
        },
    )
    return made


def texts_of(evaluation: Evaluation, digests: tuple[str, ...]) -> list[str]:
    """The texts of those items that are still there, in order."""
    found: list[str] = []
    for at in range(0, len(digests), BATCH):
        batch = digests[at : at + BATCH]
        items = evaluations.items_by_digest(evaluation, batch)
        found += [items[digest].text for digest in batch if digest in items and items[digest].text]
    return found
