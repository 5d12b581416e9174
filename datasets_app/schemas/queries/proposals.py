"""Proposals to change a guideline, and their outcomes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.models.proposals import GuidelineProposal
from datasets_app.schemas.models.schemas import Label, LabelSchema
from lifecycle.runtime.task_types.answers import DROPPED
from registry.ground.access import policy
from registry.ground.access.models import User

SHOWN = 50
State = GuidelineProposal.State


@dataclass(frozen=True, slots=True)
class Shown:
    """One proposal with the names of its labels. example: the item's text; empty for people who may not read
    texts.
    """

    proposal: GuidelineProposal
    names: list[str]
    example: str


def proposals_of(dataset: Dataset) -> QuerySet[GuidelineProposal]:
    """All proposals for the guideline of a dataset, newest first."""
    related = ("by", "closed_by", "item", "schema", "accepted_in")
    return GuidelineProposal.objects.filter(dataset=dataset).select_related(*related).order_by("-id")


def open_proposals(dataset: Dataset) -> QuerySet[GuidelineProposal]:
    """The newest 50 open proposals, newest first."""
    return proposals_of(dataset).filter(state=State.OPEN)[:SHOWN]


def proposals_about(dataset: Dataset, labels: Collection[str]) -> list[GuidelineProposal]:
    """The proposals, of the newest 50 open ones, that concern one of these labels. labels: stable ids."""
    return [proposal for proposal in open_proposals(dataset) if not set(labels).isdisjoint(proposal.labels)]


def own_proposals(dataset: Dataset, user: User) -> QuerySet[GuidelineProposal]:
    """The newest 50 proposals of one person."""
    return proposals_of(dataset).filter(by=user)[:SHOWN]


def readable_proposals(dataset: Dataset, user: User) -> QuerySet[GuidelineProposal]:
    """All proposals for those who manage labels; their own for everyone else."""
    rows = proposals_of(dataset)
    return rows if policy.can(user, "labeling.manage", dataset) else rows.filter(by=user)


def accepted(schema: LabelSchema) -> QuerySet[GuidelineProposal]:
    """The proposals that a version includes, oldest first."""
    return proposals_of(schema.dataset).filter(accepted_in=schema).order_by("id")


def shown(dataset: Dataset, rows: Iterable[GuidelineProposal], viewer: User) -> list[Shown]:
    """The proposals as this person may see them, in a constant number of queries."""
    found = list(rows)
    names = newest_names(dataset, {key for row in found for key in row.labels})
    reads = bool(found) and policy.can(viewer, "datasets.read_samples", dataset)
    return [
        Shown(
            row, [names.get(key, DROPPED) for key in row.labels], row.item.text if reads and row.item else ""
        )
        for row in found
    ]


def newest_names(dataset: Dataset, stable_ids: Iterable[str]) -> dict[str, str]:
    """The newest names of these labels, by stable id."""
    wanted = list(stable_ids)
    rows = (
        Label.objects.filter(schema__dataset=dataset, stable_id__in=wanted).order_by("schema__version")
        if wanted
        else []
    )
    return {str(label.stable_id): label.name for label in rows}
