"""What a page shows of answers that changed when their rows were disturbed: the row, what became of it, and the answers in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import may_read
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.page import Read
from lifecycle.runtime.engine.flips import Flip
from lifecycle.ui.addresses import find_url
from registry.ground.access.models import User


@dataclass(frozen=True, slots=True)
class FlipLine:
    """An answer that changed. text, disturbed: of a prompt with its responses the prompt first; empty where the person may not read samples
    or the item is missing. true, before, after: what the answers say, one name each, none where they say nothing or are not shown."""

    flip: Flip
    text: tuple[str, ...]
    disturbed: tuple[str, ...]
    url: str
    true: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def lines(user: User, evaluation: Evaluation, flips: Sequence[Flip], seed: int) -> list[FlipLine]:
    """The flips of one probe; their texts are disturbed again as they were. seed: of the disturbance."""
    items = queries.items_by_digest(evaluation, [flip.id for flip in flips])
    page = page_of(evaluation)
    told = page.read_rows(evaluation, items) if may_read(user, evaluation) else {}
    found = []
    for flip in flips:
        item = items.get(flip.id)
        url = find_url("datasets:item", uuid=item.uuid) if item else ""
        read = page.disturb(flip, told[flip.id], seed) if flip.id in told else Read()
        true, before, after = (page.names(each, read) for each in (flip.label, flip.clean, flip.predicted))
        true = (read.reference,) if read.reference else true
        found.append(FlipLine(flip, read.text, read.disturbed, url, true, before, after))
    return found
