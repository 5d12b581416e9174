"""The texts of a proposal's window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState, normal_digest
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.formats import Formats
from lifecycle.runtime.task_types.inputs import TEXT_LIMIT, BadContent
from monitoring.retraining.models import Proposal
from monitoring.retraining.rules import Candidate
from monitoring.traffic import queries as traffic

POOL = 5_000  # newest kept texts of the window from which texts are chosen
CHUNK = 500


class Text(NamedTuple):
    """A kept text that can be an item. content: of the item; None for plain text."""

    kept: traffic.Kept
    content: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Texts:
    """The kept texts of a window. candidates: as the rule sees them, their pk the place in texts. known:
    normal digests in the dataset.

    right: what feedback says is right, in words, of those called wrong. Of these, missing: how many have no
    text, or nothing of what belongs to it, any more; unfit: how many can't be items of the dataset.
    """

    candidates: list[Candidate]
    texts: list[Text]
    right: dict[UUID, str]
    known: frozenset[str]
    missing: int
    unfit: int


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
    formats = formats_of(proposal.dataset.task)
    texts: list[Text] = []
    rows: list[Candidate] = []
    missing, unfit = traffic.wrong_without_text(endpoint, since, until, live), 0
    for each in sorted(found.values(), key=lambda text: (text.at, str(text.uuid)), reverse=True):
        is_wrong = each.uuid in wrong
        try:
            content, normal = as_item(each, formats)
        except BadContent:
            missing += is_wrong and each.content is None
            unfit += is_wrong and each.content is not None
            continue
        confidence = each.confidence if each.confidence is not None else 1.0
        rows.append(Candidate(len(texts), normal, confidence, is_wrong))
        texts.append(Text(each, content))
    known = known_texts(proposal.dataset, [each.normal for each in rows])
    right = {uuid: each.right for uuid, each in wrong.items()}
    return Texts(rows, texts, right, known, missing, unfit)


def as_item(kept: traffic.Kept, formats: Formats) -> tuple[dict[str, Any] | None, str]:
    """The content of a prediction's item, None for plain text, and its normal digest. Raises BadContent for
    what isn't stored with its text, or that an item can't have.
    """
    content = formats.asked(kept.text, kept.content)
    text = formats.readable(content) if content else kept.text
    if len(text) > TEXT_LIMIT:
        raise BadContent("long_text", f"The texts have {len(text):,} characters together.")
    return content, normal_digest(text)


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
