"""The page of a preference test."""

from __future__ import annotations

from typing import Any

from datasets_app.datasets.rules import UploadState
from datasets_app.queues.models import Queue
from lifecycle.modeling.evaluation import queries, side_by_side
from lifecycle.modeling.evaluation.models import SideBySide
from lifecycle.ui.addresses import find_url
from registry.ground.access.models import User
from registry.ground.access.policy import can

KINDS = {"first": "warn", "second": "ok", "unclear": "info"}


def shown(user: User, side: SideBySide) -> dict[str, Any]:
    """Its state; results only once all pairs are resolved or the queue is closed, so that annotators don't
    know which model leads.
    """
    queue, choices = side.queue, queries.choices_of(side) if side.queue else []
    ended = queue is not None and (len(choices) >= side.pairs or queue.state == Queue.State.CLOSED)
    tally = side_by_side.tally(choices, side.swapped) if ended else None
    first, second = str(side.first.run), str(side.second.run)
    return {
        "side": side,
        "first": first,
        "second": second,
        "resolved": len(choices),
        "ended": ended,
        "importing": side.upload.state == UploadState.IMPORTING,
        "imported": side.upload.state == UploadState.IMPORTED,
        "may_manage": can(user, "labeling.manage", side.dataset),
        "tally": tally,
        "summary": side_by_side.summary_of(tally, first, second) if tally else None,
        "kind": KINDS[tally.verdict] if tally else "",
        "queue_url": find_url("queues:queue", uuid=queue.uuid) if queue else "",
        "upload_url": find_url("datasets:upload", uuid=side.upload.uuid),
        "dataset_url": find_url("datasets:dataset", uuid=side.dataset.uuid),
        "compare_url": f"{find_url('evaluation:compare')}?a={side.first.uuid}&b={side.second.uuid}",
    }
