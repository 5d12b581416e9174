"""What a model must beat, measured on the rows of an evaluation: the task's baselines, with the untuned base
as vectors.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lifecycle.runtime.engine.data import read_rows
from lifecycle.runtime.engine.task_types.answerer import Evaluation
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.task_types.baselines import Answer, Measured, measure, report_sections
from lifecycle.runtime.task_types.by_key.baselines import baselines_of
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.measures import Metrics
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans.tagging import Unit

VERSION = 3  # increase it where the same rows would get other figures

Measure = Callable[[Rows], Measured]


def learn(
    path: Path,
    labels: tuple[str, ...],
    *,
    task: str,
    base: Path | None,
    pooling: str,
    max_tokens: int,
    count: int,
    seed: int,
    unit: Unit = Unit.PIECE,
) -> dict[str, Measure]:
    """Each baseline by name, fitted on the training rows of a file; the base's is left out where no base is
    given.
    """
    learner = learner_of(task)
    train = read_rows(path, labels, learner.read)
    vectors = None if base is None else learner.vectors(base, pooling, max_tokens, unit, path.parent)
    found = baselines_of(task)(train, len(labels), seed, vectors)
    return {name: partial(_measured, answer, learner.metrics, count, seed) for name, answer in found.items()}


def _measured(answer: Answer, by: Metrics, count: int, seed: int, test: Rows) -> Measured:
    return measure(answer(test), test, by=by, count=count, seed=seed)


def against(predicted: Any, asked: Evaluation) -> dict[str, Any]:
    """The sections of a report on baselines, with baselines_digest. An earlier report of this digest has
    their figures.
    """
    spec, info, measures = asked.spec, asked.info, measures_of(asked.info.task)
    base, train = asked.base, (asked.folder / spec.train).resolve()
    options: dict[str, Any] = {"count": spec.bootstrap, "seed": spec.seed}
    settings: dict[str, Any] = options | {
        "task": info.task,
        "pooling": info.pooling,
        "max_tokens": info.max_tokens,
        "unit": info.unit,
    }
    digest = digest_of(
        train,
        asked.folder / spec.data,
        labels=info.labels,
        base=info.base_digest if base else None,
        **settings,
    )
    earlier = json.loads((asked.folder / spec.earlier).read_text(encoding="utf-8")) if spec.earlier else {}
    if earlier.get("baselines_digest") == digest:
        measured = {
            name: Measured(each, earlier["baselines_drawn"][name])
            for name, each in earlier["baselines"].items()
        }
    else:
        asked.events.write("stage", name="baselines", message="Fitting baselines on training rows.")
        fitted = (asked.learn or learn)(train, info.labels, base=base and base.resolve(), **settings)
        measured = {name: each(asked.rows) for name, each in fitted.items()}
    return report_sections(
        measures.score(predicted), asked.rows, measured, by=measures.metrics, **options
    ) | {"baselines_digest": digest}


def digest_of(train: Path, data: Path, **settings: Any) -> str:
    """What the baselines' figures follow from: both files, the settings of `learn`, the base by its digest,
    and the libraries that fit.
    """
    files = []
    for path in (train, data):
        with path.open("rb") as file:
            files.append(hashlib.file_digest(file, "sha256").hexdigest())
    libraries = {
        name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "torch", "transformers")
    }
    return hashlib.sha256(
        json.dumps([VERSION, files, settings, libraries], sort_keys=True).encode()
    ).hexdigest()
