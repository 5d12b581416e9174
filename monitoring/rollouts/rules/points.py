"""What the charts of both arms are drawn from. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from monitoring.traffic.histogram import Histogram


@dataclass(frozen=True)
class ArmPoint:
    """One step of time, by arm: shares 0 to 1 and milliseconds; None where nothing was measured. latency: how
    long answers took.
    """

    start: datetime
    errors: dict[str, float | None]
    p95_ms: dict[str, float | None]
    agreement: float | None = None
    latency: dict[str, Histogram] = field(default_factory=dict)
