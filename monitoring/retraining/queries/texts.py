"""The texts of a proposal's window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState, normal_digest
from monitoring.retraining.models import Proposal
from monitoring.retraining.rules import Candidate
from monitoring.traffic import queries as traffic

POOL = 5_000  # newest kept texts of the window from which texts are chosen
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Texts:
    """The kept texts of a window. candidates: as the rule sees them, their pk the place in texts. known:
    normal digests in the dataset.

    right: correct labels from feedback of those called wrong. missing: how many were called wrong and have no
    text any more.
    """

    candidates: list[Candidate]
    texts: list[traffic.Kept]
    right: dict[UUID, str]
    known: frozenset[str]
    missing: int


def window_texts(proposal: Proposal) -> Texts:
    """The kept texts of the live version's answers in the window, newest first: those called wrong, and the
    newest 5,000 of all.
    """
    endpoint, since, until, live = (
        proposal.endpoint,
        proposal.window_start,
        proposal.window_end,
        proposal.live,
    )
    wrong = {each.uuid: each for each in traffic.reported_wrong(endpoint, since, until, POOL, live)}
    found = {each.uuid: each for each in traffic.texts(endpoint, since, until, POOL, live)} | wrong
    texts = sorted(found.values(), key=lambda text: (text.at, str(text.uuid)), reverse=True)
    rows = [
        Candidate(
            at,
            normal_digest(each.text),
            each.confidence if each.confidence is not None else 1.0,
            each.uuid in wrong,
        )
        for at, each in enumerate(texts)
    ]
    known = known_texts(proposal.dataset, [each.normal for each in rows])
    right = {uuid: each.right for uuid, each in wrong.items()}
    return Texts(rows, texts, right, known, traffic.wrong_without_text(endpoint, since, until, live))


def known_texts(dataset: Dataset, normals: list[str]) -> frozenset[str]:
    """Which of these normal digests the dataset has already."""
    found: set[str] = set()
    for some in chunks(normals):
        rows = Item.objects.filter(
            dataset=dataset, upload__state=UploadState.IMPORTED, normal_digest__in=some
        )
        found |= set(rows.values_list("normal_digest", flat=True))
    return frozenset(found)


def chunks(rows: list[str]) -> Iterator[list[str]]:
    """Lists short enough for one statement."""
    for at in range(0, len(rows), CHUNK):
        yield rows[at : at + CHUNK]
