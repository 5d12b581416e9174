"""flips.parquet: the answers that changed when their texts were disturbed. No texts: they are disturbed again where they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

NUMBERS = ("clean_confidence", "confidence")


@dataclass(frozen=True, slots=True)
class Flip:
    """A row's answer under one probe. id: of the row; label: its true one; clean, predicted: the answers before and after."""

    probe: str
    id: str
    label: str
    clean: str
    clean_confidence: float
    predicted: str
    confidence: float

    @property
    def is_broken(self) -> bool:
        """Whether a right answer became wrong."""
        return self.clean == self.label


SCHEMA = pa.schema([(name, pa.float64() if name in NUMBERS else pa.string()) for name in Flip.__slots__])


def write_flips(path: Path, flips: Sequence[Flip]) -> None:
    """Write them, in their order."""
    pq.write_table(pa.Table.from_pylist([asdict(flip) for flip in flips], schema=SCHEMA), path, compression="zstd")


def read_flips(path: Path, probe: str) -> list[Flip]:
    """Those of one probe, worst first: right answers that broke, the surest of the new answers first, then by id."""
    found = [Flip(**row) for row in pq.read_table(path, filters=[("probe", "=", probe)]).to_pylist()]
    return sorted(found, key=lambda flip: (not flip.is_broken, -flip.confidence, flip.id))
