"""What the pages of an evaluation have in common: tabs, the thread at their head, who reads texts on them, numbers in addresses."""

from __future__ import annotations

from django.urls import reverse

from datasets_app.datasets import queries as datasets
from lifecycle.evaluation.models import Evaluation
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Step
from registry.access.models import User

PARTS = {"detail": "Report", "slices": "Groups", "threshold": "Threshold", "robustness": "Robustness"}


def tabs(evaluation: Evaluation, current: str) -> list[dict[str, object]]:
    """Links to those that its task has. current: of PARTS."""
    found = {name: label for name, label in PARTS.items() if name != "threshold" or evaluation.task_type.has_labels}
    return [
        {"label": label, "url": reverse(f"evaluation:{name}", args=[evaluation.uuid]), "current": name == current}
        for name, label in found.items()
    ]


def thread(evaluation: Evaluation) -> list[Step]:
    """Dataset, snapshot, run, this evaluation."""
    dataset, snapshot, run = evaluation.snapshot.dataset, evaluation.snapshot, evaluation.run
    return [
        Step("Dataset", dataset.name, find_url("datasets:dataset", uuid=dataset.uuid)),
        Step("Snapshot", f"s{snapshot.number}", find_url("snapshots:detail", uuid=snapshot.uuid), digest=snapshot.digest),
        Step("Run", str(run.number), find_url("training:detail", uuid=run.uuid)),
        Step("Evaluation", evaluation.split, at="now", digest=evaluation.report_digest),
    ]


def may_read(user: User, evaluation: Evaluation) -> bool:
    """Whether the person may read texts of the dataset, and so what a model wrote to them.

    Asked once and remembered with the evaluation, which lives as long as a request.
    """
    known: dict[int, bool] = evaluation.__dict__.setdefault("_may_read", {})
    if user.pk not in known:
        known[user.pk] = datasets.may_read(user, evaluation.snapshot.dataset)
    return known[user.pk]


def whole(text: str) -> int | None:
    """A number of an address; None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
