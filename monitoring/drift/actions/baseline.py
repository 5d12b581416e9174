"""The reference of a version: made once, from its evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.runtime.task_types.single_label.measures import Predictions
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
    rows = evaluations.rows_of(evaluation)
    if not isinstance(rows, Predictions):
        raise Refused(f"Drift of {evaluation.task_type.gives} isn't measured yet.")
    answers = finite(rows)
    if not len(answers.ids):
        raise Refused(f"The evaluation of {version} has no usable predictions to compare with.")
    texts = texts_of(evaluation, answers.ids)
    made, _ = Baseline.objects.get_or_create(
        version=version,
        evaluation=evaluation,
        defaults={
            "split": evaluation.split,
            "rows": len(answers.ids),
            "calibration": reference.calibrate(answers),
            "histograms": reference.histograms(answers, texts, reference.oov_shares(version.folder, texts)),
            "items_digest": digest_of(list(answers.ids)),
        },
    )
    return made


def finite(answers: Predictions) -> Predictions:
    """Only rows whose probabilities are numbers."""
    good = np.all(np.isfinite(answers.probabilities), axis=1)
    if good.all():
        return answers
    ids = tuple(answers.ids[at] for at in np.flatnonzero(good))
    clusters = answers.clusters[good] if answers.clusters is not None else None
    return replace(
        answers,
        ids=ids,
        truth=answers.truth[good],
        probabilities=answers.probabilities[good],
        clusters=clusters,
    )


def texts_of(evaluation: Evaluation, digests: tuple[str, ...]) -> list[str]:
    """The texts of those items that are still there, in order."""
    found: list[str] = []
    for at in range(0, len(digests), BATCH):
        batch = digests[at : at + BATCH]
        items = evaluations.items_by_digest(evaluation, batch)
        found += [items[digest].text for digest in batch if digest in items and items[digest].text]
    return found
