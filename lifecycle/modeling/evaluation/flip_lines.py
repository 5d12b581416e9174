"""Changed predictions of a robustness test: the row, its perturbation, and the predictions as text."""

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
    """A changed prediction. text, disturbed: of rankings, the prompt first; empty if the user may not read
    samples or the item is missing. true, before, after: one name per label; empty if there are none or they
    aren't shown.
    """

    flip: Flip
    text: tuple[str, ...]
    disturbed: tuple[str, ...]
    url: str
    true: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def lines(user: User, evaluation: Evaluation, flips: Sequence[Flip], seed: int) -> list[FlipLine]:
    """The flips of one probe, with the same perturbation as in the test. seed: of the perturbation."""
    items = queries.items_by_digest(evaluation, [flip.id for flip in flips], user)
    page = page_of(evaluation)
    rows = page.read_rows(evaluation, items) if may_read(user, evaluation) else {}
    found = []
    for flip in flips:
        item = items.get(flip.id)
        url = find_url("datasets:item", uuid=item.uuid) if item else ""
        read = page.disturb(flip, rows[flip.id], seed) if flip.id in rows else Read()
        true, before, after = (page.names(each, read) for each in (flip.label, flip.clean, flip.predicted))
        true = (read.reference,) if read.reference else true
        found.append(FlipLine(flip, read.text, read.disturbed, url, true, before, after))
    return found
