"""What the charts of both arms are drawn from. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ArmPoint:
    """One step of time, by arm: shares 0 to 1 and milliseconds; None where nothing was measured."""

    start: datetime
    errors: dict[str, float | None]
    p95_ms: dict[str, float | None]
    agreement: float | None = None
