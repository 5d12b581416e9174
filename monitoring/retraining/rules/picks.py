"""Which texts of a window go to the analysts: what the model got wrong, what it was least sure of, and a fair
sample.

The fair sample is drawn before anything else and becomes test data; what is chosen because the live model
fails on it becomes training data. A test that held texts chosen by the live model's errors would flatter
every other model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

SAMPLE_SHARE = 0.2
WRONG, UNSURE, SAMPLE = "wrong", "unsure", "sample"
SPLIT_OF = {WRONG: "train", UNSURE: "train", SAMPLE: "test"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One kept text of the window. pk: of its prediction; normal: digest of its normal form; wrong: by
    feedback.
    """

    pk: int
    normal: str
    confidence: float
    wrong: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """chosen: (prediction, kind), each text once. repeated: texts that came again. known: texts that the
    dataset has already.
    """

    chosen: tuple[tuple[int, str], ...]
    repeated: int
    known: int


def choose(candidates: Iterable[Candidate], *, known: frozenset[str], limit: int, seed: str) -> Choice:
    """At most `limit` texts: a fifth drawn by the hash of seed and text, then the wrong ones, then the least
    confident.

    candidates: newest first; of equal texts the one that was called wrong counts, else the newest. known:
    normal digests in the dataset.
    """
    found: dict[str, Candidate] = {}
    repeated = 0
    for candidate in candidates:
        before = found.get(candidate.normal)
        repeated += before is not None
        if before is None or (candidate.wrong and not before.wrong):
            found[candidate.normal] = candidate
    fresh = [candidate for candidate in found.values() if candidate.normal not in known]
    drawn = sorted(fresh, key=lambda each: hashlib.sha256(f"{seed}:{each.normal}".encode()).digest())
    sample = drawn[: min(len(drawn), max(1, round(limit * SAMPLE_SHARE)))]
    taken = {each.normal for each in sample}
    rest = [each for each in fresh if each.normal not in taken]
    wrong = [each for each in rest if each.wrong]
    unsure = sorted(
        (each for each in rest if not each.wrong), key=lambda each: (each.confidence, each.normal)
    )
    chosen = [(each.pk, WRONG) for each in wrong] + [(each.pk, UNSURE) for each in unsure]
    picked = chosen[: max(0, limit - len(sample))] + [(each.pk, SAMPLE) for each in sample]
    return Choice(tuple(picked), repeated, len(found) - len(fresh))
