"""flips.parquet: the answers that changed when their texts were disturbed. No texts of the data: they are
disturbed again when they are shown.

label, clean, predicted: what is true, and the answers before and after. Where a text has one class its name;
where it may have several a JSON list of names, of marked parts one of [start, end, class] in the disturbed
text; an order as "2 > 1 = 3"; of generated texts the label is empty, and the answers are the texts
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

NUMBERS = ("clean_confidence", "confidence", "before", "after")


@dataclass(frozen=True, slots=True)
class Flip:
    """A row's answer under one probe. id: of the row. clean_confidence, confidence: of what changed, before
    and after; None where an answer has none. before, after: the row's own score, 0 to 1.
    """

    probe: str
    id: str
    label: str
    clean: str
    clean_confidence: float | None
    predicted: str
    confidence: float | None
    before: float
    after: float

    @property
    def is_broken(self) -> bool:
        """Whether the answer became worse."""
        return self.after < self.before

    @property
    def is_fixed(self) -> bool:
        """Whether it became better."""
        return self.after > self.before


SCHEMA = pa.schema([(name, pa.float64() if name in NUMBERS else pa.string()) for name in Flip.__slots__])


def write_flips(path: Path, flips: Sequence[Flip]) -> None:
    """Write them, in their order."""
    pq.write_table(
        pa.Table.from_pylist([asdict(flip) for flip in flips], schema=SCHEMA), path, compression="zstd"
    )


def read_flips(path: Path, probe: str) -> list[Flip]:
    """Those of one probe, worst first: those that lost most of their score, the surest of the new answers
    first, then by id.
    """
    found = [Flip(**row) for row in pq.read_table(path, filters=[("probe", "=", probe)]).to_pylist()]
    return sorted(found, key=lambda flip: (flip.after - flip.before, -(flip.confidence or 0.0), flip.id))
