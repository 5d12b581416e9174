"""The result of an analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registry.ground.artifacts.models import Blob


@dataclass(frozen=True, slots=True)
class Finding:
    """report: digests and numbers, no text. rows: a Parquet file of per-row results, if they are large."""

    report: dict[str, Any]
    rows: Blob | None = None
