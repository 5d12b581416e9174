"""The page for choosing a model for pre-labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datasets_app.datasets.models import Dataset
from lifecycle.modeling.evaluation import suggested, suggesters
from lifecycle.modeling.evaluation.forms import SuggestForm
from lifecycle.modeling.evaluation.ports import Model
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from registry.ground.access.models import User

NAMED = 5  # labels listed by name; the rest are counted


@dataclass(frozen=True, slots=True)
class Line:
    """A model. score: the main one on its validation split; None if it wasn't measured. unknown, never: as in
    Match, in words.
    """

    model: Model
    value: str
    chosen: bool
    match: suggested.Match
    score: float | None
    unknown: str
    never: str


def suggesting(user: User, dataset: Dataset, form: SuggestForm) -> dict[str, Any]:
    """The models of the dataset's project with labels that don't match, and the newest job; a constant number
    of queries.
    """
    chosen = str(form["model"].value() or "")
    kinds = suggesters.offered(user, dataset)
    every = [model for models in kinds.values() for model in models]
    matches = dict(zip(map(id, every), suggesters.matches(dataset, every), strict=True)) if every else {}
    first = next((value(model) for model in every if matches[id(model)].fits), "")
    groups = [
        (label, [line(model, matches[id(model)], chosen or first) for model in models])
        for label, models in kinds.items()
        if models
    ]
    job = suggesters.suggesting_job(dataset)
    return {
        "dataset": dataset,
        "form": form,
        "groups": groups,
        "warning": (suggesters.OTHER_TASK, suggesters.OTHER_TASK_STEP),
        "able": dataset.task_type.prelabels,
        "offers": suggestions_of(dataset.task),
        "may_send": bool(first),
        "job": job,
        "leading": metrics_of(dataset.task).trained,
        "working": job is not None and not job.is_finished,
    }


def value(model: Model) -> str:
    """The form value of a model."""
    return f"{model.kind}:{model.uuid}"


def line(model: Model, match: suggested.Match, chosen: str) -> Line:
    """A model as a table row."""
    return Line(
        model,
        value(model),
        value(model) == chosen,
        match,
        model.run.metrics.get(metrics_of(model.run.task).trained.name),
        listed(match.unknown),
        listed(match.never),
    )


def listed(names: tuple[str, ...]) -> str:
    """Names in a list, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
