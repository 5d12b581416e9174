"""Items on which annotators or pre-label sources disagree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

from datasets_app.prelabels.models import Suggestion
from datasets_app.prelabels.queries import live, scored
from datasets_app.queues.models.decisions import Dispute
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.decisions import standing_answers
from datasets_app.queues.rules import disagreement
from datasets_app.schemas.queries.labels import chunks
from lifecycle.runtime.task_types.answers import canonical
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.values import bare, value_of


def disagreements(task: str, item_ids: Sequence[int]) -> dict[int, float]:
    """The entropy, in bits, of the votes on each of these items: one of each annotator and of each pre-label
    source.

    The built-in model has one vote, that of its newest fit. Items without votes are left out.
    """
    found: dict[int, float] = {}
    for ids in chunks(item_ids):
        votes: dict[int, list[Hashable]] = defaultdict(list)
        rows = standing_answers().filter(item_id__in=ids).values_list("item_id", "label__stable_id", "value")
        for item, label, value in rows:
            votes[item].append(canonical(value_of(label, value)))
        for item, vote in suggested_votes(task, ids):
            votes[item].append(vote)
        found |= {item: disagreement(given) for item, given in votes.items()}
    return found


def suggested_votes(task: str, ids: Sequence[int]) -> list[tuple[int, Hashable]]:
    """(item, suggested value) of each source; labeling functions are one source where a text may have several
    labels.
    """
    fields = ("item_id", "source", "source_digest", "label__stable_id", "value", "score")
    by_voter: dict[tuple[int, str], list[tuple[str, Any, Any, float | None]]] = defaultdict(list)
    for item, source, digest, *rest in (
        live(Suggestion.objects.filter(item_id__in=ids)).order_by("id").values_list(*fields)
    ):
        together = source == Suggestion.Source.FUNCTION and not type_of(task).one_label
        voter = source if together or source == Suggestion.Source.BUILT_IN else digest
        by_voter[item, voter].append((source if together else digest, *rest))
    combine = suggestions_of(task).combine
    newest = (
        (item, [row[1:] for row in rows if row[0] == rows[-1][0]]) for (item, _), rows in by_voter.items()
    )
    return [(item, canonical(bare(combine(scored(task, rows)) or {}))) for item, rows in newest]


def disputed(queue: Queue, item_id: int) -> Sequence[str]:
    """The stable ids of the labels an item is disputed between; none where it is not disputed."""
    pair = (
        Dispute.objects.filter(queue=queue, item=item_id, state=Dispute.State.OPEN)
        .values_list("pair", flat=True)
        .first()
    )
    return [key for key in (pair or "").split("|") if key]
