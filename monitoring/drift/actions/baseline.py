"""The reference of a version: made once, from its evaluation."""

from __future__ import annotations

from datasets_app.datasets.models import Item
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.refusals import Refusal, Refused
from lifecycle.runtime.task_types.by_key.watched import watched_of
from lifecycle.runtime.task_types.contents import responses
from monitoring.drift import reference
from monitoring.drift.models import Baseline
from monitoring.drift.reference import Texts
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
            "histograms": reference.histograms(
                watched, found, texts, reference.oov_shares(version.folder, list(texts.values()))
            ),
            "items_digest": digest_of(list(found.ids)),
        },
    )
    return made


def texts_of(evaluation: Evaluation, digests: tuple[str, ...]) -> dict[str, Texts]:
    """The texts of those items that are still there, by digest, in order."""
    found: dict[str, Texts] = {}
    for at in range(0, len(digests), BATCH):
        batch = digests[at : at + BATCH]
        items = evaluations.items_by_digest(evaluation, batch)
        found |= {each: read_of(items[each]) for each in batch if each in items and items[each].text}
    return found


def read_of(item: Item) -> Texts:
    """An item as servers read it: its text, or the prompt and its candidates."""
    content = item.content or {}
    if "responses" not in content:
        return (item.text,)
    return (responses.plain(content.get("prompt", "")), *map(responses.plain, content["responses"]))
